// Events of the kernel become records: each under the name of its own container, or waiting until that is known.
import type { Alert } from '@alert-throttle/alert';
import type { NodeContainers } from './node-containers.ts';
import { alertOfEvent, microsOf, type Identity } from './core/alert-of-event.ts';
import { nodeIdentity, strangerIdentity, type NodeIdentity } from './core/container.ts';
import { alertsLost, tampering, type Origin } from './core/node-events.ts';
import type { RingLedger } from './core/ring-ledger.ts';
import type { RuleBook } from './core/rule-book.ts';
import { thresholdAlert } from './core/threshold-alert.ts';
import { WaitingRoom } from './core/waiting-room.ts';
import type {
  AlertEvent,
  IntervalEvent,
  KernelEvent,
  LostEvent,
  Ring,
  TamperingEvent,
} from './kernel-port.ts';
import type { KernelObserver } from './observer.ts';
import type { RecordQueue } from './record-queue.ts';

/** Events that say something about a container, as opposed to those that say that there is one. */
type Report = AlertEvent | TamperingEvent | IntervalEvent | LostEvent;

export interface EventFeedOptions {
  readonly queue: RecordQueue;
  readonly ledger: RingLedger;
  readonly rules: RuleBook;
  readonly containers: () => NodeContainers;
  readonly node: NodeIdentity;
  /** In alerts of what was refused. */
  readonly enforcer: string;
  readonly profile: string;
  /** Takes the events of the self-test's cgroup; true where it is one of them. */
  readonly isSelfTest: (event: KernelEvent) => boolean;
  /** Containers may have come or gone without an event. */
  readonly onSkipped: (ring: Ring) => void;
  readonly nowMs: () => number;
  readonly observer: KernelObserver;
}

/** The ring stands still for so long: enough for a look at the cgroups, which comes each second then, to find it. */
const WAITING = { capacity: 1_000, patienceMs: 3_000 };

/** More is a clock that was set, or that has drifted. */
const CLOCK_NOISE_NS = 1_000_000n;

/** Events that came together, and leave their ring together. */
interface Batch {
  /** Of its events wait for their container. */
  waiting: number;
  /** All its events were looked at. */
  isTaken: boolean;
  readonly release: () => void;
}

interface Waiting {
  readonly event: Report;
  readonly batch: Batch;
}

export class EventFeed {
  readonly #options: EventFeedOptions;
  readonly #waiting = new WaitingRoom<Waiting>(WAITING);
  #realtimeOffsetNs = 0n;

  constructor(options: EventFeedOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Samples differ by a little each time. The one of before stays, so that one moment has one time in all its records. */
  setRealtimeOffset(offsetNs: bigint): void {
    const moved = offsetNs - this.#realtimeOffsetNs;
    if (moved > CLOCK_NOISE_NS || moved < -CLOCK_NOISE_NS) this.#realtimeOffsetNs = offsetNs;
  }

  take(events: readonly KernelEvent[], release: () => void): void {
    const batch: Batch = { waiting: 0, isTaken: false, release };
    for (const event of events) this.#take(event, batch);
    batch.isTaken = true;
    this.#sendOverdue();
    this.#releaseIfComplete(batch);
  }

  /** The container of this cgroup is known now. */
  known(cgroupId: bigint): void {
    const identity = this.#options.containers().identityOf(cgroupId);
    if (identity) this.#sendWaiting(cgroupId, identity);
  }

  tick(): void {
    this.#sendOverdue();
  }

  #releaseIfComplete(batch: Batch): void {
    if (batch.isTaken && batch.waiting === 0) this.#options.queue.releaseWhenStored(batch.release);
  }

  #take(event: KernelEvent, batch: Batch): void {
    const { ledger, observer, onSkipped } = this.#options;
    observer.event(event.type);
    if (event.type === 'malformed') return;
    for (const number of ledger.missing(event.ring, event.number)) this.#owedLoss(event.ring, number);
    const admitted = ledger.admit(event.ring, event.number);
    if (admitted === undefined) return;
    if (admitted.skipped > 0) {
      observer.skipped(event.ring, admitted.skipped);
      onSkipped(event.ring);
    }
    if (!this.#options.isSelfTest(event)) this.#route(event, batch);
  }

  #route(event: Exclude<KernelEvent, { type: 'malformed' }>, batch: Batch): void {
    const containers = this.#options.containers();
    switch (event.type) {
      case 'cgroupCreated':
        containers.created(event.container, event.path, microsOf(event.timeNs, this.#realtimeOffsetNs));
        return;
      case 'cgroupRemoved':
        containers.removed(event.container);
        return;
      default:
        this.#report(event, batch);
    }
  }

  #report(event: Report, batch: Batch): void {
    const { container } = event;
    // Of no one container: what newcomers share while the map is full, losses that nobody's.
    const isOfNode = container === 0n || (event.type !== 'lost' && 'overflow' in event && event.overflow);
    const identity = isOfNode
      ? nodeIdentity(this.#options.node)
      : this.#waiting.has(container)
        ? undefined
        : this.#options.containers().identityOf(container);
    if (identity) {
      this.#options.queue.alert(this.#alertOf(event, identity));
      return;
    }
    this.#options.ledger.waits(event.ring, event.number);
    batch.waiting += 1;
    this.#waiting.add(container, { event, batch }, this.#options.nowMs());
  }

  #alertOf(event: Report, identity: Identity): Alert {
    const { rules, enforcer, profile } = this.#options;
    const realtimeOffsetNs = this.#realtimeOffsetNs;
    switch (event.type) {
      case 'alert':
        return alertOfEvent(event, { identity, rule: rules.get(event.rule), realtimeOffsetNs, enforcer });
      case 'tampering':
        return tampering(this.#originOf(event, identity), event);
      case 'lost':
        return alertsLost(this.#originOf(event, identity), {
          alerts: event.count,
          first: microsOf(event.firstNs, realtimeOffsetNs),
          last: microsOf(event.lastNs, realtimeOffsetNs),
          counter: 'EventTimeMicros',
          reason: `${event.ring} ring full`,
        });
      default: {
        const ruleOf = (number: number) => rules.get(number);
        return thresholdAlert(event, { identity, ruleOf, realtimeOffsetNs, enforcer, profile });
      }
    }
  }

  #originOf(event: Report, identity: Identity): Origin {
    const { enforcer } = this.#options;
    return { identity, micros: microsOf(event.timeNs, this.#realtimeOffsetNs), enforcer };
  }

  /** An earlier run had seen it, ended while it waited, and the ring does not have it any more. */
  #owedLoss(ring: Ring, number: number): void {
    const { queue, node, enforcer, nowMs } = this.#options;
    const origin = { identity: nodeIdentity(node), micros: nowMs() * 1_000, enforcer };
    const lost = {
      alerts: 1,
      first: number,
      last: number,
      counter: `${ring} ring`,
      reason: 'producer ended',
    };
    queue.alert(alertsLost(origin, lost), { ring, number });
  }

  #sendOverdue(): void {
    for (const container of this.#waiting.overdue(this.#options.nowMs())) {
      this.#options.observer.stranger();
      this.#sendWaiting(container, strangerIdentity(this.#options.node, container));
    }
  }

  #sendWaiting(container: bigint, identity: Identity): void {
    for (const { event, batch } of this.#waiting.take(container)) {
      this.#options.queue.alert(this.#alertOf(event, identity), event);
      batch.waiting -= 1;
      this.#releaseIfComplete(batch);
    }
  }
}
