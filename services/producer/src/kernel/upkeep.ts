// What each second needs: the kernel's sweep and clock, containers that were missed, rules whose targets moved, farewells.
import { reasonOf } from '../errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { NodeContainers } from './node-containers.ts';
import type { NodeContainer } from './core/node-container.ts';
import type { RingLedger } from './core/ring-ledger.ts';
import type { Enforcement } from './enforcement.ts';
import type { EventFeed } from './event-feed.ts';
import { bidFarewell } from './farewell.ts';
import type { KernelPort } from './kernel-port.ts';
import type { Memory } from './memory.ts';
import type { RecordQueue } from './record-queue.ts';

export interface UpkeepOptions {
  readonly kernel: Pick<KernelPort, 'sweep' | 'realtimeOffsetNs' | 'throttleMap' | 'rings'>;
  readonly feed: EventFeed;
  readonly queue: RecordQueue;
  readonly ledger: RingLedger;
  readonly containers: NodeContainers;
  readonly enforcement: Enforcement;
  readonly memory: Memory;
  readonly onGone: (container: NodeContainer, hasSuccessor: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TICK_MS = 1_000;
const ALIVE_TICKS = 15;
/** Names of files change their meaning seldom; each container's are looked at so often. */
const RESOLVE_AGAIN_TICKS = 10;
/** Containers whose coming or going was missed are found so often. */
const SCAN_TICKS = 30;

export class Upkeep {
  readonly #options: UpkeepOptions;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #tickedAtMs = 0;
  #mustScan = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Its work is done, also while nothing can be stored. */
  get isAlive(): boolean {
    return (
      this.#timer === undefined || this.#options.clock.nowMs() - this.#tickedAtMs < ALIVE_TICKS * TICK_MS
    );
  }

  start(): void {
    this.#tickedAtMs = this.#options.clock.nowMs();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Containers may have come or gone without an event. */
  scanSoon(): void {
    this.#mustScan = true;
  }

  /** Intervals that are over end, and the clock is taken. */
  sweep(): void {
    const { kernel, feed } = this.#options;
    kernel.sweep();
    feed.setRealtimeOffset(kernel.realtimeOffsetNs());
  }

  #tick(): void {
    const { kernel, feed, ledger, containers, memory, onGone, clock, logger } = this.#options;
    this.#ticks += 1;
    this.#tickedAtMs = clock.nowMs();
    try {
      this.sweep();
      feed.tick();
      this.#scan();
      this.#resolveAgain();
      bidFarewell({ kernel, containers, marks: () => ledger.marks, nowMs: () => clock.nowMs(), onGone });
      containers.tidy();
      memory.saveIfChanged();
    } catch (error) {
      logger.error({ error: reasonOf(error) }, `kernel source: ${reasonOf(error)}`);
    }
  }

  /** While events are held up, containers that come and go are seen only by looking. */
  #scan(): void {
    const { queue, feed, containers } = this.#options;
    const isHeldUp = queue.isHeldUp || feed.waiting > 0;
    if (!this.#mustScan && !isHeldUp && this.#ticks % SCAN_TICKS !== 0) return;
    this.#mustScan = false;
    containers.scan();
  }

  /** A few containers a second, so that the time for it is spread. */
  #resolveAgain(): void {
    const { containers, enforcement } = this.#options;
    const slot = this.#ticks % RESOLVE_AGAIN_TICKS;
    for (const container of containers.all)
      if (Number(container.cgroupId % BigInt(RESOLVE_AGAIN_TICKS)) === slot) enforcement.apply(container);
  }
}
