// `alertctl limits`: the limits in force, per partition, and since when.
import { limitsVersion, type LimitsChange } from '@alert-throttle/throttle';
import { groupOffsets, type PartitionOffsets } from './group-offsets.ts';
import type { Session } from './session.ts';
import { table, utc } from './text.ts';

export interface LimitsOptions {
  readonly json?: boolean;
}

export async function limits(session: Session, { json = false }: LimitsOptions): Promise<void> {
  const partitions = await groupOffsets(session);
  const { consumerGroup, rawTopic } = session.config;
  if (json) {
    const rows = partitions.map(limitsJson);
    await session.out.print(
      JSON.stringify({ group: consumerGroup, topic: rawTopic, partitions: rows }, null, 2),
    );
    return;
  }
  await session.out.print(limitsText(partitions));
  for (const remark of limitsRemarks(partitions, consumerGroup)) session.remark(remark);
}

/** The change that is in force. */
function inForce({ metadata }: PartitionOffsets): LimitsChange | undefined {
  return metadata?.limits.at(-1);
}

export function limitsText(partitions: readonly PartitionOffsets[]): string {
  const heading = [
    'PARTITION',
    'THROTTLING',
    'MAX ALERTS/S',
    'THROTTLE S',
    'VERSION',
    'SINCE',
    'FROM OFFSET',
    'COMMITTED',
  ];
  return table(
    heading,
    partitions.map((one) => {
      const change = inForce(one);
      const ends = [change ? String(change.from) : '', String(one.committed ?? 'none')];
      if (!change)
        return [
          String(one.partition),
          one.unreadable === undefined ? 'not claimed yet' : '?',
          '',
          '',
          '',
          '',
          ...ends,
        ];
      const { alertThrottling, maxAlertPerSec, throttleSec, at } = change;
      return [
        String(one.partition),
        alertThrottling ? 'on' : 'off',
        String(maxAlertPerSec),
        String(throttleSec),
        limitsVersion(change),
        at > 0 ? utc(at) : 'the beginning',
        ...ends,
      ];
    }),
  );
}

/** What an operator should know beyond the table. */
export function limitsRemarks(partitions: readonly PartitionOffsets[], group: string): string[] {
  const remarks = partitions.flatMap(({ partition, unreadable }) =>
    unreadable === undefined ? [] : [`partition ${partition}: ${unreadable}`],
  );
  const versions = new Set(partitions.flatMap((one) => inForce(one) ?? []).map(limitsVersion));
  if (versions.size > 1)
    remarks.push(`the partitions differ: ${[...versions].join(', ')}; instances with different settings?`);
  if (partitions.every(({ committed }) => committed === undefined))
    remarks.push(
      `group ${group} has committed nothing yet: no throttler has run under this name (CONSUMER_GROUP)`,
    );
  return remarks;
}

export function limitsJson(one: PartitionOffsets): Record<string, unknown> {
  const change = inForce(one);
  return {
    partition: one.partition,
    committedOffset: one.committed ?? null,
    inForce: change ? changeJson(change) : null,
    ...(one.unreadable === undefined ? {} : { unreadable: one.unreadable }),
    history: one.metadata?.limits.map(changeJson) ?? [],
  };
}

function changeJson(change: LimitsChange): Record<string, unknown> {
  const { alertThrottling, maxAlertPerSec, throttleSec, from, at } = change;
  const since = at > 0 ? new Date(Math.floor(at / 1000)).toISOString() : null;
  return {
    alertThrottling,
    maxAlertPerSec,
    throttleSec,
    version: limitsVersion(change),
    fromOffset: from,
    since,
  };
}
