// What the kernel source needs of the machine, looked at before anything is loaded, so that what is missing is named
// instead of showing as a failed system call, or as programs that are attached and never called.
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { KernelError } from './errors.ts';

const BPF_FS_MAGIC = 0xcafe4a11;
const CGROUP2_MAGIC = 0x63677270;

/**
 * Numbers in linux/capability.h. To see the namespaces and the roots of other processes, to follow links in folders that
 * containers keep to themselves, and to load programs.
 */
const NEEDED_CAPABILITIES = {
  CAP_SYS_PTRACE: 19,
  CAP_DAC_READ_SEARCH: 2,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;
const CAP_SYS_ADMIN = 21;
const CAP_DAC_OVERRIDE = 1;
/** What else would do. */
const INCLUDED_IN: Readonly<Record<string, number>> = {
  CAP_DAC_READ_SEARCH: CAP_DAC_OVERRIDE,
  CAP_PERFMON: CAP_SYS_ADMIN,
  CAP_BPF: CAP_SYS_ADMIN,
};

export interface EnvironmentFacts {
  readonly btf: boolean;
  /** Content of /sys/kernel/security/lsm; undefined where it cannot be read. */
  readonly lsm: string | undefined;
  /** Content of /sys/kernel/security/lockdown; undefined where the kernel has none. */
  readonly lockdown: string | undefined;
  /** Type of the filesystem at the root of the cgroup hierarchy; undefined: none. */
  readonly cgroupFs: number | undefined;
  readonly pinFs: number | undefined;
  /** Effective capabilities. */
  readonly capabilities: bigint;
}

export interface EnvironmentPlaces {
  readonly pinDir: string;
  readonly cgroupRoot: string;
}

export function readEnvironment({ pinDir, cgroupRoot }: EnvironmentPlaces): EnvironmentFacts {
  const status = textOf('/proc/self/status') ?? '';
  return {
    btf: existsSync('/sys/kernel/btf/vmlinux'),
    lsm: textOf('/sys/kernel/security/lsm'),
    lockdown: textOf('/sys/kernel/security/lockdown'),
    cgroupFs: fsTypeOf(cgroupRoot),
    pinFs: fsTypeOf(pinDir),
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`),
  };
}

/** Throws the first thing that is missing. */
export function checkEnvironment(facts: EnvironmentFacts, { pinDir, cgroupRoot }: EnvironmentPlaces): void {
  const problem = capabilityProblem(facts) ?? kernelProblem(facts) ?? mountProblem(facts, pinDir, cgroupRoot);
  if (problem) throw problem;
}

function capabilityProblem({ capabilities }: EnvironmentFacts): KernelError | undefined {
  const has = (number: number) => ((capabilities >> BigInt(number)) & 1n) === 1n;
  const missing = Object.entries(NEEDED_CAPABILITIES)
    .filter(([name, number]) => !has(number) && !has(INCLUDED_IN[name] ?? number))
    .map(([name]) => name);
  if (missing.length === 0) return undefined;
  return new KernelError(
    'NO_PERMISSION',
    `the process lacks ${missing.join(' and ')}`,
    'Run as root, or grant the capabilities (securityContext.capabilities.add, or AmbientCapabilities= of the unit).',
  );
}

function kernelProblem({ btf, lsm, lockdown }: EnvironmentFacts): KernelError | undefined {
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
  if (lsm === undefined)
    return new KernelError(
      'NO_BPF_LSM',
      '/sys/kernel/security/lsm cannot be read, so whether BPF programs are asked is unknown',
      'Mount securityfs: mount -t securityfs securityfs /sys/kernel/security.',
    );
  if (!lsm.trim().split(',').includes('bpf'))
    return new KernelError(
      'NO_BPF_LSM',
      `the active security modules are ${lsm.trim()}; without bpf the programs attach and are never called`,
      `Boot with lsm=${[...lsm.trim().split(','), 'bpf'].filter((name) => name !== 'capability').join(',')}.`,
    );
  return undefined;
}

function mountProblem(
  { cgroupFs, pinFs }: EnvironmentFacts,
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
  return undefined;
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
