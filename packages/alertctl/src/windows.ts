// `alertctl windows`: who is throttled now, until when, how many were dropped; and how old that knowledge is.
import { kafkaFailure } from '@alert-throttle/kafka';
import { partitionsInRedis, readCheckpoint, type Checkpoint } from './checkpoint.ts';
import { CommandError, told } from './errors.ts';
import { groupOffsets, type PartitionOffsets } from './group-offsets.ts';
import { withRedis, type Session } from './session.ts';
import { windowsJson, windowsText } from './windows-text.ts';

export interface WindowsOptions {
  readonly all?: boolean;
  readonly json?: boolean;
  readonly limit: number;
}

/** What is known of one partition. */
export interface PartitionView {
  readonly partition: number;
  readonly checkpoint: Checkpoint | undefined;
  /** `undefined`: Kafka does not answer. */
  readonly offsets: PartitionOffsets | undefined;
}

export interface WindowsView {
  readonly group: string;
  readonly topic: string;
  readonly nowMs: number;
  readonly partitions: readonly PartitionView[];
  /** Why Kafka does not answer. */
  readonly kafkaProblem: string | undefined;
}

/** Throws RedisError. Kafka may be away: then it is not known how far the checkpoint is behind. */
export async function windows(session: Session, options: WindowsOptions): Promise<void> {
  const view = await collect(session, options);
  const { out, remark } = session;
  if (options.json === true) await out.print(JSON.stringify(windowsJson(view), null, 2));
  else await out.print(windowsText(view, options.all === true));
  if (view.kafkaProblem !== undefined)
    remark(`how far the checkpoint is behind is not known: ${view.kafkaProblem}`);
}

async function collect(session: Session, { all = false, limit }: WindowsOptions): Promise<WindowsView> {
  const { consumerGroup: group, rawTopic: topic } = session.config;
  const asked = offsetsOrProblem(session);
  const checkpoints = new Map<number, Checkpoint>();
  const offsets = await withRedis(session, async (redis) => {
    const answer = await asked;
    const partitions =
      answer.offsets.length > 0
        ? answer.offsets.map(({ partition }) => partition)
        : await partitionsInRedis(redis, group, topic);
    for (const partition of partitions) {
      const checkpoint = await readCheckpoint(redis, group, topic, partition, { all, limit });
      if (checkpoint) checkpoints.set(partition, checkpoint);
    }
    return answer;
  });
  const known = new Map(offsets.offsets.map((one) => [one.partition, one]));
  const partitions = [...new Set([...known.keys(), ...checkpoints.keys()])].sort(
    (left, right) => left - right,
  );
  return {
    group,
    topic,
    nowMs: Date.now(),
    partitions: partitions.map((partition) => ({
      partition,
      checkpoint: checkpoints.get(partition),
      offsets: known.get(partition),
    })),
    kafkaProblem: offsets.problem,
  };
}

/** Never rejects. */
async function offsetsOrProblem(
  session: Session,
): Promise<{ readonly offsets: readonly PartitionOffsets[]; readonly problem: string | undefined }> {
  try {
    return { offsets: await groupOffsets(session), problem: undefined };
  } catch (error) {
    const why = error instanceof CommandError ? error : kafkaFailure(error, session.config.kafkaBrokers);
    return { offsets: [], problem: told(why) };
  }
}
