// When a run is over: everything produced was judged, everything that came out was read, every interval was reported.
// Judged by positions, never by counting messages: on a topic that is written in transactions, the offsets also
// number control records, which no reader ever sees.

/** One partition's position: the offset of the next record. Partitions are numbered from 0 without gaps. */
export type Positions = readonly number[];

export interface Progress {
  readonly producerDone: boolean;
  /** End of the raw topic, taken after the producer was done. */
  readonly rawEnd: Positions;
  /** Up to where the throttler has committed; -1 where it has committed nothing yet. */
  readonly committed: Positions;
  /** Up to where the view has read the raw topic. */
  readonly rawRead: Positions;
  /** End of the throttled topic, taken after `committed`; undefined before the throttler is through. */
  readonly throttledEnd: Positions | undefined;
  readonly throttledRead: Positions;
  readonly openIntervals: number;
  /** Some container's dropped alerts are not what was reported: a report of late alerts may still come. */
  readonly unaccounted: boolean;
  /** It was waited for such reports long enough. */
  readonly patienceOver: boolean;
}

export type Stage = 'producing' | 'throttling' | 'reading' | 'waitingForReports' | 'reconciling' | 'done';

export function stageOf(progress: Progress): Stage {
  if (!progress.producerDone) return 'producing';
  if (!reached(progress.committed, progress.rawEnd)) return 'throttling';
  const { throttledEnd } = progress;
  if (!throttledEnd || !reached(progress.rawRead, progress.rawEnd)) return 'reading';
  if (!reached(progress.throttledRead, throttledEnd)) return 'reading';
  if (progress.openIntervals > 0) return 'waitingForReports';
  return progress.unaccounted && !progress.patienceOver ? 'reconciling' : 'done';
}

export function reached(positions: Positions, targets: Positions): boolean {
  return targets.every((target, partition) => (positions[partition] ?? -1) >= target);
}

/** Records between the positions and the targets. On a transactional topic an upper bound. */
export function behind(positions: Positions, targets: Positions): number {
  return targets.reduce(
    (sum, target, partition) => sum + Math.max(0, target - Math.max(0, positions[partition] ?? 0)),
    0,
  );
}
