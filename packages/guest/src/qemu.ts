// Runs QEMU until the guest turns itself off, or its time is up. No KVM: the hosts that this runs on have none.
import { spawn } from 'node:child_process';
import { BASE_DISK } from './base-image.ts';
import type { Kernel, KernelName } from './kernels.ts';
import { partitionName } from './make-image.ts';

export interface Machine {
  readonly qemu: string;
  readonly kernel: Kernel;
  readonly base: string;
  readonly work: string;
  /** The file that takes what the scenarios report. */
  readonly lines: string;
  readonly lsm: string;
  readonly cmdline: readonly string[];
  readonly cpus: number;
  readonly memoryMb: number;
  /** Counts instructions instead of time: one is a nanosecond, on one CPU, the same in every run. */
  readonly icount: boolean;
  /** Commands of the host by the port of the guest's 10.0.2.100 that each serves, one process per connection. */
  readonly forwards: ReadonlyMap<number, string> | undefined;
  readonly nonce: string;
  readonly timeoutMs: number;
  readonly onConsole: ((text: string) => void) | undefined;
}

export interface MachineEnd {
  /** Kernel messages, and what the job prints. */
  readonly console: string;
  readonly timedOut: boolean;
  /** What QEMU itself complained about. */
  readonly stderr: string;
  readonly exitCode: number | null;
}

const KEEP = 8 * 1024 * 1024;

export async function runMachine(machine: Machine): Promise<MachineEnd> {
  const child = spawn(machine.qemu, qemuArguments(machine), { stdio: ['ignore', 'pipe', 'pipe'] });
  let [text, stderr, timedOut] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-KEEP);
    machine.onConsole?.(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-KEEP);
  });
  // A guest must not outlive the run that wants to know its result.
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, machine.timeoutMs);
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { console: text.replaceAll('\r', ''), timedOut, stderr, exitCode };
  } finally {
    clearTimeout(timer);
    process.removeListener('exit', kill);
  }
}

/**
 * With a thread per CPU, QEMU 7.2 now and then runs into the breakpoint of a code patch of 6.12 that is over already; with
 * one thread CPUs take turns. Of 6.1 that was never seen.
 */
const THREADS: Readonly<Record<KernelName, 'multi' | 'single'>> = { '6.1': 'multi', backports: 'single' };

function qemuArguments(machine: Machine): string[] {
  const { icount } = machine;
  // QEMU 7.2 computes flags that are none for cmpxchg16b without a lock prefix, which 6.12 allocates memory with.
  const model = 'max,-cx16';
  const cpu = icount
    ? // With fast string operations one counted instruction may copy a page.
      ['-accel', 'tcg,thread=single', '-icount', 'shift=0', '-cpu', `${model},-erms`, '-smp', '1']
    : ['-accel', `tcg,thread=${THREADS[machine.kernel.name]}`, '-cpu', model, '-smp', String(machine.cpus)];
  return [
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-M', 'pc', ...cpu, '-m', String(machine.memoryMb)],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...['-chardev', `file,id=lines,path=${escaped(machine.lines)}`, '-serial', 'chardev:lines'],
    ...['-kernel', machine.kernel.vmlinuz, '-append', commandLine(machine)],
    // The root is shared by all guests: what one writes to it is gone with it.
    ...['-drive', `file=${escaped(machine.base)},if=none,format=raw,id=base,cache=unsafe,snapshot=on`],
    ...['-drive', `file=${escaped(machine.work)},if=none,format=raw,id=work,cache=unsafe`],
    ...['-device', 'nvme,id=nvme,serial=guest'],
    ...['-device', 'nvme-ns,drive=base,bus=nvme', '-device', 'nvme-ns,drive=work,bus=nvme'],
    ...network(machine.forwards),
  ];
}

function network(forwards: Machine['forwards']): string[] {
  if (forwards === undefined) return [];
  const rules = [...forwards].map(
    ([port, command]) => `guestfwd=tcp:10.0.2.100:${port}-cmd:${escaped(command)}`,
  );
  const netdev = ['user', 'id=net', 'restrict=on', ...rules].join(',');
  // Without its boot ROM, which Debian has in another package.
  return ['-netdev', netdev, '-device', 'virtio-net-pci,netdev=net,romfile='];
}

/** QEMU's options are lists of key=value. */
const escaped = (value: string): string => value.replaceAll(',', ',,');

function commandLine({ lsm, cmdline, nonce }: Machine): string {
  return [
    ...['console=ttyS0', 'loglevel=4', 'panic=-1', 'oops=panic', `lsm=${lsm}`],
    // Its check counts ticks while it spins, and panics where a busy host lets QEMU wait for too long.
    'no_timer_check',
    ...[`root=${partitionName(BASE_DISK)}`, 'rootwait', 'rootfstype=ext4', 'rw', 'init=/init'],
    ...cmdline,
    // The kernel hands what it does not know to the first process, as a variable.
    `GUEST_NONCE=${nonce}`,
  ].join(' ');
}
