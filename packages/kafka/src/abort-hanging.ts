// Ends what an earlier producer of a transactional id left in its partitions without an end.
//
// A broker (Kafka 4) that is killed while it ends a transaction ends it when it is back; but where its coordinator loads
// before the partitions have leaders again, it takes them for deleted, writes no markers, and calls the transaction
// complete. Its records then hang in the log and its offsets in the group, until a marker of the same producer id
// comes: that of the next transaction, which would bring them to light beside whatever was decided anew in their
// place. So an abort marker goes to all these places first, in a transaction that writes no record.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { createCluster } from './cluster.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface HangingOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  /** Whose offsets are committed in transactions of this id. */
  readonly group: string;
  /** Where transactions of this id write records, all of them. */
  readonly partitions: readonly TopicPartition[];
}

/** What was aborted may be skipped as well, by another restart: the abort counts only once its markers are there. */
export class AbortSkippedError extends Error {
  override readonly name = 'AbortSkippedError';
  readonly code = 'ABORT_SKIPPED';
}

/** The coordinator still writes the markers of the transaction before, or is about to be found elsewhere. */
const RETRIABLE = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  // The same three in kafkajs's words.
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);
const ATTEMPTS = 300;
const RETRY_MS = 10;

interface Producer {
  readonly producerId: string;
  readonly producerEpoch: number;
}

interface Topic {
  readonly topic: string;
  readonly partitions: readonly number[];
}

type OfTransaction<More = unknown> = Producer & { readonly transactionalId: string } & More;

interface Coordinator {
  initProducerId(request: {
    readonly transactionalId: string;
    readonly transactionTimeout: number;
  }): Promise<Producer>;
  addPartitionsToTxn(request: OfTransaction<{ readonly topics: readonly Topic[] }>): Promise<unknown>;
  addOffsetsToTxn(request: OfTransaction<{ readonly groupId: string }>): Promise<unknown>;
  endTxn(request: OfTransaction<{ readonly transactionResult: boolean }>): Promise<unknown>;
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  /** Asks anew each time. */
  findGroupCoordinator(request: {
    readonly groupId: string;
    readonly coordinatorType: number;
  }): Promise<Coordinator>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning: boolean;
    }[],
  ): Promise<readonly { readonly partitions: readonly { readonly offset: string }[] }[]>;
}

/** Of transactions, not of groups. */
const COORDINATOR_TYPE = 1;

/**
 * Fences every earlier producer of the id, and aborts what hangs of it. When this resolves, nothing of this producer
 * id is pending. Throws what is not over within seconds; it may then be called again.
 */
export async function abortHanging(kafka: Kafka, options: HangingOptions): Promise<void> {
  const cluster = createCluster(kafka) as Cluster;
  try {
    await cluster.connect();
    await cluster.addMultipleTargetTopics(options.partitions.map(({ topic }) => topic));
    await abortIn(cluster, options);
  } finally {
    await cluster.disconnect();
  }
}

async function abortIn(cluster: Cluster, options: HangingOptions): Promise<void> {
  const { transactionalId, transactionTimeoutMs: transactionTimeout, group: groupId } = options;
  const asked = coordinatorOf(cluster, transactionalId);
  const init = (): Promise<Producer> =>
    asked((coordinator) => coordinator.initProducerId({ transactionalId, transactionTimeout }));
  const { producerId, producerEpoch } = await init();
  const transaction = { transactionalId, producerId, producerEpoch };
  // Nothing can hang in an empty partition, and it stays empty: whether anybody ever wrote there is a question.
  const written: (TopicPartition & { readonly end: bigint })[] = [];
  for (const place of options.partitions) {
    const end = await offsetOf(cluster, place, false);
    if (end > (await offsetOf(cluster, place, true))) written.push({ ...place, end });
  }
  const topics = written.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
  if (topics.length > 0) {
    await asked((coordinator) => coordinator.addPartitionsToTxn({ ...transaction, topics }));
  }
  await asked((coordinator) => coordinator.addOffsetsToTxn({ ...transaction, groupId }));
  await asked((coordinator) => coordinator.endTxn({ ...transaction, transactionResult: false }));
  // Answered once the coordinator has done with the abort.
  await init();
  for (const { end, ...place } of written) {
    // Nobody else writes there: what came since is the marker.
    if ((await offsetOf(cluster, place, false)) > end) continue;
    throw new AbortSkippedError(
      `${place.topic}/${place.partition} got no abort marker of ${transactionalId}`,
    );
  }
}

/** Asks whoever is the coordinator at that moment, again where it says that it cannot answer yet. */
function coordinatorOf(
  cluster: Cluster,
  transactionalId: string,
): <T>(request: (coordinator: Coordinator) => Promise<T>) => Promise<T> {
  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(
          await cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: COORDINATOR_TYPE }),
        );
      } catch (error) {
        if (attempt >= ATTEMPTS || !isRetriable(error)) throw error;
        await sleep(RETRY_MS);
      }
    }
  };
}

function isRetriable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'type' in error && RETRIABLE.has(String(error.type));
}

/** The first offset, or the one after the last record or marker, whether or not its transaction has ended. */
async function offsetOf(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  fromBeginning: boolean,
): Promise<bigint> {
  const [found] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]);
  const offset = found?.partitions[0]?.offset;
  if (offset === undefined) throw new Error(`${topic}/${partition} does not exist`);
  return BigInt(offset);
}
