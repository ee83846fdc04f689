// Runs in the guest: what openKernel says where something is missing that it needs. Each in a process of its own.
import { spawnSync } from 'node:child_process';
import { makeCgroup, type Guest } from '@alert-throttle/guest/inside';

const LAUNCH = '/w/.guest/bin/launch';

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
  const needed = ['bpf', 'perfmon', 'sys_ptrace', 'dac_read_search'];
  const without = (one: string): string[] => withCapabilities(...needed.filter((name) => name !== one));
  guest.report('no more than needed', { result: open({}, withCapabilities(...needed)) });
  guest.report('without ptrace', { result: open({}, without('sys_ptrace')) });
  guest.report('without search', { result: open({}, without('dac_read_search')) });
  guest.report('without perfmon', { result: open({}, without('perfmon')) });
  guest.report('without bpf', { result: open({}, without('bpf')) });
  makeCgroup('no-bpf');
  const confined = [LAUNCH, '--cgroup', '/sys/fs/cgroup/no-bpf', '--no-bpf', '--'];
  guest.report('without bpf(2)', { result: open({}, confined) });
  guest.report('another filesystem', { result: open({ pinDir: '/run/alert-throttle' }) });
  guest.report('root of the filesystem', { result: open({ pinDir: '/sys/fs/bpf' }) });
  const readOnly = 'mount -o remount,bind,ro /sys/fs/bpf && exec "$@"';
  guest.report('read-only', { result: open({}, ['unshare', '-m', 'sh', '-c', readOnly, 'sh']) });
  guest.report('own pid namespace', { result: open({}, ['unshare', '-p', '-f', '--mount-proc']) });
  guest.report('own cgroup namespace', { result: open({}, ['unshare', '-C']) });
  guest.report('no mount namespace of the host', { result: open({ hostMountNamespace: '/proc/0/ns/mnt' }) });
  guest.report('no cgroups there', { result: open({ cgroupRoot: '/run' }) });
  guest.report('no object', { result: open({ object: '/w/absent.o' }) });
  guest.report('no object of ours', { result: open({ object: '/w/package.json' }) });
  guest.report('no addon', { result: open({ addon: '/w/absent.node' }) });
  guest.report('sizes', { result: open({ sizes: { windows: 0 } }) });
};
