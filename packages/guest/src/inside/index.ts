// What scenarios import; everything here runs inside the guest only.
export { cgroupAt, CGROUPS, makeCgroup, removeCgroup, type Cgroup } from './cgroup.ts';
export { command } from './command.ts';
export {
  containerOf,
  kernelDevice,
  startContainer,
  type Container,
  type ContainerOptions,
} from './container.ts';
export type { Guest, Scenario } from './guest.ts';
export { hostPort } from './host-port.ts';
export { loadModules } from './modules.ts';
export { DYNAMIC_PROGRAM, LOADER, makeRoot, type RootOptions } from './root-fs.ts';
export { startRunc, type RuncContainer, type RuncOptions } from './runc.ts';
export { until } from './wait.ts';
export { Workload, type Operation, type Reply } from './workload.ts';
