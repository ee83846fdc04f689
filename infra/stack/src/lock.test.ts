import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withLock } from './lock.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const log = (): undefined => undefined;

it('lets one at a time work on a folder, and says what the other waits for', async () => {
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    events.push(`${name} ends`);
  };
  const lines: string[] = [];
  await Promise.all([
    withLock(dir, { log: (line) => lines.push(line) }, work('first')),
    withLock(dir, { log: (line) => lines.push(line) }, work('second')),
  ]);
  const [one, other] = events[0] === 'first begins' ? ['first', 'second'] : ['second', 'first'];
  expect(events).toEqual([`${one} begins`, `${one} ends`, `${other} begins`, `${other} ends`]);
  expect(lines.join()).toContain('Another command');
});

it('is free again after work that failed', async () => {
  await expect(withLock(dir, { log }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(withLock(dir, { log }, () => Promise.resolve(1))).resolves.toBe(1);
});

it('is free again after its holder was killed', async () => {
  const script = `
    const { withLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
    await withLock(process.argv[1], { log() {} }, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const waiting = withLock(dir, { log }, () => Promise.resolve('mine'));
  child.kill('SIGKILL');
  await expect(waiting).resolves.toBe('mine');
});

it('stops waiting with the reason that it is given', async () => {
  const interruption = new AbortController();
  const reason = new Error('interrupted');
  await withLock(dir, { log }, async () => {
    const waiting = withLock(dir, { log, signal: interruption.signal }, () => Promise.resolve());
    interruption.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

it('of one folder is not that of another', async () => {
  const other = mkdtempSync(join(tmpdir(), 'lock-'));
  const inner = await withLock(dir, { log }, () => withLock(other, { log }, () => Promise.resolve('both')));
  expect(inner).toBe('both');
  rmSync(other, { recursive: true });
});
