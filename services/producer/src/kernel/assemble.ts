// Puts the kernel source together: which part tells which. Nothing happens before `begin`.
import { join } from 'node:path';
import { reasonOf } from '../errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Cgroups } from './adapters/cgroups.ts';
import { Freezer } from './adapters/freezer.ts';
import { ChildProber, type Prober } from './adapters/prober.ts';
import { isThere, oldest, type ProcessFacts } from './adapters/processes.ts';
import { SELF_TEST_PROFILE_NAME, type Confinement } from './apparmor/confinement.ts';
import { Announcer } from './announcer.ts';
import { Arming } from './arming.ts';
import { APPARMOR_HOOKS, BPF_LSM_HOOKS, missingHooks } from './core/armed.ts';
import { ClockHistory } from './core/clock-history.ts';
import type { NodeIdentity } from './core/container.ts';
import type { NodeContainer } from './core/node-container.ts';
import { RingLedger } from './core/ring-ledger.ts';
import { Enforcement, type PostureConfig } from './enforcement.ts';
import { EventFeed } from './event-feed.ts';
import { Gate } from './gate.ts';
import type { KernelPort, Limits } from './kernel-port.ts';
import { Memory, type Remembered } from './memory.ts';
import { NodeChanges } from './node-changes.ts';
import { NodeContainers } from './node-containers.ts';
import type { KernelObserver } from './observer.ts';
import { PoliciesInForce } from './policies-in-force.ts';
import { RecordQueue } from './record-queue.ts';
import { SelfTest } from './self-test.ts';
import { Startup } from './startup.ts';
import { Upkeep } from './upkeep.ts';
import { Voice } from './voice.ts';

export interface KernelNodeOptions {
  readonly kernel: KernelPort;
  readonly cgroups: Cgroups;
  readonly node: NodeIdentity;
  /** Mount namespace of the host. */
  readonly hostMntNs: number;
  /** New containers are held until their rules are in force. */
  readonly gate: boolean;
  /** In alerts of what was refused. */
  readonly enforcer: string;
  /** Where AppArmor enforces; its `kernel` is the one above. */
  readonly confinement?: Confinement;
  /** What must survive a restart lies here. */
  readonly stateDir: string;
  readonly policyDir: string;
  readonly labelsFile: string | undefined;
  readonly limits: Limits;
  readonly postures: PostureConfig;
  /** What the spool remembers of this source. */
  readonly cursor: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: KernelObserver;
  /** By default a process of its own, which may hang. */
  readonly prober?: Prober;
}

/** Of limits: all containers have one; the self-test has its own, in which nothing is throttled. */
export const DEFAULT_PROFILE = 0;
export const SELF_TEST_PROFILE = 15;
const DEFAULT_PROFILE_NAME = 'default';

const SELF_TEST_PERIOD_MS = 60_000;

/** In the folder of the state: which cgroups are frozen. */
export const FROZEN = 'frozen';

export interface Parts {
  readonly memory: Memory;
  readonly times: ClockHistory;
  readonly prober: Prober;
  readonly ledger: RingLedger;
  readonly queue: RecordQueue;
  readonly voice: Voice;
  readonly containers: NodeContainers;
  readonly enforcement: Enforcement;
  readonly startup: Startup;
  readonly gate: Gate;
  readonly feed: EventFeed;
  readonly arming: Arming;
  readonly upkeep: Upkeep;
  readonly inForce: PoliciesInForce;
  readonly changes: NodeChanges;
  readonly confinement: Confinement | undefined;
}

/** `remembered`: what the next run is to know of this one, apart from its containers. */
export function assemble(
  options: KernelNodeOptions,
  remembered: (
    parts: Pick<Parts, 'containers' | 'enforcement' | 'times'>,
    before: Memory['before'],
  ) => Remembered,
): Parts {
  const { kernel, confinement, cgroups, node, enforcer, stateDir, clock, logger, observer, cursor } = options;
  const nowMs = (): number => clock.nowMs();
  const nowMicros = (): number => clock.nowMicros();
  const memory: Memory = new Memory(
    stateDir,
    () => remembered({ containers, enforcement, times }, memory.before),
    logger,
  );
  const { before } = memory;
  const times = new ClockHistory(before.isSameBoot ? before.clock : []);
  const prober = options.prober ?? new ChildProber({ nowMs });
  const { enforcement: enforcementRing, audit } = kernel.rings();
  const numbers = { enforcement: Number(enforcementRing.number), audit: Number(audit.number) };
  const ledger = new RingLedger(`${memory.bootId}/${kernel.ringsId}`, { stored: cursor, numbers });
  const queue = new RecordQueue(ledger);
  const voice = new Voice({
    ...{ logger, observer, node, enforcer, nowMicros },
    emit: (alert) => queue.alert(alert),
  });
  const announcer = new Announcer(voice, nowMicros);
  const containers: NodeContainers = new NodeContainers({
    ...{ cgroups, node, nowMs },
    onFound: (container) => changes.found(container),
    onUnseen: (error) => {
      logger.error({ error: reasonOf(error) }, `cgroups cannot be seen: ${reasonOf(error)}; looking again`);
      upkeep.scanSoon();
    },
  });
  confinement?.attach({ containers, cgroups, voice });
  const enforcement: Enforcement = new Enforcement({
    kernel,
    descendants: (path) => cgroups.descendants(path),
    ...{ prober, factsOf, isThere },
    profile: DEFAULT_PROFILE,
    saveRules: (rules) => memory.addRules(rules),
    onApplied: (container) => announcer.applied(container),
    onMisleading: (container, misleading) => announcer.misleading(container, misleading),
    onKept: () => memory.changed(),
    onUnanswered: (container) => announcer.unanswered(container),
    onProblem: (container, problem) => announcer.problem(container, problem),
    onRefused: (container, policies, reason) => announcer.refused(container, policies, reason),
  });
  const freezer = new Freezer(cgroups, join(stateDir, FROZEN));
  const gate = new Gate({ isOn: options.gate, freezer, voice, nowMicros });
  const startup = new Startup({
    ...{ factsOf, nowMicros },
    hostMntNs: options.hostMntNs,
    onBuilt: (container) =>
      enforcement.hasPaths(container)
        ? gate.hold(container, () => enforcement.built(container))
        : enforcement.built(container),
    onRunning: async (container, sawBefore) => {
      await enforcement.running(container);
      announcer.running(container, sawBefore);
    },
  });
  const selfTest = new SelfTest({
    ...{ kernel, cgroups },
    folder: join(stateDir, 'self-test'),
    apparmorProfile: confinement && SELF_TEST_PROFILE_NAME,
    profile: SELF_TEST_PROFILE,
    bootNs: () => BigInt(clock.nowMicros()) * 1_000n - kernel.realtimeOffsetNs(),
    sleep: (ms) => clock.sleep(ms),
  });
  const feed = new EventFeed({
    ...{ queue, ledger, node, enforcer, nowMs, observer },
    micros: (timeNs) => times.micros(timeNs),
    rules: memory.rules,
    containers: () => containers,
    profile: DEFAULT_PROFILE_NAME,
    isSelfTest: (event) => selfTest.takes(event),
    onSkipped: () => upkeep.scanSoon(),
  });
  const inForce = new PoliciesInForce(enforcement, voice);
  const changes = new NodeChanges({
    memory,
    announcer,
    containers,
    enforcement,
    startup,
    feed,
    queue,
    inForce,
    node,
    confinement,
  });
  const missing = missingHooks(kernel.programs(), confinement ? APPARMOR_HOOKS : BPF_LSM_HOOKS);
  enforcement.setDisarmed(missing);
  enforcement.setPostures(options.postures);
  const arming = new Arming({ selfTest, missing, voice, nowMs, periodMs: SELF_TEST_PERIOD_MS });
  const upkeep: Upkeep = new Upkeep({
    ...{ kernel, clock, logger, feed, queue, ledger, containers, enforcement, memory, times },
    onGone: (container, hasSuccessor) => changes.gone(container, hasSuccessor),
  });
  return {
    ...{ memory, times, prober, ledger, queue, voice, containers, enforcement, startup, gate, feed },
    ...{ arming, upkeep, inForce, changes, confinement },
  };

  async function factsOf({ cgroupId, known }: NodeContainer): Promise<ProcessFacts | undefined> {
    try {
      const pid = oldest(cgroups.processes(known.place.cgroupPath));
      return pid === undefined ? undefined : await prober.facts(cgroupId, pid);
    } catch {
      // Looked at again soon.
      return undefined;
    }
  }
}
