// The kernel source as the rest of the producer sees it: a source of records that can be started, asked, told, and ended.
import type { AlertSource, RecordBatch } from '../ports.ts';
import { assemble, DEFAULT_PROFILE, type KernelNodeOptions, type Parts } from './assemble.ts';
import { begin, type Followed } from './begin.ts';
import type { PostureConfig } from './enforcement.ts';
import type { Limits } from './kernel-port.ts';
import type { KernelFigures } from './metrics.ts';
import { figuresOf, statusOf } from './status.ts';

export class KernelNode {
  readonly #options: KernelNodeOptions;
  readonly #parts: Parts;
  readonly #followed: Followed = {
    policies: undefined,
    labels: undefined,
    labelsText: '',
    isStarted: false,
  };

  constructor(options: KernelNodeOptions) {
    this.#options = options;
    const followed = this.#followed;
    this.#parts = assemble(options, (containers, before) => ({
      // Until the start is over, a crash must not forget those of the run before.
      containers: followed.isStarted || !before.isSameBoot ? containers.saved : before.containers,
      policies: followed.policies?.state.texts ?? before.policies,
      labels: followed.labelsText,
    }));
  }

  get source(): AlertSource<RecordBatch> {
    return this.#parts.queue;
  }

  get figures(): KernelFigures {
    return figuresOf(this.#parts, this.#followed);
  }

  /** For /readyz and `alertctl kernel`. */
  get status(): Record<string, unknown> {
    return statusOf(this.#parts, this.#followed);
  }

  get isArmed(): boolean {
    return this.#parts.arming.isArmed;
  }

  get isAlive(): boolean {
    return this.#parts.upkeep.isAlive;
  }

  /** Policies and containers first; then the programs decide, and events are read. */
  start(): void {
    this.setLimits(this.#options.limits);
    begin(this.#options, this.#parts, this.#followed);
  }

  setLimits(limits: Limits): void {
    this.#options.kernel.setLimits(DEFAULT_PROFILE, limits);
  }

  setPostures(postures: PostureConfig): void {
    this.#parts.changes.postures(postures);
  }

  /** Programs and maps stay, and go on. */
  async close(): Promise<void> {
    const { kernel, logger } = this.#options;
    const { upkeep, startup, arming, memory } = this.#parts;
    const { policies, labels, isStarted } = this.#followed;
    upkeep.stop();
    startup.close();
    await Promise.all([arming.close(), policies?.close(), labels?.close()]);
    if (isStarted) memory.save();
    kernel.close();
    logger.info(
      {},
      'kernel source: ends; the programs stay attached, go on enforcing and counting, and the next run takes them ' +
        'over. `alertctl kernel detach` takes them down',
    );
  }
}
