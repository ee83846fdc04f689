// For developers: boots a kernel and runs a script or a scenario in it, the console on the terminal.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { StackError } from '@alert-throttle/stack';
import { harnessRoot } from './cache.ts';
import { GuestError } from './errors.ts';
import { KERNELS, type KernelName } from './kernels.ts';
import { runGuest, type GuestRequest } from './run-guest.ts';

const USAGE = `node packages/guest/src/main.ts [options]

Boots a Debian kernel in QEMU, runs what is given inside, and prints the console and the reports.
The checkout is at /w there, its native and BPF builds included; node_modules are those of production.

  --kernel NAME     ${KERNELS.join(' or ')} (default: ${KERNELS[0]})
  --run FILE        a shell script (.sh), or a scenario or plain module (.ts); again for more
  --args JSON       guest.args of the scenarios
  --shell COMMANDS  shell commands
  --root DIR        the checkout whose sources the guest gets (default: this one)
  --copy DIR        a folder that goes to /w/<its name>; again for more
  --out DIR         takes what the guest wrote to /w/out
  --append WORDS    more words for the kernel's command line
  --lsm LIST        security modules in order (default has apparmor,bpf)
  --smp N           CPUs (default 2)
  --memory MB       (default 1024)
  --icount          count instructions instead of time: repeatable, one CPU, three times as slow
  --port N          a port of this host's loopback, at 10.0.2.100 in the guest; again for more
  --timeout S       (default 180)`;

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', default: KERNELS[0] },
    run: { type: 'string', multiple: true, default: [] },
    args: { type: 'string' },
    shell: { type: 'string' },
    root: { type: 'string', default: harnessRoot },
    copy: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
    append: { type: 'string', multiple: true, default: [] },
    lsm: { type: 'string' },
    smp: { type: 'string' },
    memory: { type: 'string' },
    icount: { type: 'boolean', default: false },
    port: { type: 'string', multiple: true, default: [] },
    timeout: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function requestOf(): GuestRequest {
  const { shell, lsm, out, smp, memory, timeout, args } = values;
  const files = values.run.map((file) => resolve(file));
  return {
    kernel: kernelOf(values.kernel),
    scripts: files.filter((file) => !file.endsWith('.ts')),
    scenarios: files
      .filter((file) => file.endsWith('.ts'))
      .map((module) => ({ module, args: args === undefined ? undefined : (JSON.parse(args) as unknown) })),
    root: resolve(values.root),
    copy: values.copy.map((folder) => resolve(folder)),
    cmdline: values.append.flatMap((words) => words.split(' ')),
    icount: values.icount,
    ...(shell === undefined ? {} : { shell }),
    ...(lsm === undefined ? {} : { lsm }),
    ...(out === undefined ? {} : { out: resolve(out) }),
    ...(smp === undefined ? {} : { cpus: Number(smp) }),
    ...(memory === undefined ? {} : { memoryMb: Number(memory) }),
    ...(values.port.length === 0 ? {} : { hostPorts: values.port.map(Number) }),
    ...(timeout === undefined ? {} : { timeoutMs: Number(timeout) * 1000 }),
    log: (line) => void process.stderr.write(`${line}\n`),
    onConsole: (text) => void process.stdout.write(text.replaceAll('\r', '')),
  };
}

function kernelOf(text: string): KernelName {
  const name = KERNELS.find((one) => one === text);
  if (name === undefined) throw new GuestError('BAD_REQUEST', `--kernel is one of ${KERNELS.join(', ')}`);
  return name;
}

try {
  if (values.help) process.stdout.write(`${USAGE}\n`);
  else {
    const { lines, failure } = await runGuest(requestOf());
    for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`);
    if (failure !== undefined) {
      process.stderr.write(`${failure.split('\n--- ')[0] ?? failure}\n`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  const known = error instanceof GuestError || error instanceof StackError;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 2;
}
