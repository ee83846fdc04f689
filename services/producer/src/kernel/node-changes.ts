// What changes on a node, and what follows from it: containers come and go, policies, labels and postures are others.
import type { Policy } from '@alert-throttle/policy';
import type { Announcer } from './announcer.ts';
import type { Confinement } from './apparmor/confinement.ts';
import type { NodeIdentity } from './core/container.ts';
import type { Labels } from './core/labels.ts';
import type { NodeContainer } from './core/node-container.ts';
import type { Enforcement, PostureConfig } from './enforcement.ts';
import type { EventFeed } from './event-feed.ts';
import type { Memory } from './memory.ts';
import type { NodeContainers } from './node-containers.ts';
import type { PoliciesInForce } from './policies-in-force.ts';
import type { RecordQueue } from './record-queue.ts';
import type { Startup } from './startup.ts';

export interface NodeChangesOptions {
  readonly memory: Memory;
  readonly announcer: Announcer;
  readonly containers: NodeContainers;
  readonly enforcement: Enforcement;
  readonly startup: Startup;
  readonly feed: EventFeed;
  readonly queue: RecordQueue;
  readonly inForce: PoliciesInForce;
  readonly node: NodeIdentity;
  /** Of AppArmor's, where it enforces. */
  readonly confinement: Pick<Confinement, 'expect'> | undefined;
}

export class NodeChanges {
  readonly #options: NodeChangesOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: NodeChangesOptions) {
    this.#options = options;
  }

  /** Resolves when every container that is known has its rules, or was asked in vain. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Those that have not answered yet get their rules as they are written, and as far as is known from before. */
  applyUnasked(): void {
    const { containers, enforcement } = this.#options;
    for (const container of containers.all)
      if (container.enforced === undefined) enforcement.applyKnown(container);
  }

  found(container: NodeContainer): void {
    const { memory, feed } = this.#options;
    memory.changed();
    const done = this.#bring(container).finally(() => this.#pending.delete(done));
    this.#pending.add(done);
    feed.known(container.cgroupId);
  }

  /**
   * A new one at once: the kernel lets its rules begin with its first exec. What was there before may be enforced already,
   * and must not lose what its rules lead to: it is looked at first.
   */
  async #bring(container: NodeContainer): Promise<void> {
    const { enforcement, startup } = this.#options;
    if (!container.wasThere) await enforcement.apply(container);
    await startup.watch(container);
    if (container.enforced === undefined) await enforcement.apply(container);
  }

  gone(container: NodeContainer, hasSuccessor: boolean): void {
    const { memory, enforcement, startup, queue, node } = this.#options;
    memory.changed();
    startup.forget(container.cgroupId);
    this.#options.announcer.forget(container.cgroupId);
    enforcement.remove(container);
    if (!hasSuccessor) queue.tombstone(container.known.identity.ContainerID, node.nodeId);
  }

  policies(policies: readonly Policy[]): void {
    this.#options.inForce.set(policies);
    this.#applyAll();
  }

  labels(labels: Labels): void {
    this.#options.confinement?.expect(labels);
    this.#options.containers.setLabels(labels);
    this.#applyAll();
  }

  postures(postures: PostureConfig): void {
    this.#options.enforcement.setPostures(postures);
    this.#applyAll();
  }

  #applyAll(): void {
    const { memory, containers, enforcement } = this.#options;
    memory.changed();
    for (const container of containers.all) if (!isUnseen(container)) void enforcement.apply(container);
  }
}

/** It was there before, and its first look is not over: it gets its rules with that. */
function isUnseen({ wasThere, life, enforced }: NodeContainer): boolean {
  return wasThere && life.phase === 'building' && enforced === undefined;
}
