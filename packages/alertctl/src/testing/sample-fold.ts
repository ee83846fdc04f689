// A partition's state as the throttler would have it: one container in an interval, one quiet. For tests.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { crossingDetails, PartitionFold, type FoldSink, type Limits } from '@alert-throttle/throttle';

export const THROTTLED = `${'a'.repeat(63)}1`;
export const QUIET = `${'b'.repeat(63)}2`;
export const LIMITS: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 30 };

const nobody: FoldSink = { threshold: () => undefined, ended: () => undefined };

/** THROTTLED crosses at `crossedAtMs` and has 5 alerts dropped: 4 of policy `audit-shells`, 1 of `audit-net`. */
export function sampleFold(crossedAtMs: number): PartitionFold {
  const fold = new PartitionFold();
  fold.advance(crossedAtMs * 1_000 + 999, nobody);
  const alert = makeAlert({
    ContainerID: THROTTLED,
    NamespaceName: 'shop',
    PodName: 'web-0',
    ContainerName: 'web',
  });
  for (let offset = 0; offset < 7; offset++)
    see(fold, { ...alert, PolicyName: offset === 6 ? 'audit-net' : 'audit-shells' }, crossedAtMs, offset);
  see(fold, makeAlert({ ContainerID: QUIET, PolicyName: 'audit-shells' }), crossedAtMs, 7);
  return fold;
}

function see(fold: PartitionFold, alert: Alert, atMs: number, offset: number): void {
  const seen = {
    containerKey: alert.ContainerID,
    eventTimeMicros: atMs * 1_000,
    policy: alert.PolicyName,
    operation: 'Process',
    partition: 0,
    offset,
    details: () => crossingDetails(alert),
  };
  fold.alert(seen, LIMITS, nobody);
}
