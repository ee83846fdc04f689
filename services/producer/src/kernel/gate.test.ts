import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@alert-throttle/observability';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Cgroups } from './adapters/cgroups.ts';
import { Freezer } from './adapters/freezer.ts';
import type { NodeContainer } from './core/node-container.ts';
import { Gate } from './gate.ts';
import { NodeContainers } from './node-containers.ts';
import { quietObserver } from './testing/quiet-observer.ts';
import { Voice } from './voice.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const PATH = `/docker/${ID}`;
const NODE = { clusterName: 'c', hostName: 'h', nodeId: 'n' };

let root: string;
let container: NodeContainer;
let freezer: Freezer;
let said: string[];
let held: { readonly seconds: number; readonly areRulesIn: boolean }[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gate-'));
  mkdirSync(join(root, PATH), { recursive: true });
  writeFileSync(join(root, PATH, 'cgroup.freeze'), '0\n');
  const cgroups = new Cgroups(root);
  freezer = new Freezer(cgroups, join(root, 'frozen'));
  said = [];
  held = [];
  const found: NodeContainer[] = [];
  const containers = new NodeContainers({
    cgroups,
    node: NODE,
    nowMs: () => 0,
    onFound: (one) => found.push(one),
    onUnseen: () => undefined,
  });
  containers.created(cgroups.idOf(PATH) ?? expect.unreachable(), PATH, 1_000);
  container = found[0] ?? expect.unreachable();
});
afterEach(() => rmSync(root, { recursive: true }));

function gate(more: { isOn?: boolean; deadlineMs?: number } = {}): Gate {
  const voice = new Voice({
    logger: createLogger({ service: 'test', level: 'fatal', format: 'json' }),
    observer: { ...quietObserver, held: (seconds, areRulesIn) => held.push({ seconds, areRulesIn }) },
    node: NODE,
    enforcer: 'BPFLSM',
    nowMicros: () => 0,
    emit: ({ Operation, Message }) => said.push(`${Operation} ${Message}`),
  });
  return new Gate({ isOn: true, freezer, voice, nowMicros: () => 0, ...more });
}

function isFrozen(): boolean {
  return readFileSync(join(root, PATH, 'cgroup.freeze'), 'utf8').trim() === '1';
}

it('holds a new container until its rules are in', async () => {
  let during: boolean | undefined;
  await gate().hold(container, () => {
    during = isFrozen();
    return Promise.resolve();
  });
  expect([during, isFrozen()]).toEqual([true, false]);
  expect(held).toEqual([{ seconds: 0, areRulesIn: true }]);
  expect(container.exposed.heldMs).toBe(0);
  expect(said).toEqual([]);
});

it('lets go when bringing the rules fails', async () => {
  const failed = gate().hold(container, () => Promise.reject(new Error('no')));
  await expect(failed).rejects.toThrow('no');
  expect(isFrozen()).toBe(false);
});

it('lets go after a deadline, and says so', async () => {
  let finish = (): void => undefined;
  const done = gate({ deadlineMs: 1 }).hold(container, () => new Promise((resolve) => (finish = resolve)));
  expect(isFrozen()).toBe(true);
  await vi.waitUntil(() => !isFrozen());
  expect(said).toEqual([expect.stringContaining('PolicyWarning let go after')]);
  finish();
  await done;
  expect(held).toEqual([{ seconds: 0, areRulesIn: false }]);
});

it('leaves nothing frozen when the producer ends', () => {
  const one = gate();
  void one.hold(container, () => new Promise(() => undefined));
  expect(isFrozen()).toBe(true);
  one.close();
  expect(isFrozen()).toBe(false);
});

it('holds nothing while it is off', async () => {
  await gate({ isOn: false }).hold(container, () => {
    expect(isFrozen()).toBe(false);
    return Promise.resolve();
  });
  expect(held).toEqual([]);
});
