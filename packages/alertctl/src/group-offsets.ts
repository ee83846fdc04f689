// What Kafka knows of the throttler's group: how far it is in each partition of the raw topic, and under which limits.
import { OffsetMetadataError, parseOffsetMetadata, type OffsetMetadata } from '@alert-throttle/throttle';
import { CommandError } from './errors.ts';
import { withAdmin, type Session } from './session.ts';

export interface PartitionOffsets {
  readonly partition: number;
  /** `undefined`: the group has not committed anything for it yet. */
  readonly committed: number | undefined;
  /** The offset of the next record that is written. */
  readonly end: number;
  /** What came with the commit; `undefined` where there is none, or it is not the throttler's. */
  readonly metadata: OffsetMetadata | undefined;
  /** Why the metadata cannot be read. */
  readonly unreadable: string | undefined;
}

/** Every partition of the raw topic, in order. Throws KafkaError, or CommandError where there is no such topic. */
export async function groupOffsets(session: Session): Promise<PartitionOffsets[]> {
  const { rawTopic, consumerGroup } = session.config;
  return withAdmin(session, async (admin) => {
    await existingTopic(admin, rawTopic);
    const ends = await admin.fetchTopicOffsets(rawTopic);
    const committed = await admin.fetchOffsets({ groupId: consumerGroup, topics: [rawTopic] });
    const byPartition = new Map(
      committed.flatMap(({ partitions }) => partitions).map((one) => [one.partition, one]),
    );
    return ends
      .map(({ partition, high }) => {
        const commit = byPartition.get(partition);
        const offset = Number(commit?.offset ?? -1);
        const end = Number(high);
        if (offset < 0)
          return { partition, end, committed: undefined, metadata: undefined, unreadable: undefined };
        return { partition, end, committed: offset, ...readMetadata(commit?.metadata ?? '') };
      })
      .sort((left, right) => left.partition - right.partition);
  });
}

/** Asking for a topic's offsets would make the topic where the broker makes topics by itself. */
export async function existingTopic(
  admin: { listTopics(): Promise<string[]> },
  topic: string,
): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return;
  throw new CommandError(
    `there is no topic ${topic}, or none that this user may see; "alertctl topics" makes the topics`,
  );
}

function readMetadata(text: string): Pick<PartitionOffsets, 'metadata' | 'unreadable'> {
  if (text === '')
    return { metadata: undefined, unreadable: "the commit has no metadata: it is not the throttler's" };
  try {
    return { metadata: parseOffsetMetadata(text), unreadable: undefined };
  } catch (error) {
    if (!(error instanceof OffsetMetadataError)) throw error;
    return { metadata: undefined, unreadable: error.message };
  }
}
