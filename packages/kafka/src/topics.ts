// The three topics as the throttler needs them: made where they are missing, checked where they exist.
import type { ConfigOf, topicSettings } from '@alert-throttle/config';
import kafkajs, { type Admin, type ITopicConfig, type ITopicMetadata } from 'kafkajs';
import type { AlertKafka } from './client.ts';

export interface TopicNames {
  readonly raw: string;
  readonly throttled: string;
  readonly deadLetter: string;
}

/** The topics as the settings name them. */
export function topicNames(config: ConfigOf<typeof topicSettings>): TopicNames {
  return { raw: config.rawTopic, throttled: config.throttledTopic, deadLetter: config.deadLetterTopic };
}

export interface TopicProblem {
  readonly topic: string;
  readonly problem: string;
  /** Shell command that sets it right. */
  readonly fix: string;
}

/** The problem of a topic that is not in the broker's list, which leaves out what the user has no right to. */
export const NOT_THERE = 'does not exist, or this user may not see it';

export interface TopicSize {
  /** Used where none of the topics exists yet; else new ones get as many as those that exist. */
  readonly partitions: number;
  readonly replication: number;
}

/** Seven days: windows can be rebuilt from the log for that long. */
export const RAW_RETENTION_MS = 604_800_000;

/** What one produce request of the throttler may carry; the broker's own default. */
export const OUTPUT_MESSAGE_BYTES = 1024 * 1024;

/** Makes the topics that are missing and waits until they have leaders. Returns the names of those it made. */
export async function createTopics(kafka: AlertKafka, names: TopicNames, size: TopicSize): Promise<string[]> {
  return withAdmin(kafka, async (admin) => {
    const existing = await existingTopics(admin, names);
    const partitions = Math.max(0, ...existing.map((topic) => topic.partitions.length)) || size.partitions;
    const created: string[] = [];
    for (const topic of topicConfigs(names)) {
      if (existing.some(({ name }) => name === topic.topic)) continue;
      // False: somebody else made it meanwhile.
      const made = await admin.createTopics({
        topics: [{ ...topic, numPartitions: partitions, replicationFactor: size.replication }],
        // kafkajs's own wait fails where a broker has not heard of the topic yet; leadersOf waits for that, too.
        waitForLeaders: false,
      });
      if (made) created.push(topic.topic);
    }
    await leadersOf(admin, names);
    return created;
  });
}

function topicConfigs({ raw, throttled, deadLetter }: TopicNames): ITopicConfig[] {
  const cleanup = { name: 'cleanup.policy', value: 'delete' };
  const rawEntries = [
    cleanup,
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
    { name: 'retention.ms', value: String(RAW_RETENTION_MS) },
  ];
  return [
    { topic: raw, configEntries: rawEntries },
    { topic: throttled, configEntries: [cleanup] },
    { topic: deadLetter, configEntries: [cleanup] },
  ];
}

const LEADER_ATTEMPTS = 50;
const LEADER_PAUSE_MS = 200;

/** A topic that is being made at this moment, by us or another instance, has no leaders that answer yet. */
async function leadersOf(admin: Admin, names: TopicNames): Promise<void> {
  for (let attempt = 0; attempt < LEADER_ATTEMPTS; attempt++) {
    if (await leadersAnswer(admin, names)) return;
    await new Promise((resume) => setTimeout(resume, LEADER_PAUSE_MS));
  }
  throw new Error(
    `topics ${listOf(names).join(', ')} have no leaders after ${(LEADER_ATTEMPTS * LEADER_PAUSE_MS) / 1000} s`,
  );
}

/** A broker names leaders before they lead: only one that tells its offsets is one. */
async function leadersAnswer(admin: Admin, names: TopicNames): Promise<boolean> {
  try {
    const topics = await existingTopics(admin, names);
    const led = topics.every((topic) => topic.partitions.every(({ leader }) => leader >= 0));
    if (topics.length < listOf(names).length || !led) return false;
    for (const name of listOf(names)) await admin.fetchTopicOffsets(name);
    return true;
  } catch (error) {
    if (isRetriable(error)) return false;
    throw error;
  }
}

/** As kafkajs marks its errors. */
function isRetriable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retriable' in error && error.retriable === true;
}

/** What is not as the throttler needs it, each with the command that sets it right; nothing is changed. */
export async function checkTopics(kafka: AlertKafka, names: TopicNames): Promise<TopicProblem[]> {
  return withAdmin(kafka, async (admin) => {
    const existing = await existingTopics(admin, names);
    const configs = new Map<string, ReadonlyMap<string, string>>();
    for (const { name } of existing) configs.set(name, await configOf(admin, name));
    return topicProblems({
      names,
      brokers: kafka.brokers,
      partitions: new Map(existing.map((topic) => [topic.name, topic.partitions.length])),
      configs,
    });
  });
}

export interface TopicFacts {
  readonly names: TopicNames;
  readonly brokers: readonly string[];
  /** Number of partitions of each topic that exists. */
  readonly partitions: ReadonlyMap<string, number>;
  /** Effective configuration of each topic that exists. */
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** The judgement of checkTopics, from facts alone. */
export function topicProblems(facts: TopicFacts): TopicProblem[] {
  const { names } = facts;
  return [
    ...listOf(names).flatMap((topic) => missing(facts, topic)),
    ...partitionProblems(facts),
    ...listOf(names).flatMap((topic) =>
      wrongConfig(facts, topic, 'cleanup.policy', 'delete', (is) => is === 'delete'),
    ),
    ...wrongConfig(
      facts,
      names.raw,
      'message.timestamp.type',
      'LogAppendTime',
      (is) => is === 'LogAppendTime',
    ),
    ...wrongConfig(facts, names.raw, 'retention.ms', String(RAW_RETENTION_MS), keepsLongEnough),
    ...[names.throttled, names.deadLetter].flatMap((topic) =>
      wrongConfig(
        facts,
        topic,
        'max.message.bytes',
        String(OUTPUT_MESSAGE_BYTES),
        (is) => Number(is) >= OUTPUT_MESSAGE_BYTES,
      ),
    ),
  ];
}

function keepsLongEnough(retentionMs: string): boolean {
  return Number(retentionMs) === -1 || Number(retentionMs) >= RAW_RETENTION_MS;
}

function missing({ names, partitions, brokers }: TopicFacts, topic: string): TopicProblem[] {
  if (partitions.has(topic)) return [];
  const count = Math.max(0, ...partitions.values());
  const config = topicConfigs(names)
    .find((one) => one.topic === topic)
    ?.configEntries?.map(({ name, value }) => ` --config ${name}=${value}`);
  const size = count === 0 ? '' : ` --partitions ${count}`;
  const fix = `kafka-topics.sh --bootstrap-server ${brokers.join(',')} --create --topic ${topic}${size}${(config ?? []).join('')}`;
  return [{ topic, problem: NOT_THERE, fix }];
}

/** Partition p of the raw topic goes to partition p of the others; adding partitions is all that Kafka can do. */
function partitionProblems({ names, partitions, brokers }: TopicFacts): TopicProblem[] {
  const most = Math.max(0, ...partitions.values());
  return listOf(names).flatMap((topic) => {
    const count = partitions.get(topic);
    if (count === undefined || count === most) return [];
    const moves =
      topic === names.raw
        ? ' (containers then move to other partitions: stop producers and throttlers for it)'
        : '';
    const problem = `has ${count} partitions, but another of the three topics has ${most}${moves}`;
    const fix = `kafka-topics.sh --bootstrap-server ${brokers.join(',')} --alter --topic ${topic} --partitions ${most}`;
    return [{ topic, problem, fix }];
  });
}

function wrongConfig(
  { configs, brokers }: TopicFacts,
  topic: string,
  name: string,
  wanted: string,
  isRight: (value: string) => boolean,
): TopicProblem[] {
  const value = configs.get(topic)?.get(name);
  if (value === undefined || isRight(value)) return [];
  const fix =
    `kafka-configs.sh --bootstrap-server ${brokers.join(',')} --alter --entity-type topics --entity-name ${topic} ` +
    `--add-config ${name}=${wanted}`;
  return [{ topic, problem: `${name} is ${value}, but must be ${needed(name, wanted)}`, fix }];
}

function needed(name: string, wanted: string): string {
  return name === 'retention.ms' || name === 'max.message.bytes' ? `at least ${wanted}` : wanted;
}

function listOf({ raw, throttled, deadLetter }: TopicNames): string[] {
  return [raw, throttled, deadLetter];
}

/** Only the topics that exist: asking for one by name would make it where the broker makes topics by itself. */
async function existingTopics(admin: Admin, names: TopicNames): Promise<ITopicMetadata[]> {
  const present = await admin.listTopics();
  const wanted = listOf(names).filter((topic) => present.includes(topic));
  if (wanted.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted });
  return topics;
}

async function configOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  });
  const entries = resources[0]?.configEntries ?? [];
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
}

async function withAdmin<T>(kafka: AlertKafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
