// The kernel source as a whole: containers, policies, events, self-test and what each second needs, put together.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '@alert-throttle/policy';
import { reasonOf } from '../errors.ts';
import type { AlertSource, Clock, Logger, RecordBatch } from '../ports.ts';
import type { Cgroups } from './adapters/cgroups.ts';
import { factsOf, isThere, oldest, type ProcessFacts } from './adapters/processes.ts';
import type { SettledFiles } from './adapters/settled-files.ts';
import { Announcer } from './announcer.ts';
import { Arming } from './arming.ts';
import { Containers } from './containers.ts';
import { missingHooks } from './core/armed.ts';
import type { NodeIdentity } from './core/container.ts';
import type { KnownContainer } from './core/container-state.ts';
import { RingLedger } from './core/ring-ledger.ts';
import { Enforcement, type PostureConfig } from './enforcement.ts';
import { EventFeed } from './event-feed.ts';
import type { Kernel, Limits } from './kernel-port.ts';
import { followLabels } from './labels-file.ts';
import { Memory } from './memory.ts';
import type { KernelFigures } from './metrics.ts';
import type { KernelObserver } from './observer.ts';
import { PoliciesInForce } from './policies-in-force.ts';
import { PolicyFolder } from './policy-folder.ts';
import { RecordQueue } from './record-queue.ts';
import { SelfTest } from './self-test.ts';
import { Startup } from './startup.ts';
import { Upkeep } from './upkeep.ts';
import { Voice } from './voice.ts';

export interface KernelNodeOptions {
  readonly kernel: Kernel;
  readonly cgroups: Cgroups;
  readonly node: NodeIdentity;
  /** Mount namespace of the host. */
  readonly hostMntNs: number;
  /** In alerts of what was refused. */
  readonly enforcer: string;
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
}

/** Of limits: all containers have one; the self-test has its own, in which nothing is throttled. */
const DEFAULT_PROFILE = 0;
const DEFAULT_PROFILE_NAME = 'default';
const SELF_TEST_PROFILE = 15;
const UNTHROTTLED: Limits = { alertThrottling: false, maxAlertPerSec: 1, throttleSec: 1 };

const SELF_TEST_PERIOD_MS = 60_000;

export class KernelNode {
  readonly #options: KernelNodeOptions;
  readonly #ledger: RingLedger;
  readonly #queue: RecordQueue;
  readonly #memory: Memory;
  readonly #voice: Voice;
  readonly #announcer: Announcer;
  readonly #containers: Containers;
  readonly #enforcement: Enforcement;
  readonly #startup: Startup;
  readonly #feed: EventFeed;
  readonly #selfTest: SelfTest;
  readonly #arming: Arming;
  readonly #upkeep: Upkeep;
  readonly #inForce: PoliciesInForce;
  #policies: PolicyFolder | undefined;
  #labels: SettledFiles | undefined;
  #labelsText = '';
  #isStarted = false;

  constructor(options: KernelNodeOptions) {
    const { kernel, cgroups, node, enforcer, stateDir, clock, logger, observer, cursor } = options;
    const nowMs = (): number => clock.nowMs();
    this.#options = options;
    const remembered = () => ({
      // Until the start is over, a crash must not forget those of the run before.
      containers:
        this.#isStarted || !this.#memory.before.isSameBoot
          ? this.#containers.saved
          : this.#memory.before.containers,
      policies: this.#policies?.state.texts ?? this.#memory.before.policies,
      labels: this.#labelsText,
    });
    this.#memory = new Memory(stateDir, remembered, logger);
    const { enforcement, audit } = kernel.rings();
    const numbers = { enforcement: Number(enforcement.number), audit: Number(audit.number) };
    const life = `${this.#memory.bootId}/${kernel.ringsId}`;
    this.#ledger = new RingLedger(life, { stored: cursor, numbers });
    this.#queue = new RecordQueue(this.#ledger);
    this.#voice = new Voice({
      logger,
      observer,
      node,
      enforcer,
      nowMicros: () => clock.nowMicros(),
      emit: (alert) => this.#queue.alert(alert),
    });
    this.#announcer = new Announcer(this.#voice, () => clock.nowMicros());
    this.#containers = new Containers({
      cgroups,
      node,
      nowMs,
      onFound: (container) => this.#found(container),
      onUnseen: (error) => {
        logger.error({ error: reasonOf(error) }, `cgroups cannot be seen: ${reasonOf(error)}; looking again`);
        this.#upkeep.scanSoon();
      },
    });
    this.#enforcement = new Enforcement({
      kernel,
      descendants: (path) => cgroups.descendants(path),
      ...{ initOf, isThere },
      profile: DEFAULT_PROFILE,
      saveRules: (rules) => this.#memory.addRules(rules),
      onApplied: (container) => this.#announcer.applied(container),
      onMisleading: (container, misleading) => this.#announcer.misleading(container, misleading),
      onProblem: (container, problem) => this.#announcer.problem(container, problem),
      onRefused: (container, policies, reason) => this.#announcer.refused(container, policies, reason),
    });
    this.#startup = new Startup({
      initOf,
      hostMntNs: options.hostMntNs,
      nowMicros: () => clock.nowMicros(),
      onBuilt: (container, facts) => this.#enforcement.built(container, facts),
      onRunning: (container, facts, sawBefore) => {
        this.#enforcement.running(container, facts);
        this.#announcer.running(container, sawBefore);
      },
    });
    this.#selfTest = new SelfTest({
      kernel,
      cgroups,
      folder: join(stateDir, 'self-test'),
      profile: SELF_TEST_PROFILE,
      sleep: (ms) => clock.sleep(ms),
    });
    this.#feed = new EventFeed({
      queue: this.#queue,
      ledger: this.#ledger,
      rules: this.#memory.rules,
      containers: () => this.#containers,
      node,
      enforcer,
      profile: DEFAULT_PROFILE_NAME,
      isSelfTest: (event) => this.#selfTest.takes(event),
      onSkipped: () => this.#upkeep.scanSoon(),
      nowMs,
      observer,
    });
    this.#inForce = new PoliciesInForce(this.#enforcement, this.#voice);
    const missing = missingHooks(kernel.programs());
    this.#enforcement.setDisarmed(missing);
    this.#enforcement.setPostures(options.postures);
    this.#arming = new Arming({
      selfTest: this.#selfTest,
      missing,
      voice: this.#voice,
      nowMs,
      periodMs: SELF_TEST_PERIOD_MS,
    });
    this.#upkeep = new Upkeep({
      ...{ kernel, clock, logger },
      feed: this.#feed,
      queue: this.#queue,
      ledger: this.#ledger,
      containers: this.#containers,
      enforcement: this.#enforcement,
      memory: this.#memory,
      onGone: (container, hasSuccessor) => this.#gone(container, hasSuccessor),
    });

    function initOf(cgroupPath: string): ProcessFacts | undefined {
      try {
        const pid = oldest(cgroups.processes(cgroupPath));
        return pid === undefined ? undefined : factsOf(pid);
      } catch {
        // Looked at again soon.
        return undefined;
      }
    }
  }

  get source(): AlertSource<RecordBatch> {
    return this.#queue;
  }

  get figures(): KernelFigures {
    const { state } = this.#arming;
    return {
      containers: this.#containers.all.length,
      starting: this.#startup.size,
      waiting: this.#feed.waiting,
      policies: (this.#policies?.state.policies.length ?? 0) - this.#inForce.refused,
      policiesRefused: (this.#policies?.state.refused.size ?? 0) + this.#inForce.refused,
      armed: state?.armed ?? [],
      isArmed: this.#arming.isArmed,
    };
  }

  /** For /readyz and `alertctl kernel`. */
  get status(): Record<string, unknown> {
    const { armed, isArmed, ...figures } = this.figures;
    return {
      armed: isArmed,
      armedKinds: armed,
      disarmed: Object.fromEntries(this.#arming.state?.disarmed ?? []),
      ...figures,
      refused: Object.fromEntries(this.#policies?.state.refused ?? []),
    };
  }

  get isArmed(): boolean {
    return this.#arming.isArmed;
  }

  get isAlive(): boolean {
    return this.#upkeep.isAlive;
  }

  /** Policies and containers first; then the programs decide, and events are read. */
  start(): void {
    const { kernel, node, policyDir, labelsFile, limits, logger, stateDir } = this.#options;
    mkdirSync(stateDir, { recursive: true });
    for (const note of kernel.notes) logger.warn({}, note);
    kernel.setLimits(SELF_TEST_PROFILE, UNTHROTTLED);
    this.setLimits(limits);
    this.#upkeep.sweep();
    // Before any container: one that is enforced already must not be without its rules for a moment.
    this.#policies = new PolicyFolder({
      folder: policyDir,
      lastGood: this.#memory.before.policies,
      hasRulesInForce: kernel.containers().some(({ ruleSetDigest }) => ruleSetDigest !== undefined),
      voice: this.#voice,
      onPolicies: (policies) => this.#setPolicies(policies),
    });
    if (labelsFile !== undefined)
      this.#labels = followLabels({
        path: labelsFile,
        lastGood: this.#memory.before.labels,
        logger,
        onLabels: (labels, text) => {
          this.#labelsText = text;
          this.#containers.setLabels(labels);
          this.#applyAll();
        },
      });
    const isSeen = this.#containers.scan();
    this.#containers.started();
    // In another boot, cgroups have other ids; but who is not there any more is not there.
    const there = new Set(this.#containers.all.map(({ known }) => known.identity.ContainerID));
    const { before } = this.#memory;
    if (before.isSameBoot) this.#containers.remember(before.containers);
    else
      for (const { identity } of before.containers)
        if (!there.has(identity.ContainerID)) this.#queue.tombstone(identity.ContainerID, node.nodeId);
    // Nobody would ever let go of those that no memory has.
    const known = new Set(this.#containers.all.map(({ cgroupId }) => cgroupId));
    if (isSeen)
      for (const { cgroupId } of kernel.containers())
        if (!known.has(cgroupId)) kernel.removeContainer(cgroupId);
    kernel.activate();
    kernel.start((events, release) => {
      try {
        this.#feed.take(events, release);
      } catch (error) {
        this.#queue.fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#isStarted = true;
    this.#arming.start();
    this.#upkeep.start();
    logger.info(
      { adopted: kernel.adopted, containers: this.#containers.all.length },
      kernel.adopted
        ? 'kernel source: took over the programs that were enforcing already'
        : 'kernel source: programs attached and enforcing',
    );
  }

  setLimits(limits: Limits): void {
    this.#options.kernel.setLimits(DEFAULT_PROFILE, limits);
  }

  setPostures(postures: PostureConfig): void {
    this.#enforcement.setPostures(postures);
    this.#applyAll();
  }

  /** Programs and maps stay, and go on. */
  async close(): Promise<void> {
    const { kernel, logger } = this.#options;
    this.#upkeep.stop();
    this.#startup.close();
    await Promise.all([this.#arming.close(), this.#policies?.close(), this.#labels?.close()]);
    if (this.#isStarted) this.#memory.save();
    kernel.close();
    logger.info(
      {},
      'kernel source: ends; the programs stay attached, go on enforcing and counting, and the next run takes them ' +
        'over. `alertctl kernel detach` takes them down',
    );
  }

  #found(container: KnownContainer): void {
    this.#memory.changed();
    // At once: the kernel lets its rules begin with its first exec. What was there before is looked at first.
    if (!container.wasThere) this.#enforcement.apply(container);
    this.#startup.watch(container);
    if (container.enforced === undefined) this.#enforcement.apply(container);
    this.#feed.known(container.cgroupId);
  }

  #setPolicies(policies: readonly Policy[]): void {
    this.#inForce.set(policies);
    this.#applyAll();
  }

  #applyAll(): void {
    this.#memory.changed();
    for (const container of this.#containers.all) this.#enforcement.apply(container);
  }

  #gone(container: KnownContainer, hasSuccessor: boolean): void {
    this.#memory.changed();
    this.#startup.forget(container.cgroupId);
    this.#enforcement.remove(container);
    if (!hasSuccessor) this.#queue.tombstone(container.known.identity.ContainerID, this.#options.node.nodeId);
  }
}
