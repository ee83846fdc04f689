// The kernel source's half of a node, as scenarios need it: programs loaded, containers registered with their policies,
// events read when a scenario wants to see them.
import { rmSync } from 'node:fs';
import {
  openKernel,
  type AlertEvent,
  type Kernel,
  type KernelEvent,
  type KernelOptions,
  type RuleSetHandle,
} from '@alert-throttle/kernel';
import {
  alertText,
  compileRuleSet,
  parsePolicies,
  type CompileOptions,
  type RuleSet,
} from '@alert-throttle/policy';
import type { Container, ContainerOptions } from '@alert-throttle/guest/inside';

export interface Limits {
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
}

export const SIZES = { containers: 64, members: 256, enforcementRingBytes: 1 << 22, auditRingBytes: 1 << 22 };

export const NO_POSTURES = {
  process: 'audit',
  file: 'audit',
  network: 'audit',
  capability: 'audit',
} as const;

/** The rule set of one policy's spec, or of several. */
export function ruleSetOf(specs: readonly object[], options: Partial<CompileOptions> = {}): RuleSet {
  const policies = specs.map((spec, index) => ({
    file: `policy ${index}`,
    text: JSON.stringify({
      apiVersion: 'security.kubearmor.com/v1',
      kind: 'KubeArmorPolicy',
      metadata: { name: `policy-${index}`, namespace: 'guest' },
      spec: { selector: { matchLabels: { app: 'guest' } }, ...spec },
    }),
  }));
  return compileRuleSet(parsePolicies(policies), { postures: NO_POSTURES, audited: false, ...options });
}

export class EnforcingNode {
  readonly kernel: Kernel;
  private readonly ruleSets = new Map<
    bigint,
    { readonly ruleSet: RuleSet; readonly handle: RuleSetHandle }
  >();

  constructor(options: KernelOptions = {}) {
    this.kernel = openKernel({ ...options, sizes: { ...SIZES, ...options.sizes } });
  }

  /** How a container of that name has to be started for this node to enforce anything in it. */
  readonly startOptions: (name: string) => Pick<ContainerOptions, 'apparmorProfile'> = () => ({});

  /** Why this node refuses the rule set; empty: it does not. */
  readonly refusals: (ruleSet: RuleSet) => readonly string[] = () => [];

  /** Undefined: nothing is throttled. */
  limit(limits: Limits | undefined): void {
    const { maxAlertPerSec = 10, throttleSec = 30 } = limits ?? {};
    this.kernel.setLimits(0, { alertThrottling: limits !== undefined, maxAlertPerSec, throttleSec });
  }

  /**
   * From the return on, what happens in the container is judged by the rule set; where the container is still starting,
   * from the execution of its first program on.
   */
  protect(container: Container, ruleSet: RuleSet, starting = false, privileged = false): void {
    const handle = this.kernel.installRuleSet(ruleSet);
    this.ruleSets.set(container.cgroup.id, { ruleSet, handle });
    this.#register(container, handle, starting, privileged);
  }

  /** The container is known and has no policy. */
  watch(container: Container): void {
    this.#register(container, undefined, false, false);
  }

  #register(
    container: Container,
    ruleSet: RuleSetHandle | undefined,
    starting: boolean,
    privileged: boolean,
  ): void {
    const { cgroup, pidNs, mntNs, rootDev, rootIno } = container;
    this.kernel.registerContainer({
      ...{ cgroupId: cgroup.id, pidNs, mntNs, rootDev, rootIno, ruleSet, starting, privileged },
      descendants: () => [],
      profile: 0,
    });
  }

  handleOf({ cgroup }: Container): RuleSetHandle | undefined {
    return this.ruleSets.get(cgroup.id)?.handle;
  }

  forget({ cgroup }: Container): void {
    this.kernel.removeContainer(cgroup.id);
    const known = this.ruleSets.get(cgroup.id);
    if (known !== undefined) this.kernel.removeRuleSet(known.handle);
    this.ruleSets.delete(cgroup.id);
  }

  /** All that is in the rings now, in the order in which it happened. */
  events(): KernelEvent[] {
    const all: KernelEvent[] = [];
    for (let batch = this.kernel.poll(); batch.length > 0; batch = this.kernel.poll()) all.push(...batch);
    return all.sort((a, b) => Number(timeOf(a) - timeOf(b)));
  }

  /** An alert as people see it. */
  describe(event: AlertEvent): object {
    const ruleSet = this.ruleSets.get(event.container)?.ruleSet;
    if (ruleSet === undefined) return { unknown: event };
    const rule = ruleSet.rules.find(({ number }) => number === event.rule);
    const text = alertText(ruleSet, event.kind, rule);
    return {
      PolicyName: text?.policyName,
      Operation: text?.operation,
      Action: text?.action,
      Resource: event.resource,
      Result: text?.result,
      Enforcer: text?.enforcer,
      Severity: text?.severity,
      Tags: text?.tags,
      Message: text?.message,
      // What the programs themselves say about it.
      refused: event.result < 0,
      ring: event.ring,
    };
  }

  detach(): void {
    this.kernel.detach();
    rmSync('/sys/fs/bpf/alert-throttle', { recursive: true, force: true });
  }
}

function timeOf(event: KernelEvent): bigint {
  return 'timeNs' in event ? event.timeNs : 0n;
}

export function isAlert(event: KernelEvent): event is AlertEvent {
  return event.type === 'alert';
}
