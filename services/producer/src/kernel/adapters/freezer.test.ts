import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cgroups } from './cgroups.ts';
import { Freezer } from './freezer.ts';

let root: string;
let cgroups: Cgroups;
let id: bigint;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'freezer-'));
  mkdirSync(join(root, 'web'));
  writeFileSync(join(root, 'web', 'cgroup.freeze'), '0\n');
  cgroups = new Cgroups(root);
  id = cgroups.idOf('/web') ?? expect.unreachable();
});
afterEach(() => rmSync(root, { recursive: true }));

function freezer(): Freezer {
  return new Freezer(cgroups, join(root, 'frozen'));
}

function state(): string {
  return readFileSync(join(root, 'web', 'cgroup.freeze'), 'utf8').trim();
}

it('thaws what an earlier run has frozen, once', () => {
  expect(freezer().freeze(id, '/web')).toBe(true);
  expect(state()).toBe('1');
  expect(freezer().thawLeft()).toEqual(['/web']);
  expect(state()).toBe('0');
  expect(freezer().thawLeft()).toEqual([]);
});

it('leaves alone what somebody else has frozen', () => {
  writeFileSync(join(root, 'web', 'cgroup.freeze'), '1\n');
  expect(freezer().freeze(id, '/web')).toBe(false);
  expect(freezer().thawLeft()).toEqual([]);
  expect(state()).toBe('1');
});

it('forgets a cgroup that is gone, and does not touch another one in its place', () => {
  const first = freezer();
  first.freeze(id, '/web');
  rmSync(join(root, 'web'), { recursive: true });
  mkdirSync(join(root, 'other'));
  mkdirSync(join(root, 'web'));
  writeFileSync(join(root, 'web', 'cgroup.freeze'), '1\n');
  expect(freezer().thawLeft()).toEqual(['/web']);
  expect(state()).toBe(cgroups.idOf('/web') === id ? '0' : '1');
  expect(freezer().freeze(id + 1n, '/web')).toBe(false);
});
