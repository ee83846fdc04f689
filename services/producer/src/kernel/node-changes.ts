// What changes on a node, and what follows from it: containers come and go, policies, labels and postures are others.
import type { Policy } from '@alert-throttle/policy';
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

  constructor(options: NodeChangesOptions) {
    this.#options = options;
  }

  found(container: NodeContainer): void {
    const { memory, enforcement, startup, feed } = this.#options;
    memory.changed();
    // At once: the kernel lets its rules begin with its first exec. What was there before is looked at first.
    if (!container.wasThere) enforcement.apply(container);
    startup.watch(container);
    if (container.enforced === undefined) enforcement.apply(container);
    feed.known(container.cgroupId);
  }

  gone(container: NodeContainer, hasSuccessor: boolean): void {
    const { memory, enforcement, startup, queue, node } = this.#options;
    memory.changed();
    startup.forget(container.cgroupId);
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
    for (const container of containers.all) enforcement.apply(container);
  }
}
