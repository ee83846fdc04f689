// What the view asks Kafka about besides records: ends of topics, and how far the throttler has come.
import type { TopicNames } from '@alert-throttle/kafka';
import type { Admin, Kafka } from 'kafkajs';
import type { Positions } from './completion.ts';
import type { TopicPositions } from './topic-reader.ts';

export class KafkaFacts {
  readonly #admin: Admin;
  readonly #topics: TopicNames;
  readonly #group: string;

  constructor(kafka: Kafka, topics: TopicNames, group: string) {
    this.#admin = kafka.admin();
    this.#topics = topics;
    this.#group = group;
  }

  connect(): Promise<void> {
    return this.#admin.connect();
  }

  disconnect(): Promise<void> {
    return this.#admin.disconnect();
  }

  async ends(): Promise<TopicPositions> {
    const { raw, throttled, deadLetter } = this.#topics;
    const [rawEnd, throttledEnd, deadLetterEnd] = await Promise.all([
      this.endOf(raw),
      this.endOf(throttled),
      this.endOf(deadLetter),
    ]);
    return { raw: rawEnd, throttled: throttledEnd, deadLetter: deadLetterEnd };
  }

  async endOf(topic: string): Promise<Positions> {
    const offsets = await this.#admin.fetchTopicOffsets(topic);
    return indexed(offsets.map(({ partition, high }) => [partition, Number(high)]));
  }

  /** Offset that the throttler goes on from, per partition of the raw topic; -1 where it has committed nothing. */
  async committed(): Promise<Positions> {
    const topics = await this.#admin.fetchOffsets({ groupId: this.#group, topics: [this.#topics.raw] });
    const partitions = topics.find(({ topic }) => topic === this.#topics.raw)?.partitions ?? [];
    return indexed(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  /** A throttler has joined its group, and no rebalance is under way. */
  async throttlerHasJoined(): Promise<boolean> {
    const { groups } = await this.#admin.describeGroups([this.#group]);
    return groups.some(({ state, members }) => state === 'Stable' && members.length > 0);
  }

  /** Removes a consumer group that nobody uses any more. */
  async forgetGroup(groupId: string): Promise<void> {
    await this.#admin.deleteGroups([groupId]);
  }
}

function indexed(pairs: readonly (readonly [number, number])[]): Positions {
  const positions: number[] = [];
  for (const [partition, offset] of pairs) positions[partition] = offset;
  return positions;
}
