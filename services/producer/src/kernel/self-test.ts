// Proves that the programs enforce: a process in a cgroup of its own tries a forbidden open, unlink, exec, socket and
// capability; each has to be refused, and the event of each has to arrive.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { compileRuleSet, type Kind, type PolicyRule } from '@alert-throttle/policy';
import { reasonOf } from '../errors.ts';
import type { Cgroups } from './adapters/cgroups.ts';
import type { KernelPort, KernelEvent, Operation, RuleSetHandle } from './kernel-port.ts';

export const SELF_TEST_CGROUP = '/alert-throttle-self-test';

/** What is tried, and which kind of rules it proves. */
const ATTEMPTS = {
  open: 'file',
  unlink: 'file',
  exec: 'process',
  socketCreate: 'network',
  capable: 'capability',
} as const satisfies Partial<Record<Operation, Kind>>;
type Attempt = keyof typeof ATTEMPTS;
const ATTEMPT_NAMES = Object.keys(ATTEMPTS) as Attempt[];

export interface SelfTestOptions {
  readonly kernel: Pick<
    KernelPort,
    'installRuleSet' | 'registerContainer' | 'removeContainer' | 'removeRuleSet'
  >;
  readonly cgroups: Cgroups;
  /** A folder of the producer's own. */
  readonly folder: string;
  /** Under which its process is put, where AppArmor enforces. */
  readonly apparmorProfile?: string | undefined;
  /** Of limits, without throttling: each attempt has to be reported. */
  readonly profile: number;
  /** Now, in the kernel's time. */
  readonly bootNs: () => bigint;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Why rules of a kind are not enforced; empty: all of them are. */
export type Failures = ReadonlyMap<Kind, string>;

const CHILD_TIMEOUT_MS = 60_000;
const EVENT_TIMEOUT_MS = 5_000;
const EVENT_POLL_MS = 20;

export class SelfTest {
  readonly #options: SelfTestOptions;
  readonly #seen = new Set<Operation>();
  /** Cgroups that it has had: their events are nobody else's, however late they come. */
  readonly #own = new Set<bigint>();
  /** Since boot: what happened before is of an earlier run, and proves nothing of this one. */
  #sinceNs = 0n;
  #cgroupId: bigint | undefined;
  #ruleSet: RuleSetHandle | undefined;

  constructor(options: SelfTestOptions) {
    this.#options = options;
  }

  /** Whether the event is of the self-test, and hence nobody else's business. */
  takes(event: KernelEvent): boolean {
    if (event.type === 'malformed' || !this.#own.has(event.container)) return false;
    if (event.type === 'alert' && event.result < 0 && event.timeNs >= this.#sinceNs)
      this.#seen.add(event.operation);
    return true;
  }

  /** Never rejects. */
  async run(): Promise<Failures> {
    try {
      const paths = this.#prepare();
      this.#seen.clear();
      this.#sinceNs = this.#options.bootNs();
      const outcomes = await this.#runChild(paths);
      await this.#waitForEvents();
      return this.#failures(outcomes);
    } catch (error) {
      const reason = `the self-test could not run: ${reasonOf(error)}`;
      return new Map(Object.values(ATTEMPTS).map((kind) => [kind, reason]));
    }
  }

  close(): void {
    const { kernel } = this.#options;
    if (this.#cgroupId !== undefined) kernel.removeContainer(this.#cgroupId);
    if (this.#ruleSet) kernel.removeRuleSet(this.#ruleSet);
    this.#cgroupId = undefined;
    this.#ruleSet = undefined;
  }

  #prepare(): string[] {
    const { kernel, cgroups, folder, profile } = this.#options;
    mkdirSync(folder, { recursive: true });
    makeCgroup(cgroups.folder(SELF_TEST_CGROUP));
    // The programs see real paths.
    const real = realpathSync(folder);
    const [open, unlink, exec] = ['open', 'unlink', 'exec'].map((name) => join(real, name));
    const paths = [open ?? '', unlink ?? '', exec ?? ''];
    for (const path of paths) writeFileSync(path, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const cgroupId = cgroups.idOf(SELF_TEST_CGROUP);
    if (cgroupId === undefined) throw new Error(`${cgroups.folder(SELF_TEST_CGROUP)} is gone`);
    if (cgroupId === this.#cgroupId) return paths;
    this.close();
    this.#ruleSet = kernel.installRuleSet(rulesFor(paths));
    kernel.registerContainer({
      cgroupId,
      descendants: () => [],
      ruleSet: this.#ruleSet,
      profile,
      starting: false,
      privileged: true,
      pidNs: 0,
      mntNs: 0,
      rootDev: 0n,
      rootIno: 0n,
    });
    this.#cgroupId = cgroupId;
    this.#own.add(cgroupId);
    return paths;
  }

  /**
   * Joins the cgroup as a shell, leaves the host's mounts, in which nothing is judged, and becomes Node. The profile comes
   * last: under one that refuses a capability, unshare could not hand that on.
   */
  async #runChild(paths: readonly string[]): Promise<Record<string, unknown>> {
    const procs = join(this.#options.cgroups.folder(SELF_TEST_CGROUP), 'cgroup.procs');
    const [way, otherwise] = waysOut(readFileSync('/proc/self/status', 'utf8'));
    const { apparmorProfile } = this.#options;
    const confine =
      apparmorProfile === undefined
        ? ''
        : `echo "exec ${apparmorProfile}" > /proc/self/attr/apparmor/exec && `;
    const inside = `-- /bin/sh -c '${confine}exec "$0" "$@"' "$@"`;
    const script = `unshare=$1; shift; echo $$ > "$0" && {
      "$unshare" ${way} true 2>/dev/null && exec "$unshare" ${way} ${inside} || exec "$unshare" ${otherwise} ${inside}
    }`;
    const child = spawn(
      '/bin/sh',
      [
        ...['-c', script, procs, findProgram('unshare')],
        ...[process.execPath, join(import.meta.dirname, 'self-test-child.ts'), ...paths],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], timeout: CHILD_TIMEOUT_MS },
    );
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-1_000)));
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, by) => resolve([status, by]));
    });
    if (code !== 0) throw new Error(`its process ended with ${code ?? signal ?? ''}: ${errors.trim()}`);
    return JSON.parse(out) as Record<string, unknown>;
  }

  async #waitForEvents(): Promise<void> {
    for (let waitedMs = 0; waitedMs < EVENT_TIMEOUT_MS; waitedMs += EVENT_POLL_MS) {
      if (ATTEMPT_NAMES.every((name) => this.#seen.has(name))) return;
      await this.#options.sleep(EVENT_POLL_MS);
    }
  }

  #failures(outcomes: Record<string, unknown>): Failures {
    const failures = new Map<Kind, string>();
    for (const name of ATTEMPT_NAMES) {
      const expected = name === 'capable' ? 'EPERM' : 'EACCES';
      const outcome = outcomes[name];
      if (outcome !== expected)
        failures.set(ATTEMPTS[name], `${name} ended with ${String(outcome)}, not ${expected}`);
      else if (!this.#seen.has(name))
        failures.set(ATTEMPTS[name], `${name} was refused, but its event did not arrive`);
    }
    return failures;
  }
}

function rulesFor([open = '', unlink = '', exec = '']: readonly string[]) {
  const rule = (kind: Kind, match: PolicyRule['match'], path: string): PolicyRule => ({
    kind,
    match,
    path,
    action: 'Block',
    readOnly: false,
    ownerOnly: false,
    severity: '1',
    tags: [],
    message: '',
  });
  const rules = [
    rule('file', 'exact', open),
    rule('file', 'exact', unlink),
    rule('process', 'exact', exec),
    // By its type: AppArmor knows no protocols.
    rule('network', 'protocol', 'dgram'),
    rule('capability', 'capability', 'setgid'),
  ];
  const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };
  const postures = { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' } as const;
  const policy = { name: 'self-test', namespace: 'alert-throttle', selector, rules };
  return compileRuleSet([policy], { postures, audited: false });
}

const CAP_SETGID = 6n;

/**
 * Options of unshare for a mount namespace, the better ones first. A capability that the process lacks is refused before
 * any enforcer is asked, which proves nothing: in a user namespace of its own, which takes no rights, it has all of them.
 * (Not with root mapped into it: that takes CAP_SETFCAP.) But there it cannot read files of others that are closed.
 */
export function waysOut(status: string): readonly [string, string] {
  const plain = '--mount';
  const user = '--user --keep-caps --mount';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (effective >> CAP_SETGID) & 1n ? [plain, user] : [user, plain];
}

/** The root of the hierarchy is closed to its owner too, unless that may write anywhere. */
function makeCgroup(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const hint = 'make it beforehand, as root, or give CAP_DAC_OVERRIDE';
    throw new Error(`${reasonOf(error)}: ${hint}`, { cause: error });
  }
}

/** By its path: a shell may have a smaller one of its own, as BusyBox has. */
function findProgram(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? name;
}
