/**
 * The kernel's throttle (bpf/include/*.h) compiled for the host under the sanitizers: the conformance vectors, the same
 * random alerts through C and through decide and evolve, and random histories of what the kernel keeps around them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath, provide, type Need } from '@alert-throttle/stack';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { decide, evolve, newWindow, type Window } from './decide.ts';
import { windowVectors, type WindowStep } from './testing/vectors.ts';

const bpf = join(import.meta.dirname, '../../../bpf');
const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-c-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiler: Need<string> = {
  what: 'a C compiler',
  packages: ['gcc', 'libc6-dev'],
  find: () => ['gcc', 'clang'].map(onPath).find((file) => file !== undefined),
};

/** The compiler, or why there is none. */
const found = await provide({ compiler }, { log: console.log }).catch((error: unknown) => String(error));
const [cc, missing] = typeof found === 'string' ? ['cc', found] : [found.compiler, undefined];
const title = missing === undefined ? '' : ` (skipped: ${missing})`;

function build(name: string): string {
  const program = join(folder, name);
  const flags = ['-std=c17', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-I', join(bpf, 'include')];
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  execFileSync(cc, [...flags, ...sanitize, '-o', program, join(bpf, 'test', `${name}.c`)]);
  return program;
}

type Step = Pick<WindowStep, 'tMicros' | 'limits'>;
type After = Window & { readonly decision: string };

/** Every history from a new window on; what came out of each step. */
function inC(program: string, histories: readonly (readonly Step[])[]): After[][] {
  const lines = histories.map((steps) => [
    'r',
    ...steps.map(({ tMicros, limits: { alertThrottling, maxAlertPerSec, throttleSec } }) =>
      [tMicros, Number(alertThrottling), maxAlertPerSec, throttleSec].join(' '),
    ),
  ]);
  const input = `${lines.flat().join('\n')}\n`;
  const output = execFileSync(program, { input, encoding: 'utf8', maxBuffer: 2 ** 30 });
  const after = output.trimEnd().split('\n').map(parse);
  let from = 0;
  return histories.map(({ length }) => after.slice(from, (from += length)));
}

function parse(line: string): After {
  const [decision = '', ...numbers] = line.split(' ');
  const [openedAtMicros = NaN, passed = NaN, throttledUntilMicros = NaN, dropped = NaN, lastMicros = NaN] =
    numbers.map(Number);
  return { decision, openedAtMicros, passed, throttledUntilMicros, dropped, lastMicros };
}

function inTypeScript(steps: readonly Step[]): After[] {
  let window = newWindow();
  return steps.map(({ tMicros, limits }) => {
    if (!limits.alertThrottling) window = newWindow();
    const decision = decide(limits, window, tMicros);
    evolve(window, decision, tMicros, limits);
    return { ...window, decision };
  });
}

/** Times move by anything from a microsecond to more than an interval, and sometimes back; limits change now and then. */
function historyOf(length: number): fc.Arbitrary<Step[]> {
  const SECOND = 1_000_000;
  const pace = fc.constantFrom(0, 1, 1000, SECOND / 4, SECOND - 1, SECOND, SECOND + 1, 2 * SECOND);
  const move = fc.oneof(
    { weight: 20, arbitrary: pace },
    { weight: 10, arbitrary: fc.nat(SECOND / 2) },
    { weight: 2, arbitrary: fc.nat(70 * SECOND) },
    { weight: 2, arbitrary: fc.integer({ min: -5 * SECOND, max: 0 }) },
  );
  const limits = fc.record({
    alertThrottling: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.boolean()),
    maxAlertPerSec: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100_000 })),
    throttleSec: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 86_400 })),
  });
  const start = fc.constantFrom(0, 10 * SECOND, 1_795_000_000 * SECOND);
  const moves = fc.array(fc.tuple(move, fc.nat(40)), { minLength: length, maxLength: length });
  const changes = fc.array(limits, { maxLength: 10 });
  return fc.tuple(start, limits, changes, moves).map(([from, first, all, steps]) => {
    let [t, inForce] = [from, first];
    return steps.map(([by, change]) => {
      t = Math.max(0, t + by);
      inForce = all[change] ?? inForce;
      return { tMicros: t, limits: inForce };
    });
  });
}

describe.skipIf(missing !== undefined)(`the kernel's throttle${title}`, { timeout: 300_000 }, () => {
  it('follows the vectors', () => {
    const program = build('decide_host');
    const histories = windowVectors.map(({ steps }) =>
      steps.flatMap((step) => Array.from({ length: step.repeat ?? 1 }, () => step)),
    );
    const results = inC(program, histories);
    for (const [i, { name, steps }] of windowVectors.entries()) {
      let at = 0;
      for (const [number, step] of steps.entries()) {
        const after = results[i]?.slice(at, (at += step.repeat ?? 1)) ?? [];
        expect(new Set(after.map(({ decision }) => decision)), `${name}, step ${number}`).toEqual(
          new Set([step.decision]),
        );
        expect(after.at(-1), `${name}, step ${number}`).toMatchObject(step.state);
      }
    }
    expect(results.flat().length).toBeGreaterThan(200_000);
  });

  it('decides as the TypeScript one on 300 000 random alerts', () => {
    const program = build('decide_host');
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
    console.log(`FUZZ_SEED=${seed}`);
    const histories = fc.sample(historyOf(1000), { seed, numRuns: 300 });
    const found = inC(program, histories);
    const seen = new Set<string>();
    for (const [i, steps] of histories.entries()) {
      const expected = inTypeScript(steps);
      for (const { decision } of expected) seen.add(decision);
      expect(found[i], `history ${i} of seed ${seed}`).toEqual(expected);
    }
    expect([...seen].toSorted()).toEqual(['dropped', 'passed', 'thresholdCrossed']);
  });

  it.each([
    ['interval_host', 'reports what it dropped, whatever the ring does'],
    ['account_host', 'holds each container to its share of the ring'],
  ])('%s: %s', (name) => {
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
    console.log(`FUZZ_SEED=${seed}`);
    const { status, stdout, stderr } = spawnSync(build(name), [String(seed), '500000'], { encoding: 'utf8' });
    expect({ status, stdout, stderr }, `seed ${seed}`).toMatchObject({ status: 0, stderr: '' });
  });
});
