// AlertThreshold and AlertThresholdEnded of the kernel's own throttle: the same shape as those that the throttler makes.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { DEFAULT_POSTURE, type CompiledRule } from '@alert-throttle/policy';
import { RULE_POSTURE, type IntervalEvent } from '../kernel-port.ts';
import { countsByOperation, stamped, type Identity } from './alert-of-event.ts';
import { alertOperation } from './operations.ts';

export interface ThresholdContext {
  readonly identity: Identity;
  readonly ruleOf: (number: number) => CompiledRule | undefined;
  /** The kernel's time as time of day; of one moment always the same. */
  readonly micros: (timeNs: bigint) => number;
  readonly enforcer: string;
  readonly profile: string;
}

type NameCount = NonNullable<Alert['Throttle']>['DroppedByPolicy'][number];

export function thresholdAlert(event: IntervalEvent, context: ThresholdContext): Alert {
  const { limits } = event;
  const ended = event.type === 'thresholdEnded';
  const micros = (timeNs: bigint): number => (timeNs === 0n ? 0 : context.micros(timeNs));
  const start = micros(event.intervalStartNs);
  return makeAlert({
    ...context.identity,
    ...stamped(micros(event.timeNs)),
    Type: 'SystemEvent',
    Operation: ended ? 'AlertThresholdEnded' : 'AlertThreshold',
    Enforcer: context.enforcer,
    Result: 'Passed',
    MaxAlertsPerSec: limits.maxAlertPerSec,
    DroppingAlertsInterval: limits.throttleSec,
    // More intervals ended than could be reported one by one.
    EventData: event.crossings > 1 ? { Crossings: String(event.crossings) } : {},
    Throttle: {
      IntervalStartMicros: start,
      // Not from the kernel's end: the offset between the clocks may have changed in between.
      IntervalEndMicros: start + limits.throttleSec * 1_000_000,
      DroppedAlerts: event.dropped,
      LimitsVersion: versionOf(limits),
      Profile: context.profile,
      Late: false,
      EndedBy: ended ? event.endedBy : '',
      Trigger: triggerOf(event, context),
      DroppedByPolicy: ended ? byPolicy(event, context) : [],
      DroppedByOperation: ended ? largestFirst(countsByOperation(event.droppedByOperation)) : [],
      FirstDropped: null,
      LastDropped: null,
      FirstDroppedMicros: ended ? micros(event.firstDroppedNs) : 0,
      LastDroppedMicros: ended ? micros(event.lastDroppedNs) : 0,
      LostAlerts: event.lost,
      Scope: event.overflow ? 'overflow' : '',
      Containers: event.overflow ? event.containers : 0,
    },
  });
}

/** As the throttler writes it: equal limits have equal versions everywhere. */
function versionOf({ alertThrottling, maxAlertPerSec, throttleSec }: IntervalEvent['limits']): string {
  return `${alertThrottling ? 'on' : 'off'}-${maxAlertPerSec}-${throttleSec}`;
}

function triggerOf(event: IntervalEvent, { ruleOf }: ThresholdContext) {
  if (event.triggerRule === 0) return null;
  const rule = ruleOf(event.triggerRule);
  return {
    Operation: alertOperation(event.triggerOperation),
    PolicyName: policyName(event.triggerRule, rule),
    Source: event.triggerComm,
    Resource: rule?.path ?? '',
  };
}

function policyName(number: number, rule: CompiledRule | undefined): string {
  if (number === RULE_POSTURE) return DEFAULT_POSTURE;
  return rule?.policy.name ?? `unknown rule ${number}`;
}

/** Several rules may be of one policy. */
function byPolicy(event: IntervalEvent, { ruleOf }: ThresholdContext): NameCount[] {
  const sums = new Map<string, number>();
  const add = (name: string, alerts: number): void => {
    if (alerts > 0) sums.set(name, (sums.get(name) ?? 0) + alerts);
  };
  for (const { rule, alerts } of event.droppedByRule) add(policyName(rule, ruleOf(rule)), alerts);
  add('other', event.droppedByOtherRules);
  return largestFirst(sums);
}

function largestFirst(sums: ReadonlyMap<string, number>): NameCount[] {
  return [...sums]
    .map(([Name, Alerts]) => ({ Name, Alerts }))
    .filter(({ Alerts }) => Alerts > 0)
    .sort((left, right) => right.Alerts - left.Alerts || (left.Name < right.Name ? -1 : 1));
}
