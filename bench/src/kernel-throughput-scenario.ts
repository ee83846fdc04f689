// Runs in the guest: processes of one container, one on each CPU, are refused the same file over and over; all of it is
// counted in one window, under one lock.
import { availableParallelism } from 'node:os';
import { startContainer, type Guest } from '@alert-throttle/guest/inside';
import { openKernel } from '@alert-throttle/kernel';
import { FILES, ruleSetOf } from './kernel-cases.ts';

export interface Throughput {
  readonly cpus: number;
  /** Opens that were refused and throttled, all in one window. */
  readonly opens: number;
  readonly seconds: number;
  readonly perSecond: number;
}

export default async function throughput(guest: Guest): Promise<void> {
  const { calls } = guest.args as { readonly calls: number };
  const path = FILES.exact[2];
  const container = await startContainer('throughput', { files: { [path]: 'content' } });
  const kernel = openKernel({ sizes: { containers: 16, members: 16, windows: 16 } });
  const { cgroup, pidNs, mntNs, rootDev, rootIno } = container;
  const ruleSet = kernel.installRuleSet(ruleSetOf('exact', 1));
  kernel.registerContainer({
    ...{ cgroupId: cgroup.id, pidNs, mntNs, rootDev, rootIno, ruleSet, profile: 0, privileged: false },
    descendants: () => [],
  });
  kernel.setLimits(0, { alertThrottling: true, maxAlertPerSec: 1, throttleSec: 3600 });
  kernel.activate();
  const cpus = availableParallelism();
  await container.do('parallel', cpus, 100, 'open', path, 'r');
  const startMs = performance.now();
  const { failed } = await container.do('parallel', cpus, calls, 'open', path, 'r');
  const seconds = (performance.now() - startMs) / 1000;
  const opens = failed?.['EACCES'] ?? 0;
  if (opens !== cpus * calls) throw new Error(`refused were ${opens} of ${cpus * calls}`);
  const result: Throughput = { cpus, opens, seconds, perSecond: Math.round(opens / seconds) };
  guest.report('throughput', { ...result });
}
