import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ComponentStatus } from '@alert-throttle/stack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StackUse, type StackCommands } from './stack-use.ts';

let dir: string;
let other: ChildProcess;
let servers: number[];
let nextPid: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quickstart-stack-'));
  mkdirSync(join(dir, 'run'));
  other = spawn('sleep', ['60']);
  servers = [];
  nextPid = 5_000_000;
});
afterEach(() => {
  other.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

/** Stands in for the launcher: what runs is a list of process ids. */
const commands: StackCommands = {
  up: () => {
    const started = servers.length === 0;
    if (started) servers = [nextPid++, nextPid++];
    return Promise.resolve({ env: { KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '', REDIS_URL: '' }, started });
  },
  down: () => {
    servers = [];
    return Promise.resolve();
  },
  status: () =>
    Promise.resolve(
      servers.map((pid): ComponentStatus => ({ name: 'kafka', title: '', state: 'healthy', pid, log: '' })),
    ),
};

function use(pid = process.pid): StackUse {
  const topics = { names: { raw: 'r', throttled: 't', deadLetter: 'd' }, partitions: 1 };
  return new StackUse({
    dir,
    topics,
    log: () => undefined,
    signal: new AbortController().signal,
    pid,
    commands,
  });
}

describe('the stack of a run', () => {
  it('is stopped by the run that started it', async () => {
    const run = use();
    await run.up();
    expect(await run.release()).toEqual({ goesOn: false });
    expect(servers).toEqual([]);
  });

  it('stays up where it was up before', async () => {
    servers = [1];
    const run = use();
    await run.up();
    expect(await run.release()).toEqual({ goesOn: true });
    expect(servers).toEqual([1]);
  });

  it('is stopped by the last run that uses it, whoever started it', async () => {
    const [first, second] = [use(), use(other.pid)];
    await first.up();
    await second.up();
    expect(await first.release()).toEqual({ goesOn: true });
    expect(await second.release()).toEqual({ goesOn: false });
    expect(servers).toEqual([]);
  });

  it('does not wait for a run that was killed', async () => {
    const [first, second] = [use(), use(other.pid)];
    await first.up();
    await second.up();
    const gone = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await gone;
    expect(await first.release()).toEqual({ goesOn: false });
  });

  it('stays up where it was started anew by hand, after a run that was killed', async () => {
    await use(other.pid).up();
    other.kill('SIGKILL');
    servers = [7, 8];
    const run = use();
    await run.up();
    expect(await run.release()).toEqual({ goesOn: true });
  });

  it('is nothing to stop where it never came up', async () => {
    expect(await use().release()).toEqual({ goesOn: false });
  });
});
