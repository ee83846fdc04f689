// Alerts for which there was no room: counted by the numbers they would have had, then announced in the stream.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { formatMicros, secondsOf } from './event-time.ts';

export const LOSS_REASONS = ['spool full', 'disk full'] as const;
export type LossReason = (typeof LOSS_REASONS)[number];

/** Alerts lost in a row. Every number from `first` to `last` belongs to one of them. */
export interface Loss {
  readonly first: number;
  readonly last: number;
  readonly reason: LossReason;
}

export function lostAlerts(loss: Loss): number {
  return loss.last - loss.first + 1;
}

/** The loss after `count` further alerts, numbered from `first` on, were lost. The reason is that of the first ones. */
export function extendLoss(
  loss: Loss | undefined,
  first: number,
  count: number,
  reason: LossReason,
): Loss | undefined {
  if (count === 0) return loss;
  const last = first + count - 1;
  return loss === undefined ? { first, last, reason } : { ...loss, last };
}

/** The record that announces a loss. It has a number of its own, so that a repeat of it is noticed. */
export function alertsLostEvent(
  loss: Loss,
  identity: { readonly nodeId: string; readonly bootId: string; readonly sequence: number },
  nowMicros: number,
): Alert {
  return makeAlert({
    NodeID: identity.nodeId,
    BootID: identity.bootId,
    Sequence: identity.sequence,
    EventTimeMicros: nowMicros,
    Timestamp: secondsOf(nowMicros),
    UpdatedTime: formatMicros(nowMicros),
    Type: 'SystemEvent',
    Operation: 'AlertsLost',
    Lost: {
      LostAlerts: lostAlerts(loss),
      First: loss.first,
      Last: loss.last,
      Counter: 'sequence',
      Reason: loss.reason,
    },
  });
}
