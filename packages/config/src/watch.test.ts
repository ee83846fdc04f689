// Real files and real notifications: waits for what must happen, never for a time to pass.
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConfigError } from './errors.ts';
import { limitsSettings, topicSettings } from './groups.ts';
import { watchConfig, type ConfigChange, type ConfigWatcher } from './watch.ts';

const settings = { ...limitsSettings, ...topicSettings };
let folder: string;
let watcher: ConfigWatcher | undefined;
const DEBOUNCE_MS = 20;

let changes: { maxAlertPerSec: number; rawTopic: string; change: ConfigChange }[];
let refused: ConfigError[];
let unchanged: ConfigChange[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alert-throttle-watch-'));
  changes = [];
  refused = [];
  unchanged = [];
});
afterEach(async () => {
  await watcher?.close();
  rmSync(folder, { recursive: true });
});

async function watching(file: string, env: Record<string, string> = {}): Promise<void> {
  watcher = watchConfig(settings, {
    env,
    file,
    debounceMs: DEBOUNCE_MS,
    // Long: what is tested is that changes are announced.
    pollMs: 600_000,
    onChange: ({ maxAlertPerSec, rawTopic }, change) => changes.push({ maxAlertPerSec, rawTopic, change }),
    onInvalid: (error) => refused.push(error),
    onUnchanged: (change) => unchanged.push(change),
  });
  await watcher.ready;
}

const soon = { timeout: 20_000, interval: 5 };

describe('ways in which a file changes', () => {
  test('given a file that is written in place, then the change is applied', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file);
    writeFileSync(file, 'maxAlertPerSec: 3\n');
    await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(3), soon);
    expect(changes.at(-1)?.change).toEqual({
      applied: ['maxAlertPerSec'],
      restartNeeded: [],
      overridden: [],
    });
  });

  test('given a file that is emptied and then written, many times, then defaults are never in force', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file);
    let stills = 0;
    for (let limit = 101; limit <= 140; limit++) {
      // Slower than the system's own writes, faster than a file is still; on a busy machine not always.
      truncateSync(file);
      const sinceMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, limit % 20));
      writeFileSync(file, `maxAlertPerSec: ${limit}\n`);
      if (performance.now() - sinceMs >= DEBOUNCE_MS) stills += 1;
      await new Promise((resolve) => setTimeout(resolve, limit % 30));
    }
    await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(140), soon);
    const defaults = changes.filter(({ maxAlertPerSec }) => maxAlertPerSec <= 100);
    expect(defaults.length).toBeLessThanOrEqual(stills);
    expect(refused).toEqual([]);
  });

  test('given an editor that renames a new file over it, twice, then both changes are applied', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file);
    for (const limit of [3, 4]) {
      writeFileSync(`${file}.new`, `maxAlertPerSec: ${limit}\n`);
      renameSync(`${file}.new`, file);
      await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(limit), soon);
    }
  });

  test('given a ConfigMap volume whose link is swapped, twice, then both changes are applied', async () => {
    const version = (name: string, limit: number): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'limits.yaml'), `maxAlertPerSec: ${limit}\n`);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    version('..1', 2);
    symlinkSync('..data/limits.yaml', join(folder, 'limits.yaml'));
    await watching(join(folder, 'limits.yaml'));
    version('..2', 3);
    await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(3), soon);
    rmSync(join(folder, '..1'), { recursive: true });
    version('..3', 4);
    await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(4), soon);
    expect(refused).toEqual([]);
  });

  test('given a file that is deleted and comes back, then it is refused once and followed again', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file);
    unlinkSync(file);
    await vi.waitFor(() => expect(refused).toHaveLength(1), soon);
    expect(refused[0]?.message).toContain('no such file');
    writeFileSync(file, 'maxAlertPerSec: 3\n');
    await vi.waitFor(() => expect(changes.at(-1)?.maxAlertPerSec).toBe(3), soon);
  });
});

describe('what is done with a change', () => {
  test('given an invalid one, then it is refused by name and the last good stays; back to it, nothing is applied', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file);
    writeFileSync(file, 'maxAlertPerSec: 0\n');
    await vi.waitFor(() => expect(refused).toHaveLength(1), soon);
    expect(refused[0]?.problems[0]?.key).toBe('maxAlertPerSec');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await vi.waitFor(() => expect(unchanged).toHaveLength(1), soon);
    expect(changes).toEqual([]);
  });

  test('given settings that need a restart, then they are told and stay as they are, also in later changes', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\nrawTopic: before\n');
    await watching(file);
    writeFileSync(file, 'maxAlertPerSec: 2\nrawTopic: after\n');
    await vi.waitFor(() => expect(unchanged.at(-1)?.restartNeeded).toEqual(['rawTopic']), soon);
    writeFileSync(file, 'maxAlertPerSec: 3\nrawTopic: after\n');
    await vi.waitFor(() => expect(changes).toHaveLength(1), soon);
    expect(changes[0]).toMatchObject({ maxAlertPerSec: 3, rawTopic: 'before' });
  });

  test('given a setting that the environment overrides, then that is told', async () => {
    const file = join(folder, 'limits.yaml');
    writeFileSync(file, 'maxAlertPerSec: 2\n');
    await watching(file, { MAX_ALERT_PER_SEC: '9' });
    writeFileSync(file, 'maxAlertPerSec: 3\n');
    await vi.waitFor(() => expect(unchanged.at(-1)?.overridden).toEqual(['maxAlertPerSec']), soon);
    expect(changes).toEqual([]);
  });
});

test('given no file, then there is nothing to watch', async () => {
  const idle = watchConfig(settings, { env: {}, onChange: () => undefined, onInvalid: () => undefined });
  await idle.ready;
  await idle.close();
});
