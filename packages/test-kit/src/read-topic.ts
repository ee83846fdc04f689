// Reads a topic whole, exactly as far as it reaches now, without a consumer group.
//
// It asks the broker with kafkajs's own requests, but leaves out aborted transactions itself: the filter of kafkajs
// 2.2.4 takes the list of them as sorted by first offset, which the broker does not promise, and then lets records of
// overlapping transactions through. Tests that count duplicates cannot build on that.
import { type AlertKafka, createCluster } from '@alert-throttle/kafka';
import { testKafka } from './topics.ts';

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  /** Append time where the topic has LogAppendTime. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface ReadOptions {
  /** read_committed (the default) ends before the first open transaction. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
  /** Where it is not the Kafka of the stack. */
  readonly kafka?: AlertKafka;
}

/** The parts of kafkajs that are used here and not in its types. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(options: { nodeId: string }): Promise<Broker>;
}

interface Broker {
  fetch(options: FetchRequest): Promise<FetchResponse>;
}

interface FetchRequest {
  readonly isolationLevel: 0 | 1;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

interface FetchResponse {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
}

export interface FetchedPartition {
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedRecord[];
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

export interface FetchedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

const FETCH_BYTES = 8 * 1024 * 1024;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

/**
 * All records that a consumer would see now, by partition and offset. What was committed a moment ago may be missing:
 * the broker confirms a transaction before its markers are in the log.
 */
export async function readTopic(
  topic: string,
  { isolation = 'read_committed', kafka = testKafka('reader') }: ReadOptions = {},
): Promise<ReadRecord[]> {
  const cluster = createCluster(kafka) as Cluster;
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    await cluster.refreshMetadata();
    const partitions = [...cluster.findTopicPartitionMetadata(topic)].sort(
      (a, b) => a.partitionId - b.partitionId,
    );
    const records: ReadRecord[] = [];
    for (const { partitionId, leader } of partitions) {
      const broker = await cluster.findBroker({ nodeId: String(leader) });
      records.push(
        ...(await readPartition(broker, { topic, partition: partitionId }, isolation === 'read_committed')),
      );
    }
    return records;
  } finally {
    await cluster.disconnect();
  }
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

async function readPartition(broker: Broker, place: Place, committed: boolean): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  let end: bigint | undefined;
  for (let next = 0n; end === undefined || next < end;) {
    const fetched = await fetchFrom(broker, place, next, committed);
    end ??= BigInt(committed ? fetched.lastStableOffset : fetched.highWatermark);
    const last = fetched.messages.at(-1);
    if (last === undefined) {
      if (next < end)
        throw new Error(
          `${place.topic}/${place.partition}: nothing at offset ${next}, although it ends at ${end}`,
        );
      break;
    }
    const upTo = end;
    const seen = (committed ? withoutAborted(fetched) : fetched.messages).filter(
      ({ offset }) => BigInt(offset) >= next,
    );
    records.push(
      ...seen
        .filter((one) => !one.isControlRecord && BigInt(one.offset) < upTo)
        .map((one) => toRecord(one, place)),
    );
    next = BigInt(last.offset) + 1n;
  }
  return records;
}

async function fetchFrom(
  broker: Broker,
  { topic, partition }: Place,
  from: bigint,
  committed: boolean,
): Promise<FetchedPartition> {
  const { responses } = await broker.fetch({
    isolationLevel: committed ? READ_COMMITTED : READ_UNCOMMITTED,
    maxWaitTime: 100,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes: FETCH_BYTES }] }],
  });
  const fetched = responses[0]?.partitions[0];
  if (fetched === undefined) throw new Error(`${topic}/${partition}: the broker answered nothing`);
  return fetched;
}

/** Type of a control record, in the second half of its key (KIP-98). */
const ABORT = 0;

/** As Java's client does it: a transaction begins at its first offset and ends at the abort marker of its producer. */
export function withoutAborted({ abortedTransactions, messages }: FetchedPartition): FetchedRecord[] {
  const coming = [...(abortedTransactions ?? [])].sort((a, b) =>
    Number(BigInt(a.firstOffset) - BigInt(b.firstOffset)),
  );
  const aborting = new Set<string>();
  return messages.filter((record) => {
    for (
      let first = coming[0];
      first && BigInt(first.firstOffset) <= BigInt(record.offset);
      first = coming[0]
    ) {
      aborting.add(first.producerId);
      coming.shift();
    }
    const { producerId, inTransaction } = record.batchContext;
    if (record.isControlRecord && record.key?.readInt16BE(2) === ABORT) aborting.delete(producerId);
    return record.isControlRecord || !inTransaction || !aborting.has(producerId);
  });
}

function toRecord(
  { offset, timestamp, key, value, headers }: FetchedRecord,
  { partition }: Place,
): ReadRecord {
  return { partition, offset: Number(offset), timestampMs: Number(timestamp), key, value, headers };
}
