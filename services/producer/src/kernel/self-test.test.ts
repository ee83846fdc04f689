import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cgroups } from './adapters/cgroups.ts';
import { SELF_TEST_CGROUP, SelfTest, waysOut } from './self-test.ts';
import { alertEvent } from './testing/events.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';

let folder: string;
let test: SelfTest;
let cgroups: Cgroups;
let events: (() => void)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'self-test-'));
  cgroups = new Cgroups(join(folder, 'cgroup'));
  events = [];
  test = new SelfTest({
    kernel: new MemoryKernel(),
    cgroups,
    folder: join(folder, 'files'),
    profile: 15,
    bootNs: () => 1_000n,
    sleep: () => {
      events.shift()?.();
      return new Promise((resolve) => setImmediate(resolve));
    },
  });
});
afterEach(() => rmSync(folder, { recursive: true }));

function ownCgroup(): bigint {
  return cgroups.idOf(SELF_TEST_CGROUP) ?? expect.unreachable();
}

// No programs refuse anything here: what is looked at is which events it takes, and what it takes them for.
it('keeps its events to itself, also after its end, and no others', async () => {
  expect(test.takes(alertEvent({ container: 1n }))).toBe(false);
  await test.run();
  const container = ownCgroup();
  expect(test.takes(alertEvent({ container }))).toBe(true);
  expect(test.takes(alertEvent({ container: container + 1n }))).toBe(false);
  test.close();
  expect(test.takes(alertEvent({ container }))).toBe(true);
}, 120_000);

it('says why nothing is proven where nothing is refused', async () => {
  const failures = await test.run();
  expect([...failures.keys()].sort()).toEqual(['capability', 'file', 'network', 'process']);
}, 120_000);

// The kernel refuses what a process may not do anyway before it asks AppArmor: it would look like a rule that nobody heard of.
it.each([
  ['all', 'CapEff:\t000001ffffffffff', '--mount'],
  ['no CAP_SETGID', 'CapEff:\t000001ffffffffbf', '--user --keep-caps --mount'],
  ['the four of the documentation', 'CapEff:\t000000c000080004', '--user --keep-caps --mount'],
  ['nobody knows', '', '--user --keep-caps --mount'],
])('tries its capability where it has it: with %s', (_, status, first) => {
  const ways = waysOut(`Name:\tnode\n${status}\nCapBnd:\t000001ffffffffff\n`);
  expect(ways[0]).toBe(first);
  expect(new Set(ways).size).toBe(2);
});
