/**
 * The throttle in a real kernel, without policies: bpf/test/throttle_probe.c plays containers, rings and limits, and
 * checks every event. Exact with all CPUs firing, under both kinds of preemption, on the oldest kernel and on the newest.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGuestOrThrow, type GuestRequest } from '@alert-throttle/guest';
import { describeMissing, findToolchain, onPath } from '@alert-throttle/native/build';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const bpf = join(import.meta.dirname, '../../../bpf');
const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-probe-'));
const probe = join(folder, 'probe');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `races`: the programs wait at the points where other CPUs may come in between, so that they often do. */
const OBJECTS = { plain: [], races: ['-DPROBE_RACES'] } as const;

beforeAll(() => {
  const { found, missing } = findToolchain();
  if (found === undefined) throw new Error(describeMissing(missing));
  mkdirSync(probe);
  const include = ['-I', bpf, '-I', join(bpf, 'include')];
  for (const [name, defines] of Object.entries(OBJECTS)) {
    const target = ['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror'];
    const types = ['-I', `/usr/include/${found.multiarch}`];
    const source = join(bpf, 'test', 'throttle_probe.bpf.c');
    const object = join(probe, `${name}.bpf.o`);
    execFileSync(found.clang, [...target, ...defines, ...include, ...types, '-c', source, '-o', object]);
  }
  const flags = ['-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-static'];
  const program = [join(bpf, 'test', 'throttle_probe.c'), '-o', join(probe, 'throttle_probe')];
  const libraries = ['-lbpf', '-lelf', '-lz', '-lpthread'];
  execFileSync(onPath('gcc') ?? 'cc', [...flags, ...include, ...program, ...libraries]);
});

const EXACT = ['one_container', 'one_cpu', 'four_containers'];
const RINGS = ['full_ring', 'full_then_drained', 'audit_share'];
const LIVES = ['off_and_on', 'container_ends', 'policy_ends', 'overflow', 'churn', 'stale'];

async function passes(
  request: Pick<GuestRequest, 'kernel' | 'cmdline'>,
  object: keyof typeof OBJECTS,
  scenarios: readonly string[],
): Promise<void> {
  const shell = [
    'cd /w/probe && code=0',
    `for scenario in ${scenarios.join(' ')}; do ./throttle_probe ${object}.bpf.o $scenario > out 2>&1 || code=1; tail -n 12 out; done`,
    'exit $code',
  ].join('\n');
  const run = await runGuestOrThrow({ ...request, copy: [probe], shell, cpus: 4, timeoutMs: 600_000 });
  const passed = [...run.console.matchAll(/^ok (\w+)/gm)].map(([, name]) => name);
  expect(passed).toEqual(scenarios);
}

describe('the throttle in the kernel', () => {
  it('counts exactly and reports once on 6.1', async () => {
    await passes({ kernel: '6.1' }, 'plain', [...EXACT, ...RINGS, ...LIVES]);
  });

  it('does so where tasks are preempted anywhere, and races are common', async () => {
    await passes({ kernel: '6.1', cmdline: ['preempt=full'] }, 'races', [...EXACT, ...RINGS, ...LIVES]);
  });

  it('does so on the newest kernel', async () => {
    await passes({ kernel: 'backports' }, 'plain', [...EXACT, ...RINGS, ...LIVES]);
  });
});
