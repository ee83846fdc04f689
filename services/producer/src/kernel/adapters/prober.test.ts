import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChildProber } from './prober.ts';
import { factsOf } from './processes.ts';

/** Answers as the probing process does, but for paths with `hang` in them, as of a file server that is away. */
const PROGRAM = `
import { createInterface } from 'node:readline';
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { kind, paths = [] } = JSON.parse(line);
  if (paths.some((path) => path.includes('die'))) process.exit(3);
  if (paths.some((path) => path.includes('hang'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  const entries = paths.filter((path) => path !== '/bad').map((path) => [path, path === '/no' ? null : '/at' + path]);
  const errors = { entries: paths.includes('/bad') ? [['/bad', 'EIO']] : [] };
  console.log(JSON.stringify({ kind, isThere: true, targets: { entries }, errors }));
}
`;

const PROCESS = { pid: 7, startedAt: 1 };

let folder: string;
let nowMs: number;
let prober: ChildProber;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'prober-'));
  const program = join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
  nowMs = 0;
  prober = new ChildProber({ program, deadlineMs: 2_000, nowMs: () => nowMs });
});
afterEach(() => {
  prober.close();
  rmSync(folder, { recursive: true });
});

it('tells where paths lead, which lead nowhere, and which ended with an error', async () => {
  const { isThere, targets, unanswered } = await prober.paths(1n, PROCESS, ['/a', '/no', '/bad']);
  expect(isThere).toBe(true);
  expect(targets).toEqual(
    new Map([
      ['/a', '/at/a'],
      ['/no', undefined],
    ]),
  );
  expect(unanswered).toEqual(new Map([['/bad', 'EIO']]));
  expect(prober.isSlow(1n)).toBe(false);
});

it('names the path that hangs, answers for the others, and keeps other containers out of it', async () => {
  const paths = ['/a', '/hang', '/b'];
  const [stuck, other] = await Promise.all([
    prober.paths(1n, PROCESS, paths),
    prober.paths(2n, PROCESS, ['/a']),
  ]);
  expect(stuck.unanswered).toEqual(new Map([['/hang', 'no answer within 2 s']]));
  expect([...stuck.targets.keys()]).toEqual(['/a', '/b']);
  expect([...other.targets.keys()]).toEqual(['/a']);
  expect([prober.isSlow(1n), prober.isSlow(2n)]).toEqual([true, false]);
}, 120_000);

it('leaves alone for a while what did not answer, and asks again then', async () => {
  await prober.paths(1n, PROCESS, ['/hang']);
  // Would hang for as long as nobody kills it.
  const silent = await prober.paths(1n, PROCESS, ['/hang', '/a']);
  expect([...silent.unanswered.keys()]).toEqual(['/hang']);
  nowMs = 600_000;
  const { unanswered } = await prober.paths(1n, PROCESS, ['/a']);
  expect(unanswered.size).toBe(0);
  expect(prober.isSlow(1n)).toBe(false);
}, 120_000);

it('goes on after its process has died', async () => {
  const dead = await prober.paths(1n, PROCESS, ['/die']);
  expect(dead.unanswered.get('/die')).toContain('the probing process ended with 3');
  const { targets } = await prober.paths(1n, PROCESS, ['/a']);
  expect(targets.get('/a')).toBe('/at/a');
}, 120_000);

it('knows processes as one looks at them oneself', async () => {
  const real = new ChildProber({ nowMs: () => 0 });
  try {
    const { ageMs, ...facts } = (await real.facts(1n, process.pid)) ?? expect.unreachable();
    expect(facts).toEqual({ ...factsOf(process.pid), ageMs: undefined });
    expect(ageMs).toBeGreaterThan(0);
    symlinkSync('program.mjs', join(folder, 'link'));
    const { targets } = await real.paths(1n, facts, [join(folder, 'link'), '/nothing/there']);
    expect(targets).toEqual(
      new Map([
        [join(folder, 'link'), realpathSync(join(folder, 'program.mjs'))],
        ['/nothing/there', undefined],
      ]),
    );
  } finally {
    real.close();
  }
}, 120_000);
