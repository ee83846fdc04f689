// The producer's numbers for Prometheus. Every label's values are a closed list.
import type { Metrics } from '@alert-throttle/observability';
import { DEAD_LETTER_REASONS } from './core/dead-letters.ts';
import { LOSS_REASONS } from './core/loss.ts';
import { RECORD_KINDS } from './core/record.ts';
import type { Clock, Spool } from './ports.ts';
import type { PipelineState } from './pipeline.ts';
import type { Observer } from './totals.ts';

export interface Watched {
  readonly spool: Spool;
  readonly clock: Clock;
  readonly state: () => PipelineState;
}

/** Counts what it is told. Every series is there from the start, so that a first increase is seen as one. */
export function prometheusObserver(metrics: Metrics): Observer {
  const read = metrics.counter('producer_alerts_read_total', 'Alerts read from the source.');
  const unknown = metrics.counter(
    'producer_unknown_fields_total',
    'Fields of alerts that the schema has not; kept: in EventData, dropped: too many or too large.',
    ['outcome'],
  );
  const guessed = metrics.counter(
    'producer_guessed_times_total',
    'Alerts that did not say when they happened.',
  );
  const deadLetters = metrics.counter('producer_dead_letters_total', 'Lines that are no alert.', ['reason']);
  const produced = metrics.counter(
    'producer_records_produced_total',
    'Records that the broker acknowledged, by kind.',
    ['kind'],
  );
  const lost = metrics.counter('producer_alerts_lost_total', 'Alerts for which there was no room.', [
    'reason',
  ]);
  const lostLetters = metrics.counter(
    'producer_dead_letters_lost_total',
    'Dead letters for which there was no room.',
  );
  const seconds = metrics.histogram('producer_send_seconds', 'From sending a batch to its acknowledgement.');
  const failures = metrics.counter(
    'producer_send_failures_total',
    'Attempts to connect or send that failed.',
  );
  for (const outcome of ['kept', 'dropped']) unknown.inc({ outcome }, 0);
  for (const reason of DEAD_LETTER_REASONS) deadLetters.inc({ reason }, 0);
  for (const kind of RECORD_KINDS) produced.inc({ kind }, 0);
  for (const reason of LOSS_REASONS) lost.inc({ reason }, 0);
  return {
    read: ({ alerts, unknownKept, unknownDropped, guessedTimes }) => {
      read.inc(alerts);
      unknown.inc({ outcome: 'kept' }, unknownKept);
      unknown.inc({ outcome: 'dropped' }, unknownDropped);
      guessed.inc(guessedTimes);
    },
    deadLetter: (reason) => deadLetters.inc({ reason }),
    produced: (kind, records) => produced.inc({ kind }, records),
    lost: (reason, alerts, letters) => {
      lost.inc({ reason }, alerts);
      lostLetters.inc(letters);
    },
    sent: (took) => seconds.observe(took),
    sendFailed: () => failures.inc(),
  };
}

/** Returns what brings the gauges up to date; to be called now and then. */
export function spoolGauges(metrics: Metrics, { spool, clock, state }: Watched): () => void {
  const records = metrics.gauge('producer_spool_records', 'Records that wait in the spool.');
  const bytes = metrics.gauge('producer_spool_bytes', 'Bytes that they take on the disk.');
  const oldest = metrics.gauge(
    'producer_spool_oldest_seconds',
    'For how long the oldest of them has waited.',
  );
  const connected = metrics.gauge('producer_connected', '1 while the last attempt to reach Kafka worked.');
  const full = metrics.gauge('producer_spool_full', '1 while there is no room in the spool.');
  return () => {
    const usage = spool.usage();
    records.set(usage.records);
    bytes.set(usage.bytes);
    oldest.set(usage.oldestAtMs === undefined ? 0 : Math.max(0, clock.nowMs() - usage.oldestAtMs) / 1000);
    connected.set(state().connected ? 1 : 0);
    full.set(state().spoolFull ? 1 : 0);
  };
}
