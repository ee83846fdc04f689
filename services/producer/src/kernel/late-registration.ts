// TEMPORARY
import { loadBinding } from '@alert-throttle/native';
import type { Kernel as WholeKernel } from '@alert-throttle/kernel';
import type { Kernel, NewContainer } from './kernel-port.ts';

export function lateRegistration(kernel: WholeKernel): Kernel {
  const held = new Map<bigint, NewContainer>();
  const binding = loadBinding();
  return {
    adopted: kernel.adopted,
    notes: kernel.notes,
    start: (onBatch) => kernel.start(onBatch),
    activate: () => kernel.activate(),
    setLimits: (profile, limits) => kernel.setLimits(profile, limits),
    setFailClosed: (closed) => kernel.setFailClosed(closed),
    installRuleSet: (set) => kernel.installRuleSet(set),
    removeRuleSet: (handle) => kernel.removeRuleSet(handle),
    setRuleSet: (id, handle) => {
      const one = held.get(id);
      if (one) held.set(id, { ...one, ruleSet: handle });
      else kernel.setRuleSet(id, handle);
    },
    removeContainer: (id) => {
      if (!held.delete(id)) kernel.removeContainer(id);
    },
    sweep: () => kernel.sweep(),
    resolve: (pid, path) => kernel.resolve(pid, path),
    throttleMap: () => kernel.throttleMap(),
    counters: () => kernel.counters(),
    programs: () => kernel.programs(),
    close: () => kernel.close(),
    registerContainer: (container) => {
      if (container.starting) held.set(container.cgroupId, container);
      else kernel.registerContainer(container);
    },
    updateContainer: (id, facts) => {
      const one = held.get(id);
      if (one === undefined) return;
      const { starting = true, ...more } = facts;
      held.set(id, { ...one, ...more });
      if (starting) return;
      held.delete(id);
      kernel.registerContainer({ ...one, ...more });
    },
    realtimeOffsetNs: () => binding.realtimeOffsetNs(),
  };
}
