// Runs in the guest: what openKernel says where something is missing that it needs. Each in a process of its own.
import { spawnSync } from 'node:child_process';
import type { Guest } from '@alert-throttle/guest/inside';

const OPEN = `
import { openKernel } from '@alert-throttle/kernel';
try {
  const kernel = openKernel(JSON.parse(process.argv[1] ?? '{}'));
  kernel.activate();
  kernel.sweep();
  const attached = kernel.programs().filter((program) => program.attached).length;
  kernel.detach();
  console.log(JSON.stringify({ attached: attached > 0 }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}`;

/** `how`: a program that runs another one under other circumstances. */
function open(options: object, how: readonly string[] = []): unknown {
  const [file = 'node', ...argv] = [
    ...how,
    ...['node', '--input-type=module', '-e', OPEN, '--', JSON.stringify(options)],
  ];
  const { stdout, stderr } = spawnSync(file, argv, { cwd: '/w/packages/kernel', encoding: 'utf8' });
  try {
    return JSON.parse(stdout);
  } catch {
    return { stdout, stderr };
  }
}

function withCapabilities(...names: readonly string[]): string[] {
  return ['setpriv', `--bounding-set=-all,${names.map((name) => `+${name}`).join(',')}`];
}

export default (guest: Guest): void => {
  const { scope } = guest.args as { readonly scope: 'machine' | 'process' };
  guest.report('as root', { result: open({}) });
  if (scope === 'machine') return;
  guest.report('no more than needed', { result: open({}, withCapabilities('bpf', 'perfmon', 'sys_ptrace')) });
  guest.report('without ptrace', { result: open({}, withCapabilities('bpf', 'perfmon')) });
  guest.report('without perfmon', { result: open({}, withCapabilities('bpf', 'sys_ptrace')) });
  guest.report('without bpf', { result: open({}, withCapabilities('perfmon', 'sys_ptrace')) });
  guest.report('another filesystem', { result: open({ pinDir: '/run/alert-throttle' }) });
  guest.report('no cgroups there', { result: open({ cgroupRoot: '/run' }) });
  guest.report('no object', { result: open({ object: '/w/absent.o' }) });
  guest.report('no object of ours', { result: open({ object: '/w/package.json' }) });
  guest.report('no addon', { result: open({ addon: '/w/absent.node' }) });
  guest.report('sizes', { result: open({ sizes: { windows: 0 } }) });
};
