// The kernel port of a node on which AppArmor enforces: whoever gives a container its rules gives its profile their text,
// first. What no profile can say, or the parser refuses, is refused before anything has changed.
import { inexpressible, InexpressibleError } from '@alert-throttle/apparmor';
import type { RuleSet } from '@alert-throttle/policy';
import type { KernelPort, RuleSetHandle } from '../kernel-port.ts';
import type { Profiles } from './profiles.ts';

/** Undefined: a container that can have no profile. */
export type ProfileNameOf = (cgroupId: bigint) => string | undefined;

interface Confined {
  readonly handle: RuleSetHandle | undefined;
  readonly privileged: boolean;
}

export interface ConfiningOptions {
  readonly nameOf: ProfileNameOf;
  readonly onClose: () => void;
}

export function confiningKernel(
  kernel: KernelPort,
  profiles: Profiles,
  { nameOf, onClose }: ConfiningOptions,
): KernelPort {
  const ruleSets = new Map<RuleSetHandle, RuleSet>();
  const confined = new Map<bigint, Confined>();

  function confine(cgroupId: bigint, { handle, privileged }: Confined): void {
    const ruleSet = handle && ruleSets.get(handle);
    const name = nameOf(cgroupId);
    if (name === undefined) {
      if (ruleSet) throw new Error('it has no name that a profile could have: names come from LABELS_FILE');
      return;
    }
    // Who has no policy, and is not meant to get any, needs none.
    if (ruleSet || profiles.has(name)) profiles.set(name, cgroupId, { ruleSet, privileged });
    confined.set(cgroupId, { handle, privileged });
  }

  return {
    get adopted() {
      return kernel.adopted;
    },
    get notes() {
      return kernel.notes;
    },
    get ringsId() {
      return kernel.ringsId;
    },
    get ruleSetForFailed() {
      // Programs refuse nothing here, and a profile cannot be put on a container that runs.
      return undefined;
    },
    installRuleSet(ruleSet) {
      const problems = inexpressible(ruleSet);
      if (problems.length > 0) throw new InexpressibleError(problems);
      const handle = kernel.installRuleSet(ruleSet);
      ruleSets.set(handle, ruleSet);
      return handle;
    },
    removeRuleSet(handle) {
      ruleSets.delete(handle);
      kernel.removeRuleSet(handle);
    },
    registerContainer(container) {
      confine(container.cgroupId, { handle: container.ruleSet, privileged: container.privileged });
      kernel.registerContainer(container);
    },
    setRuleSet(cgroupId, handle) {
      confine(cgroupId, { handle, privileged: confined.get(cgroupId)?.privileged ?? false });
      kernel.setRuleSet(cgroupId, handle);
    },
    removeContainer(cgroupId) {
      kernel.removeContainer(cgroupId);
      confined.delete(cgroupId);
      profiles.forget(cgroupId);
    },
    start: (onBatch) => kernel.start(onBatch),
    activate: () => kernel.activate(),
    setLimits: (profile, limits) => kernel.setLimits(profile, limits),
    setFailClosed: (closed) => kernel.setFailClosed(closed),
    containers: () => kernel.containers(),
    sweep: () => kernel.sweep(),
    realtimeOffsetNs: () => kernel.realtimeOffsetNs(),
    throttleMap: () => kernel.throttleMap(),
    rings: () => kernel.rings(),
    counters: () => kernel.counters(),
    programs: () => kernel.programs(),
    close: () => {
      onClose();
      kernel.close();
    },
  };
}
