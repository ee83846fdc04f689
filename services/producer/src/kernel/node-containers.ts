// The containers of this node: known from the kernel's events and from what is there at the start, until after their
// last report.
import type { NodeContainer } from './core/node-container.ts';
import { containerAt, describeContainer, type Known, type NodeIdentity } from './core/container.ts';
import type { Identity } from './core/alert-of-event.ts';
import { NO_LABELS, type Labels } from './core/labels.ts';
import type { Cgroup, Cgroups } from './adapters/cgroups.ts';
import type { SavedContainer } from './adapters/state-file.ts';

export interface NodeContainersOptions {
  readonly cgroups: Cgroups;
  readonly node: NodeIdentity;
  readonly nowMs: () => number;
  /** There is a container that was not known before. */
  readonly onFound: (container: NodeContainer) => void;
  /** The cgroups could not all be seen: nothing was found, and nothing is taken for gone. */
  readonly onUnseen: (error: unknown) => void;
}

/** Events of a container may still be on their way after it is gone. */
const REMEMBERED_MS = 60_000;

export class NodeContainers {
  readonly #options: NodeContainersOptions;
  readonly #byCgroup = new Map<bigint, NodeContainer>();
  /** Gone, but their names are still needed. */
  readonly #gone = new Map<bigint, { readonly identity: Identity; readonly untilMs: number }>();
  #labels: Labels = NO_LABELS;
  #isStarting = true;

  constructor(options: NodeContainersOptions) {
    this.#options = options;
  }

  get all(): readonly NodeContainer[] {
    return [...this.#byCgroup.values()];
  }

  get(cgroupId: bigint): NodeContainer | undefined {
    return this.#byCgroup.get(cgroupId);
  }

  identityOf(cgroupId: bigint): Identity | undefined {
    return this.#byCgroup.get(cgroupId)?.known.identity ?? this.#gone.get(cgroupId)?.identity;
  }

  /** Those of an earlier run that are not there any more ended while the producer was away: their last events may be due. */
  remember(saved: readonly SavedContainer[]): void {
    const { node } = this.#options;
    for (const { cgroupId, cgroupPath, identity } of saved) {
      const id = BigInt(cgroupId);
      if (this.#byCgroup.has(id)) continue;
      const place = { id: identity.ContainerID, runtime: 'unknown', cgroupPath } as const;
      const container = begin(
        id,
        { ...describeContainer(place, this.#labels, node), identity },
        undefined,
        true,
      );
      container.removedAtMs = this.#options.nowMs();
      this.#byCgroup.set(id, container);
    }
  }

  /** Other names for the containers that are there; and others may be containers now. */
  setLabels(labels: Labels): void {
    this.#labels = labels;
    for (const container of this.#byCgroup.values())
      if (container.removedAtMs === undefined)
        container.known = describeContainer(container.known.place, labels, this.#options.node);
    this.scan();
  }

  /** From now on, what is found has begun since. */
  started(): void {
    this.#isStarting = false;
  }

  /** Finds what is there; and which containers went away unseen. False where not all could be seen. */
  scan(): boolean {
    const seen = this.#look();
    if (seen === undefined) return false;
    for (const { id, path } of seen) this.created(id, path, undefined);
    const there = new Set(seen.map(({ id }) => id));
    for (const id of this.#byCgroup.keys()) if (!there.has(id)) this.removed(id);
    return true;
  }

  /** A cgroup was made; `atMicros` is when, where that was seen. */
  created(cgroupId: bigint, cgroupPath: string, atMicros: number | undefined): void {
    if (this.#byCgroup.has(cgroupId)) return;
    const known = containerAt(cgroupPath, this.#labels, this.#options.node);
    if (known === undefined) return;
    const container = begin(cgroupId, known, atMicros, this.#isStarting && atMicros === undefined);
    this.#gone.delete(cgroupId);
    this.#byCgroup.set(cgroupId, container);
    this.#options.onFound(container);
  }

  removed(cgroupId: bigint): void {
    const container = this.#byCgroup.get(cgroupId);
    if (container) container.removedAtMs ??= this.#options.nowMs();
  }

  /** Its cgroup may be there although it was missed; then it did not end. */
  isThereAfterAll(container: NodeContainer): boolean {
    try {
      if (this.#options.cgroups.idOf(container.known.place.cgroupPath) !== container.cgroupId) return false;
    } catch (error) {
      this.#options.onUnseen(error);
      return true;
    }
    container.removedAtMs = undefined;
    container.lastNumbers = undefined;
    return true;
  }

  #look(): readonly Cgroup[] | undefined {
    try {
      return [...this.#options.cgroups.walk()];
    } catch (error) {
      this.#options.onUnseen(error);
      return undefined;
    }
  }

  /** Its last report is out. */
  forget(cgroupId: bigint): void {
    const container = this.#byCgroup.get(cgroupId);
    if (container === undefined) return;
    this.#byCgroup.delete(cgroupId);
    const untilMs = this.#options.nowMs() + REMEMBERED_MS;
    this.#gone.set(cgroupId, { identity: container.known.identity, untilMs });
  }

  /** Lets go of names that nobody will ask for any more. */
  tidy(): void {
    const nowMs = this.#options.nowMs();
    for (const [cgroupId, { untilMs }] of this.#gone) if (untilMs <= nowMs) this.#gone.delete(cgroupId);
  }

  /** For the next run. */
  get saved(): SavedContainer[] {
    return this.all.map(({ cgroupId, known }) => ({
      cgroupId: String(cgroupId),
      cgroupPath: known.place.cgroupPath,
      identity: known.identity,
    }));
  }
}

function begin(
  cgroupId: bigint,
  known: Known,
  atMicros: number | undefined,
  wasThere: boolean,
): NodeContainer {
  return {
    cgroupId,
    known,
    createdAtMicros: atMicros,
    wasThere,
    enforced: undefined,
    facts: undefined,
    running: false,
    lastWithoutMicros: atMicros,
    inForceAtMicros: undefined,
    isLate: false,
    announced: false,
    refusedFor: undefined,
    removedAtMs: undefined,
    lastNumbers: undefined,
  };
}
