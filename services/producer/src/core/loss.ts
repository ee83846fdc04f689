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
  /** Alerts of before: those whose loss the source had announced in one of these. */
  readonly more?: number;
}

export function lostAlerts(loss: Loss): number {
  return loss.last - loss.first + 1 + (loss.more ?? 0);
}

/** The loss after `count` further alerts, numbered from `first` on, were lost. The reason is that of the first ones. */
export function extendLoss(
  loss: Loss | undefined,
  first: number,
  count: number,
  reason: LossReason,
  alreadyLost = 0,
): Loss | undefined {
  if (count === 0) return loss;
  const last = first + count - 1;
  const more = alreadyLost + (loss?.more ?? 0);
  return { first, reason, ...loss, last, ...(more > 0 ? { more } : {}) };
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
