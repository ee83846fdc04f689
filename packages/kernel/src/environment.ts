// What the kernel source needs of the machine, looked at before anything is loaded, so that what is missing is named
// instead of showing as a failed system call, or as programs that are attached and never called.
import { existsSync, readFileSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { KernelError } from './errors.ts';

/** Who refuses what a rule blocks. */
export const ENFORCERS = ['bpflsm', 'apparmor'] as const;
export type Enforcer = (typeof ENFORCERS)[number];

const LSM_FILE = '/sys/kernel/security/lsm';
const MOUNT_SECURITYFS = 'Mount securityfs: mount -t securityfs securityfs /sys/kernel/security.';

const BPF_FS_MAGIC = 0xcafe4a11;
const CGROUP2_MAGIC = 0x63677270;

/**
 * Numbers in linux/capability.h. To look for paths in folders of any user, to see the namespaces and the roots of other
 * processes, and to load programs.
 */
const NEEDED_CAPABILITIES = {
  CAP_DAC_READ_SEARCH: 2,
  CAP_SYS_PTRACE: 19,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;
/** To load profiles. */
const NEEDED_FOR_APPARMOR = { CAP_MAC_ADMIN: 33 } as const;
/** By the one that stands for others as well. */
const INCLUDED_IN: Readonly<Record<string, number>> = {
  CAP_DAC_READ_SEARCH: 1 /* CAP_DAC_OVERRIDE */,
  CAP_PERFMON: 21 /* CAP_SYS_ADMIN */,
  CAP_BPF: 21,
};

/** Inode numbers of the first namespaces, the same in every kernel (include/linux/proc_ns.h). */
const HOST_PID_NAMESPACE = 0xeffffffc;
const HOST_CGROUP_NAMESPACE = 0xeffffffb;

export interface EnvironmentFacts {
  readonly btf: boolean;
  /** Content of /sys/kernel/security/lsm; undefined where it cannot be read. */
  readonly lsm: string | undefined;
  /** Content of /sys/kernel/security/lockdown; undefined where the kernel has none. */
  readonly lockdown: string | undefined;
  /** Type of the filesystem at the root of the cgroup hierarchy; undefined: none. */
  readonly cgroupFs: number | undefined;
  readonly pinFs: number | undefined;
  /** The folder for pins is the root of its filesystem. */
  readonly pinRoot: boolean;
  /** Effective capabilities. */
  readonly capabilities: bigint;
  /** Inode numbers of the namespaces that this process is in; undefined where they cannot be seen. */
  readonly pidNs: number | undefined;
  readonly cgroupNs: number | undefined;
}

export interface EnvironmentPlaces {
  readonly pinDir: string;
  readonly cgroupRoot: string;
}

export function readEnvironment({ pinDir, cgroupRoot }: EnvironmentPlaces): EnvironmentFacts {
  const status = textOf('/proc/self/status') ?? '';
  return {
    btf: existsSync('/sys/kernel/btf/vmlinux'),
    lsm: textOf(LSM_FILE),
    lockdown: textOf('/sys/kernel/security/lockdown'),
    cgroupFs: fsTypeOf(cgroupRoot),
    pinFs: fsTypeOf(pinDir),
    pinRoot: isMountedWhole(pinDir, textOf('/proc/self/mountinfo') ?? ''),
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`),
    pidNs: namespaceOf('pid'),
    cgroupNs: namespaceOf('cgroup'),
  };
}

/** Throws the first thing that is missing. */
export function checkEnvironment(
  facts: EnvironmentFacts,
  { pinDir, cgroupRoot }: EnvironmentPlaces,
  enforcer: Enforcer = 'bpflsm',
): void {
  const problem =
    capabilityProblem(facts, enforcer) ??
    kernelProblem(facts) ??
    namespaceProblem(facts) ??
    moduleProblem(facts, enforcer) ??
    mountProblem(facts, pinDir, cgroupRoot);
  if (problem) throw problem;
}

/**
 * BPF-LSM where the kernel asks BPF programs, else AppArmor where that is on. Throws where neither is.
 */
export function chooseEnforcer(lsm: string | undefined = textOf(LSM_FILE)): Enforcer {
  const modules = lsm?.trim().split(',') ?? [];
  if (modules.includes('bpf')) return 'bpflsm';
  if (modules.includes('apparmor')) return 'apparmor';
  throw new KernelError(
    'NO_ENFORCER',
    lsm === undefined
      ? `${LSM_FILE} cannot be read, so what could enforce is unknown`
      : `the active security modules are ${lsm.trim()}; neither bpf nor apparmor is among them`,
    lsm === undefined ? MOUNT_SECURITYFS : bootWith(modules, 'apparmor', 'bpf'),
  );
}

/**
 * `capability` is always on. `integrity` (IMA, EVM) is not among the active modules on kernels before 6.9 even where it is
 * on, and would be off without its name; a kernel passes over names that it does not know.
 */
function bootWith(modules: readonly string[], ...wanted: readonly string[]): string {
  const names = new Set([...modules, 'integrity', ...wanted]);
  names.delete('capability');
  return `Boot with lsm=${[...names].join(',')}.`;
}

function capabilityProblem({ capabilities }: EnvironmentFacts, enforcer: Enforcer): KernelError | undefined {
  const has = (number: number) => ((capabilities >> BigInt(number)) & 1n) === 1n;
  const needed =
    enforcer === 'apparmor' ? { ...NEEDED_CAPABILITIES, ...NEEDED_FOR_APPARMOR } : NEEDED_CAPABILITIES;
  const missing = Object.entries(needed)
    .filter(([name, number]) => !has(number) && !has(INCLUDED_IN[name] ?? number))
    .map(([name]) => name);
  if (missing.length === 0) return undefined;
  return new KernelError(
    'NO_PERMISSION',
    `the process lacks ${missing.join(' and ')}`,
    'Run as root, or grant the capabilities (securityContext.capabilities.add, or AmbientCapabilities= of the unit).',
  );
}

function kernelProblem({ btf, lockdown }: EnvironmentFacts): KernelError | undefined {
  if (!btf)
    return new KernelError(
      'NO_BTF',
      '/sys/kernel/btf/vmlinux is not there',
      'Use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of the distributions from 2021 on are.',
    );
  if (lockdown?.includes('[confidentiality]') === true)
    return new KernelError(
      'LOCKDOWN',
      'the kernel is locked down for confidentiality, which forbids BPF programs to read its memory',
      'Boot with lockdown=integrity or lockdown=none.',
    );
  return undefined;
}

/** Is the module active whose hooks refuse? Programs attach in any case. */
function moduleProblem({ lsm }: EnvironmentFacts, enforcer: Enforcer): KernelError | undefined {
  const code = enforcer === 'apparmor' ? 'NO_APPARMOR' : 'NO_BPF_LSM';
  const name = enforcer === 'apparmor' ? 'apparmor' : 'bpf';
  if (lsm === undefined)
    return new KernelError(
      code,
      `${LSM_FILE} cannot be read, so whether ${name} is asked is unknown`,
      MOUNT_SECURITYFS,
    );
  const modules = lsm.trim().split(',');
  if (modules.includes(name)) return undefined;
  return new KernelError(
    code,
    enforcer === 'apparmor'
      ? `the active security modules are ${lsm.trim()}; without apparmor no profile is enforced`
      : `the active security modules are ${lsm.trim()}; without bpf the programs attach and are never called`,
    bootWith(modules, name),
  );
}

/** Elsewhere, what other processes and cgroups are called is not what the programs see. */
function namespaceProblem({ pidNs, cgroupNs }: EnvironmentFacts): KernelError | undefined {
  if (pidNs !== HOST_PID_NAMESPACE)
    return new KernelError(
      'NO_HOST_NAMESPACE',
      'the process is not in the pid namespace of the host, so processes of containers are not to be seen',
      'Give it the pid namespace of the host: hostPID: true in a pod, --pid=host in Docker.',
    );
  if (cgroupNs !== HOST_CGROUP_NAMESPACE)
    return new KernelError(
      'NO_HOST_NAMESPACE',
      'the process is in a cgroup namespace of its own, where cgroups of containers have other paths',
      'Give it the cgroup namespace of the host: --cgroupns=host in Docker; in a pod, privileged: true or a runtime that shares it.',
    );
  return undefined;
}

function mountProblem(
  { cgroupFs, pinFs, pinRoot }: EnvironmentFacts,
  pinDir: string,
  cgroupRoot: string,
): KernelError | undefined {
  if (cgroupFs !== CGROUP2_MAGIC)
    return new KernelError(
      'NO_CGROUP2',
      `${cgroupRoot} is no cgroup v2 hierarchy`,
      'Boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 there.',
    );
  if (pinFs !== BPF_FS_MAGIC)
    return new KernelError(
      'NO_BPFFS',
      `${pinDir} is not on a BPF filesystem`,
      'Mount it: mount -t bpf bpf /sys/fs/bpf; in a container, mount the host path /sys/fs/bpf.',
    );
  if (pinRoot)
    return new KernelError(
      'BAD_PIN_DIR',
      `${pinDir} is the root of the BPF filesystem, where others pin their own`,
      `Set PIN_DIR to a folder in it, such as ${pinDir.replace(/\/+$/, '')}/alert-throttle; it is made where it is not there.`,
    );
  return undefined;
}

function namespaceOf(kind: 'pid' | 'cgroup'): number | undefined {
  try {
    return statSync(`/proc/self/ns/${kind}`).ino;
  } catch {
    return undefined;
  }
}

/** Is a whole filesystem mounted there, not only a folder of one? */
function isMountedWhole(path: string, mountinfo: string): boolean {
  const real = existsSync(path) ? realpathSync(path) : path;
  const last = mountinfo
    .split('\n')
    .map((line) => line.split(' '))
    .findLast(([, , , , mountPoint]) => mountPoint === real);
  return last?.[3] === '/';
}

/** Whether a filter decides on the system calls of this process. */
export function isUnderSeccomp(): boolean {
  return /^Seccomp:\s*2$/m.test(textOf('/proc/self/status') ?? '');
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Of the path, or of what exists of it. */
function fsTypeOf(path: string): number | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      return statfsSync(at).type;
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}
