// How the kernel source speaks of itself: in the stream, in the log and in the metrics.
import type { Alert } from '@alert-throttle/alert';
import type { Logger } from '../ports.ts';
import type { Identity } from './core/alert-of-event.ts';
import { nodeIdentity, type NodeIdentity } from './core/container.ts';
import type { Origin } from './core/node-events.ts';
import type { KernelObserver } from './observer.ts';

export interface VoiceOptions {
  readonly logger: Logger;
  readonly observer: KernelObserver;
  readonly node: NodeIdentity;
  readonly enforcer: string;
  readonly nowMicros: () => number;
  readonly emit: (alert: Alert) => void;
}

export class Voice {
  readonly logger: Logger;
  readonly observer: KernelObserver;
  readonly #options: VoiceOptions;

  constructor(options: VoiceOptions) {
    this.#options = options;
    this.logger = options.logger;
    this.observer = options.observer;
  }

  /** An event of this moment, about the container or, without one, about the node. */
  say(make: (origin: Origin) => Alert, identity: Identity = nodeIdentity(this.#options.node)): void {
    const { enforcer, nowMicros, emit } = this.#options;
    emit(make({ identity, micros: nowMicros(), enforcer }));
  }
}
