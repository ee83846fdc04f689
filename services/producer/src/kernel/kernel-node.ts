// The kernel source as a whole: containers, policies, events, self-test and what each second needs, put together.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledRule, Policy } from '@alert-throttle/policy';
import { reasonOf } from '../errors.ts';
import type { AlertSource, Clock, Logger, RecordBatch } from '../ports.ts';
import type { Cgroups } from './adapters/cgroups.ts';
import { factsOf, namespaceOf, oldest, type ProcessFacts } from './adapters/processes.ts';
import type { SettledFiles } from './adapters/settled-files.ts';
import { StateFile, type SavedState } from './adapters/state-file.ts';
import { Announcer } from './announcer.ts';
import { Arming } from './arming.ts';
import { Containers } from './containers.ts';
import { missingHooks } from './core/armed.ts';
import type { NodeIdentity } from './core/container.ts';
import type { KnownContainer } from './core/container-state.ts';
import { policyRefused } from './core/node-events.ts';
import { RingLedger } from './core/ring-ledger.ts';
import { RuleBook } from './core/rule-book.ts';
import { Enforcement, type PostureConfig } from './enforcement.ts';
import { EventFeed } from './event-feed.ts';
import { bidFarewell } from './farewell.ts';
import type { Kernel, Limits } from './kernel-port.ts';
import { followLabels } from './labels-file.ts';
import type { KernelFigures } from './metrics.ts';
import type { KernelObserver } from './observer.ts';
import { PolicyFolder } from './policy-folder.ts';
import { RecordQueue } from './record-queue.ts';
import { SelfTest } from './self-test.ts';
import { Startup } from './startup.ts';
import { Voice } from './voice.ts';

export interface KernelNodeOptions {
  readonly kernel: Kernel;
  readonly cgroups: Cgroups;
  readonly node: NodeIdentity;
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

const TICK_MS = 1_000;
const SELF_TEST_PERIOD_MS = 60_000;
/** Names of files change their meaning seldom; each container's are looked at so often. */
const RESOLVE_AGAIN_TICKS = 10;
/** Containers whose coming or going was missed are found so often. */
const SCAN_TICKS = 30;

export class KernelNode {
  readonly #options: KernelNodeOptions;
  readonly #ledger: RingLedger;
  readonly #queue: RecordQueue;
  readonly #rules: RuleBook;
  readonly #voice: Voice;
  readonly #announcer: Announcer;
  readonly #containers: Containers;
  readonly #enforcement: Enforcement;
  readonly #startup: Startup;
  readonly #feed: EventFeed;
  readonly #selfTest: SelfTest;
  readonly #arming: Arming;
  readonly #stateFile: StateFile;
  readonly #saved: SavedState;
  readonly #bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  #policies: PolicyFolder | undefined;
  #labels: SettledFiles | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #tickedAtMs: number;
  #isDirty = false;
  #mustScan = false;
  #unenforceable = new Set<string>();
  #isStarted = false;

  constructor(options: KernelNodeOptions) {
    const { kernel, cgroups, node, enforcer, stateDir, clock, logger, observer, cursor } = options;
    const nowMs = (): number => clock.nowMs();
    this.#options = options;
    this.#tickedAtMs = clock.nowMs();
    this.#stateFile = new StateFile(stateDir);
    this.#saved = this.#stateFile.load((reason) =>
      logger.error({ path: this.#stateFile.path }, `${this.#stateFile.path} cannot be used: ${reason}`),
    );
    this.#rules = new RuleBook(this.#saved.rules);
    this.#ledger = new RingLedger(this.#bootId, { stored: cursor, takenOver: kernel.adopted });
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
    });
    this.#enforcement = new Enforcement({
      kernel,
      descendants: (path) => cgroups.descendants(path),
      profile: DEFAULT_PROFILE,
      saveRules: (rules) => this.#saveRules(rules),
      onApplied: (container) => this.#announcer.applied(container),
      onMisleading: (container, misleading) => this.#announcer.misleading(container, misleading),
      onRefused: (container, policies, reason) => this.#announcer.refused(container, policies, reason),
    });
    this.#startup = new Startup({
      initOf,
      hostMntNs: namespaceOf(1, 'mnt'),
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
      rules: this.#rules,
      containers: () => this.#containers,
      node,
      enforcer,
      profile: DEFAULT_PROFILE_NAME,
      isSelfTest: (event) => this.#selfTest.takes(event),
      onSkipped: () => (this.#mustScan = true),
      nowMs,
      observer,
    });
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

    function initOf(cgroupPath: string): ProcessFacts | undefined {
      const pid = oldest(cgroups.processes(cgroupPath));
      return pid === undefined ? undefined : factsOf(pid);
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
      policies: (this.#policies?.state.policies.length ?? 0) - this.#unenforceable.size,
      policiesRefused: (this.#policies?.state.refused.size ?? 0) + this.#unenforceable.size,
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

  /** The second's work is done, also while nothing can be stored. */
  get isAlive(): boolean {
    return !this.#isStarted || this.#options.clock.nowMs() - this.#tickedAtMs < 15 * TICK_MS;
  }

  /** Policies and containers first; then the programs decide, and events are read. */
  start(): void {
    const { kernel, node, policyDir, labelsFile, limits, logger, stateDir } = this.#options;
    mkdirSync(stateDir, { recursive: true });
    for (const note of kernel.notes) logger.warn({}, note);
    kernel.setLimits(SELF_TEST_PROFILE, UNTHROTTLED);
    this.setLimits(limits);
    kernel.sweep();
    this.#feed.setRealtimeOffset(kernel.realtimeOffsetNs());
    if (labelsFile !== undefined)
      this.#labels = followLabels({
        path: labelsFile,
        logger,
        onLabels: (labels) => {
          this.#containers.setLabels(labels);
          this.#applyAll();
        },
      });
    this.#policies = new PolicyFolder({
      folder: policyDir,
      lastGood: this.#saved.policies,
      voice: this.#voice,
      onPolicies: (policies) => this.#setPolicies(policies),
    });
    this.#containers.scan();
    // In another boot, cgroups have other ids; but who is not there any more is not there.
    const there = new Set(this.#containers.all.map(({ known }) => known.identity.ContainerID));
    if (this.#saved.bootId === this.#bootId) this.#containers.remember(this.#saved.containers);
    else
      for (const { identity } of this.#saved.containers)
        if (!there.has(identity.ContainerID)) this.#queue.tombstone(identity.ContainerID, node.nodeId);
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
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
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
    clearInterval(this.#timer);
    this.#startup.close();
    await Promise.all([this.#arming.close(), this.#policies?.close(), this.#labels?.close()]);
    if (this.#isStarted) this.#save();
    kernel.close();
    logger.info(
      {},
      'kernel source: ends; the programs stay attached, go on enforcing and counting, and the next run takes them ' +
        'over. `alertctl kernel detach` takes them down',
    );
  }

  #found(container: KnownContainer): void {
    this.#isDirty = true;
    // At once: the kernel lets its rules begin with its first exec. What was there before is looked at first.
    if (container.createdAtMicros !== undefined) this.#enforcement.apply(container);
    this.#startup.watch(container);
    if (container.enforced === undefined) this.#enforcement.apply(container);
    this.#feed.known(container.cgroupId);
  }

  #setPolicies(policies: readonly Policy[]): void {
    this.#isDirty = true;
    this.#enforcement.setPolicies(policies);
    const refused = new Set<string>();
    for (const [{ name, namespace }, reason] of this.#enforcement.unenforceable) {
      const key = `${namespace}/${name}`;
      refused.add(key);
      if (this.#unenforceable.has(key)) continue;
      this.#voice.observer.refused('policy');
      this.#voice.logger.error({ policy: key }, `policy ${key} is not in force: ${reason}`);
      this.#voice.say((origin) => policyRefused(origin, name, `not in force: ${reason}`));
    }
    this.#unenforceable = refused;
    this.#applyAll();
  }

  #applyAll(): void {
    this.#isDirty = true;
    for (const container of this.#containers.all) this.#enforcement.apply(container);
  }

  #tick(): void {
    const { kernel, clock, logger } = this.#options;
    this.#ticks += 1;
    this.#tickedAtMs = clock.nowMs();
    try {
      kernel.sweep();
      this.#feed.setRealtimeOffset(kernel.realtimeOffsetNs());
      this.#feed.tick();
      // While events are held up, containers that come and go are seen only by looking.
      if (this.#mustScan || this.#queue.isHeldUp || this.#ticks % SCAN_TICKS === 0) this.#scan();
      this.#resolveAgain();
      bidFarewell({
        kernel,
        containers: this.#containers,
        marks: () => this.#ledger.marks,
        nowMs: () => clock.nowMs(),
        onGone: (container, hasSuccessor) => this.#gone(container, hasSuccessor),
      });
      this.#containers.tidy();
      if (this.#isDirty) this.#save();
    } catch (error) {
      logger.error({ error: reasonOf(error) }, `kernel source: ${reasonOf(error)}`);
    }
  }

  #scan(): void {
    this.#mustScan = false;
    this.#containers.scan();
  }

  /** A few containers a second, so that the time for it is spread. */
  #resolveAgain(): void {
    const slot = this.#ticks % RESOLVE_AGAIN_TICKS;
    for (const container of this.#containers.all)
      if (Number(container.cgroupId % BigInt(RESOLVE_AGAIN_TICKS)) === slot)
        this.#enforcement.apply(container);
  }

  #gone(container: KnownContainer, hasSuccessor: boolean): void {
    this.#isDirty = true;
    this.#startup.forget(container.cgroupId);
    this.#enforcement.remove(container);
    if (!hasSuccessor) this.#queue.tombstone(container.known.identity.ContainerID, this.#options.node.nodeId);
  }

  #saveRules(rules: readonly CompiledRule[]): void {
    if (this.#rules.add(rules)) this.#save();
  }

  #save(): void {
    this.#isDirty = false;
    this.#stateFile.save({
      bootId: this.#bootId,
      rules: this.#rules.all,
      containers: this.#containers.saved,
      policies: this.#policies?.state.texts ?? this.#saved.policies,
    });
  }
}
