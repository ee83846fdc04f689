// Settings become the kernel source. What the machine lacks is one error that names it and what would help.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { chooseEnforcer, KernelError, openKernel, type Enforcer } from '@alert-throttle/kernel';
import type { ProducerConfig } from '../config.ts';
import { ProducerError, reasonOf } from '../errors.ts';
import type { Clock, Logger, Spool } from '../ports.ts';
import { cgroup2Mount, Cgroups } from './adapters/cgroups.ts';
import { Freezer } from './adapters/freezer.ts';
import { namespaceOf } from './adapters/processes.ts';
import { FROZEN } from './assemble.ts';
import { Confinement } from './apparmor/confinement.ts';
import { KernelNode } from './kernel-node.ts';
import type { KernelPort } from './kernel-port.ts';
import type { KernelObserver } from './observer.ts';
import { KERNEL_SOURCE } from './record-queue.ts';

export interface OpenKernelNodeOptions {
  readonly config: ProducerConfig;
  readonly nodeId: string;
  readonly spool: Spool;
  readonly cwd: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: KernelObserver;
}

/** What an alert names as its enforcer. */
const ENFORCER_NAMES = { bpflsm: 'BPFLSM', apparmor: 'AppArmor' } as const;

const USUAL_CGROUP_ROOT = '/sys/fs/cgroup';

/** Loads and attaches, or takes over what is there. Nothing is decided by it before start(). Throws KERNEL_UNUSABLE. */
export function openKernelNode(options: OpenKernelNodeOptions): { node: KernelNode; kernel: KernelPort } {
  const { config, nodeId, spool, cwd, clock, logger, observer } = options;
  const cgroupRoot = cgroup2Mount(readFileSync('/proc/self/mountinfo', 'utf8')) ?? USUAL_CGROUP_ROOT;
  const cgroups = new Cgroups(cgroupRoot);
  const stateDir = resolve(config.spoolDir);
  thawLeft(new Freezer(cgroups, join(stateDir, FROZEN)), logger);
  const enforcer = orUnusable(() => (config.enforcer === 'auto' ? chooseEnforcer() : config.enforcer));
  const opened = orUnusable(() => open(config, enforcer, cgroupRoot));
  const confinement = enforcer === 'apparmor' ? new Confinement(opened) : undefined;
  const kernel = confinement?.kernel ?? opened;
  logger.info({ enforcer: ENFORCER_NAMES[enforcer] }, `kernel source: ${ENFORCER_NAMES[enforcer]} enforces`);
  kernel.setFailClosed(config.failMode === 'closed');
  const node = new KernelNode({
    kernel,
    cgroups,
    node: { clusterName: config.clusterName, hostName: hostname(), nodeId },
    hostMntNs: namespaceOf(1, 'mnt'),
    enforcer: ENFORCER_NAMES[enforcer],
    ...(confinement === undefined ? {} : { confinement }),
    stateDir,
    gate: config.enforcerGate === 'on',
    policyDir: resolve(cwd, config.policyDir ?? ''),
    labelsFile: config.labelsFile === undefined ? undefined : resolve(cwd, config.labelsFile),
    limits: config,
    postures: config,
    cursor: spool.cursor(KERNEL_SOURCE),
    clock,
    logger,
    observer,
  });
  return { node, kernel };
}

/** First of all, and whatever else fails: nothing may stay frozen because its producer was killed. */
function thawLeft(freezer: Freezer, logger: Logger): void {
  try {
    for (const path of freezer.thawLeft())
      logger.warn({ cgroup: path }, `${path} was left frozen by a producer that was killed: thawed`);
  } catch (error) {
    logger.error({}, `what a killed producer left frozen cannot be thawed: ${reasonOf(error)}`);
  }
}

function open(config: ProducerConfig, enforcer: Enforcer, cgroupRoot: string): KernelPort {
  return openKernel({
    enforcer,
    pinDir: config.pinDir,
    cgroupRoot,
    sizes: {
      containers: config.maxContainers,
      members: config.maxContainerCgroups,
      rulesets: config.maxRuleSets,
      rules: config.maxRules,
      names: config.maxRuleNames,
      windows: config.maxWindows,
      enforcementRingBytes: config.enforcementRingBytes,
      auditRingBytes: config.auditRingBytes,
    },
  });
}

function orUnusable<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const message = `SOURCE=kernel cannot start (${error.code}): ${error.message}. ${error.hint}`;
    throw new ProducerError('KERNEL_UNUSABLE', message, { cause: error });
  }
}
