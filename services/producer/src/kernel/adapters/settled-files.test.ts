import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../../testing/temporary-folder.ts';
import { followFiles, type Texts } from './settled-files.ts';

interface Followed {
  readonly told: Record<string, string>[];
  readonly troubles: string[];
}

function follow(folder: string): Followed {
  const followed: Followed = { told: [], troubles: [] };
  const files = followFiles({
    folder,
    isMeant: (name) => name.endsWith('.yaml'),
    onTexts: (texts: Texts) =>
      followed.told.push(Object.fromEntries([...texts].map(([name, text]) => [name, String(text)]))),
    onFolderError: (reason) => followed.troubles.push(reason),
    debounceMs: 5,
    pollMs: 50,
  });
  onTestFinished(() => files.close());
  return followed;
}

async function untilTold({ told }: Followed, expected: Record<string, string>): Promise<void> {
  await vi.waitFor(() => expect(told.at(-1)).toEqual(expected), { timeout: 20_000 });
}

describe('followFiles', { timeout: 30_000 }, () => {
  it('tells what is there at once, and then each change', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.yaml'), '1');
    writeFileSync(join(folder, 'a.txt'), 'not meant');
    const followed = follow(folder);
    expect(followed.told).toEqual([{ 'a.yaml': '1' }]);
    writeFileSync(join(folder, 'b.yaml'), '2');
    await untilTold(followed, { 'a.yaml': '1', 'b.yaml': '2' });
    rmSync(join(folder, 'a.yaml'));
    await untilTold(followed, { 'b.yaml': '2' });
  });

  it('does not believe a file before it stands still', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.yaml'), 'whole 0');
    const followed = follow(folder);
    for (let round = 1; round <= 20; round++) {
      writeFileSync(join(folder, 'a.yaml'), '');
      writeFileSync(join(folder, 'a.yaml'), `whole ${round}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await untilTold(followed, { 'a.yaml': 'whole 20' });
    expect(followed.told.filter((texts) => texts['a.yaml'] === '')).toEqual([]);
  });

  it('follows the links of a ConfigMap volume', async () => {
    const folder = temporaryFolder();
    for (const version of ['1', '2']) {
      mkdirSync(join(folder, `..${version}`));
      writeFileSync(join(folder, `..${version}`, 'a.yaml'), version);
    }
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
    const followed = follow(folder);
    expect(followed.told).toEqual([{ 'a.yaml': '1' }]);
    symlinkSync('..2', join(folder, '..new'));
    renameSync(join(folder, '..new'), join(folder, '..data'));
    await untilTold(followed, { 'a.yaml': '2' });
  });

  it('says once that the folder is missing, and finds it when it is there', async () => {
    const folder = join(temporaryFolder(), 'later');
    const followed = follow(folder);
    expect(followed.told).toEqual([]);
    expect(followed.troubles).toHaveLength(1);
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.yaml'), '1');
    await untilTold(followed, { 'a.yaml': '1' });
  });

  it('tells why a file cannot be read', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.yaml'), Buffer.from([0xff, 0xfe]));
    expect(follow(folder).told).toEqual([{ 'a.yaml': 'Error: it is not UTF-8 text' }]);
  });
});
