// What a claim must know of the log and of the group's committed offsets, through kafkajs's admin client.

import { type AlertKafka, checkTopics, type TopicNames } from '@alert-throttle/kafka';
import type { Admin } from 'kafkajs';

import type { CommittedOffset, LogBounds, LogFacts } from '../ports.ts';

/** How long topics that were found right are not looked at again. */
const GOOD_FOR_MS = 30_000;

export class KafkaLogFacts implements LogFacts {
  readonly #kafka: AlertKafka;
  readonly #admin: Admin;
  readonly #group: string;
  readonly #topics: TopicNames;
  #topicCheck: Promise<readonly string[]> | undefined;

  constructor(kafka: AlertKafka, group: string, topics: TopicNames) {
    this.#kafka = kafka;
    this.#admin = kafka.admin();
    this.#group = group;
    this.#topics = topics;
  }

  async connect(): Promise<void> {
    await this.#admin.connect();
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }

  async committed(partition: number): Promise<CommittedOffset | undefined> {
    return (await this.#committedOffsets()).get(partition);
  }

  async groupHasCommits(): Promise<boolean> {
    return (await this.#committedOffsets()).size > 0;
  }

  async bounds(partition: number): Promise<LogBounds> {
    const bounds = (await this.allBounds()).get(partition);
    if (bounds === undefined) throw new Error(`topic ${this.#topics.raw} has no partition ${partition}`);
    return bounds;
  }

  /** The bounds of every partition of the raw topic, for one round trip. */
  async allBounds(): Promise<Map<number, LogBounds>> {
    const offsets = await this.#admin.fetchTopicOffsets(this.#topics.raw);
    return new Map(offsets.map((o) => [o.partition, { start: Number(o.low), end: Number(o.high) }]));
  }

  async throttledTopicIsEmpty(): Promise<boolean> {
    const offsets = await this.#admin.fetchTopicOffsets(this.#topics.throttled);
    return offsets.every((o) => o.high === o.low);
  }

  /** Up to where what lies in a partition of an output topic has been committed or aborted. */
  async stableEnd(topic: string, partition: number): Promise<number> {
    const offsets = await this.#admin.fetchTopicOffsets(topic);
    const found = offsets.find((o) => o.partition === partition);
    if (found === undefined) throw new Error(`topic ${topic} has no partition ${partition}`);
    // kafkajs asks for what a read_committed consumer is shown.
    return Number(found.high);
  }

  /** All partitions are claimed at the same time: they share one look, and a good answer for a while. */
  topicProblems(): Promise<readonly string[]> {
    this.#topicCheck ??= this.#checkTopics();
    return this.#topicCheck;
  }

  async #checkTopics(): Promise<readonly string[]> {
    let keepMs = 0;
    try {
      const problems = await checkTopics(this.#kafka, this.#topics);
      if (problems.length === 0) keepMs = GOOD_FOR_MS;
      return problems.map((p) => `${p.topic}: ${p.problem}; to set it right: ${p.fix}`);
    } finally {
      setTimeout(() => (this.#topicCheck = undefined), keepMs).unref();
    }
  }

  /** Offsets below zero mean "none": -1 never committed; kafkajs itself writes -2 when it resets an offset. */
  async #committedOffsets(): Promise<Map<number, CommittedOffset>> {
    const topics = await this.#admin.fetchOffsets({ groupId: this.#group, topics: [this.#topics.raw] });
    const found = new Map<number, CommittedOffset>();
    for (const { partitions } of topics) {
      for (const p of partitions) {
        const offset = Number(p.offset);
        if (offset >= 0) found.set(p.partition, { offset, metadata: p.metadata ?? '' });
      }
    }
    return found;
  }
}
