// One boot: makes what is missing, runs the scenarios, and says whether all of them went well, and if not, why.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tail } from '@alert-throttle/stack';
import { provideBaseImage } from './base-image.ts';
import { harnessRoot, type Log } from './cache.ts';
import { GuestError } from './errors.ts';
import { provideKernel, type Kernel, type KernelName } from './kernels.ts';
import { parseLines, type GuestLine } from './lines.ts';
import { findGuestPrograms, type GuestPrograms } from './programs.ts';
import { runMachine, type MachineEnd } from './qemu.ts';
import { tool } from './tool.ts';
import { makeWorkImage, type ScenarioRequest } from './work-image.ts';
import { provideWorkload } from './workload.ts';

export interface GuestRequest {
  readonly kernel: KernelName;
  readonly scenarios?: readonly ScenarioRequest[];
  /** Shell scripts, and shell commands, that run before the scenarios. */
  readonly scripts?: readonly string[];
  readonly shell?: string;
  /** The checkout whose sources the guest gets; this one by default. */
  readonly root?: string;
  readonly copy?: readonly string[];
  /** The security modules, in order. Without `bpf` here, programs load and attach and are never asked. */
  readonly lsm?: string;
  /** More words for the kernel, `preempt=full`. */
  readonly cmdline?: readonly string[];
  readonly cpus?: number;
  readonly memoryMb?: number;
  readonly icount?: boolean;
  /** Ports of the host's loopback that the guest reaches at 10.0.2.100, and nothing else of the world. */
  readonly hostPorts?: readonly number[];
  readonly timeoutMs?: number;
  readonly log?: Log;
  readonly onConsole?: (text: string) => void;
  /** A folder that takes what the guest wrote to /w/out. */
  readonly out?: string;
}

export interface GuestRun {
  /** Every scenario, script and command ended well, the guest came to its end, and all that was asked reported. */
  readonly ok: boolean;
  /** Why not, with the end of the console. */
  readonly failure: string | undefined;
  readonly lines: readonly GuestLine[];
  readonly console: string;
}

export const DEFAULT_LSM = 'landlock,lockdown,yama,integrity,apparmor,bpf';
const TIMEOUT_MS = 180_000;
const CONSOLE_LINES = 40;
const MEMORY_MB = 1024;

export interface Parts {
  readonly programs: GuestPrograms;
  readonly kernel: Kernel;
  readonly base: string;
  readonly workload: string;
}

/** All that guests share, made or installed where it is missing. */
export async function provideParts({
  kernel: name,
  root = harnessRoot,
  log = () => undefined,
}: Pick<GuestRequest, 'kernel' | 'root' | 'log'>): Promise<Parts> {
  const programs = await findGuestPrograms({ log });
  const kernel = await provideKernel(name, { programs, log });
  const base = await provideBaseImage({ root, programs, log });
  const workload = await provideWorkload({ gcc: programs.gcc, log });
  return { programs, kernel, base, workload };
}

export async function runGuest(request: GuestRequest): Promise<GuestRun> {
  const { root = harnessRoot, scenarios = [] } = request;
  const { programs, kernel, base, workload } = await provideParts(request);
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-guest-'));
  try {
    const [work, lines] = [join(folder, 'work.img'), join(folder, 'lines')];
    writeFileSync(lines, '');
    const { scripts = [], shell, copy = [], hostPorts } = request;
    await makeWorkImage({
      ...{ root, kernel, workload, mke2fs: programs.mke2fs, stage: join(folder, 'stage'), image: work },
      job: { scenarios, scripts, shell, copy, net: hostPorts !== undefined },
    });
    rmSync(join(folder, 'stage'), { recursive: true });
    const nonce = randomBytes(8).toString('hex');
    const end = await runMachine({
      ...{ qemu: programs.qemu, kernel, base, work, lines, nonce, onConsole: request.onConsole },
      lsm: request.lsm ?? DEFAULT_LSM,
      cmdline: request.cmdline ?? [],
      cpus: request.cpus ?? 2,
      memoryMb: request.memoryMb ?? MEMORY_MB,
      icount: request.icount ?? false,
      forwards: hostPorts && new Map(hostPorts.map((port) => [port, `${workload}/relay ${port}`])),
      timeoutMs: request.timeoutMs ?? TIMEOUT_MS,
    });
    if (request.out !== undefined) await fetchOut(programs.debugfs, work, request.out);
    const parsed = parseLines(readFileSync(lines, 'utf8'));
    const failure = failureOf(end, parsed.bad, parsed.lines, { nonce, request });
    return { ok: failure === undefined, failure, lines: parsed.lines, console: end.console };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same, for callers who have no use for a failed run. */
export async function runGuestOrThrow(request: GuestRequest): Promise<GuestRun> {
  const run = await runGuest(request);
  if (run.failure !== undefined) throw new GuestError('GUEST_FAILED', run.failure);
  return run;
}

interface Expected {
  readonly nonce: string;
  readonly request: GuestRequest;
}

function failureOf(
  end: MachineEnd,
  bad: readonly string[],
  lines: readonly GuestLine[],
  { nonce, request }: Expected,
): string | undefined {
  const problems = [
    ...problemsOf(end, lines, nonce, request),
    ...bad.map((line) => `no line of a report: ${line}`),
  ];
  if (problems.length === 0) return undefined;
  const all = lines.slice(-CONSOLE_LINES).map((line) => JSON.stringify(line));
  return [
    `the guest (${request.kernel}) failed: ${problems.join('; ')}`,
    ...(end.stderr === '' ? [] : ['--- QEMU:', tail(end.stderr, CONSOLE_LINES)]),
    '--- the end of the reports:',
    ...all,
    '--- the end of the console:',
    tail(end.console, CONSOLE_LINES),
  ].join('\n');
}

function problemsOf(
  end: MachineEnd,
  lines: readonly GuestLine[],
  nonce: string,
  { timeoutMs = TIMEOUT_MS, scenarios = [] }: GuestRequest,
): string[] {
  const problems: string[] = [];
  const panic = /Kernel panic - not syncing.*/.exec(end.console)?.[0];
  const ended = new RegExp(`^GUEST-ENDED (\\d+) ${nonce}$`, 'm').exec(end.console)?.[1];
  if (panic !== undefined) problems.push(panic);
  else if (end.timedOut) problems.push(`not at its end after ${timeoutMs} ms`);
  else if (ended === undefined)
    problems.push(`QEMU ended (exit code ${end.exitCode ?? 'none'}), and the guest did not say how`);
  else if (ended !== '0') problems.push(`the job's exit code is ${ended}`);
  for (const line of lines)
    if (line.name === 'failed') problems.push(`${line.scenario}: ${String(line.data['error'])}`);
  const done = lines.filter((line) => line.name === 'ended').length;
  if (done < scenarios.length) problems.push(`${done} of ${scenarios.length} scenarios came to their end`);
  return problems;
}

async function fetchOut(debugfs: string, image: string, out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  if (existsSync(image)) await tool(debugfs, ['-R', `rdump /out ${out}`, image]);
}
