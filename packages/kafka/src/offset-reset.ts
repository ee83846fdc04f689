// Stops kafkajs 2.2.4 from overwriting a group's committed offset when a fetch is out of range.
//
// Where retention has deleted what a consumer asks for, kafkajs commits "earliest" (-2) for the partition, outside of
// any transaction and without the metadata: the real offset is gone for whoever comes next. Here it only goes on
// fetching from there; what to make of the gap is decided, and committed, by those who own the partition.
import { createRequire } from 'node:module';

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

interface FetchedOffsets {
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

export interface OffsetManager {
  readonly topicConfigurations: Readonly<Record<string, object>>;
  readonly resolvedOffsets: Record<string, Record<number, string>>;
  readonly cluster: { fetchTopicsOffset(topics: readonly object[]): Promise<readonly FetchedOffsets[]> };
  setDefaultOffset(where: TopicPartition): Promise<void>;
}

const PATCHED_VERSION = '2.2.4';

/** Idempotent. Leaves any other version of kafkajs alone. */
export function keepCommittedOffsets(): void {
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== PATCHED_VERSION) return;
  const { prototype } = require('kafkajs/src/consumer/offsetManager') as { prototype: OffsetManager };
  prototype.setDefaultOffset = fetchFromDefault;
}

/** Goes on at the log's start (or end, as subscribed), for this consumer alone. */
export async function fetchFromDefault(
  this: OffsetManager,
  { topic, partition }: TopicPartition,
): Promise<void> {
  const asked = [{ topic, partitions: [{ partition }], ...this.topicConfigurations[topic] }];
  const [found] = await this.cluster.fetchTopicsOffset(asked);
  const offset = found?.partitions.find((one) => one.partition === partition)?.offset;
  const resolved = this.resolvedOffsets[topic];
  if (offset !== undefined && resolved !== undefined) resolved[partition] = offset;
}
