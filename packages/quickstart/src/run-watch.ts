// Follows a run to its end: asks Kafka what is still on its way, one question after the other.
import { stageOf, type Positions, type Stage } from './completion.ts';
import type { KafkaFacts } from './kafka-facts.ts';
import type { TopicReader } from './topic-reader.ts';
import { addsUp, totalsOf } from './totals.ts';
import type { ViewState } from './view-model.ts';

/** Beyond the length of an interval: how long reports of late alerts are waited for. */
const PATIENCE_MS = 5_000;

export interface RunWatchOptions {
  readonly facts: KafkaFacts;
  readonly reader: TopicReader;
  readonly throttleSec: number;
  readonly rawTopic: string;
  readonly throttledTopic: string;
}

export class RunWatch {
  readonly #options: RunWatchOptions;
  readonly #patienceMs: number;
  #rawEnd: Positions | undefined;
  #throttledEnd: Positions | undefined;
  #readAtMs: number | undefined;

  constructor(options: RunWatchOptions) {
    this.#options = options;
    this.#patienceMs = options.throttleSec * 1000 + PATIENCE_MS;
  }

  async stage(state: ViewState, producerDone: boolean): Promise<Stage> {
    if (!producerDone) return 'producing';
    const { facts, reader, rawTopic, throttledTopic } = this.#options;
    // The ends are taken once: what others write later is not waited for.
    this.#rawEnd ??= await facts.endOf(rawTopic);
    const progress = {
      producerDone,
      rawEnd: this.#rawEnd,
      committed: this.#throttledEnd ? this.#rawEnd : await facts.committed(),
      rawRead: reader.positions('raw'),
      throttledRead: reader.positions('throttled'),
      openIntervals: totalsOf(state).open,
      unaccounted: !addsUp(state),
    };
    if (!this.#throttledEnd) {
      const before = stageOf({ ...progress, throttledEnd: undefined, patienceOver: false });
      if (before === 'throttling') return before;
      this.#throttledEnd = await facts.endOf(throttledTopic);
    }
    const stage = stageOf({
      ...progress,
      throttledEnd: this.#throttledEnd,
      patienceOver: this.#patienceOver(),
    });
    if (stage === 'waitingForReports') this.#readAtMs = undefined;
    if (stage === 'reconciling') this.#readAtMs ??= Date.now();
    return stage;
  }

  #patienceOver(): boolean {
    return this.#readAtMs !== undefined && Date.now() - this.#readAtMs > this.#patienceMs;
  }
}
