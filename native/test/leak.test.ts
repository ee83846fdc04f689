// A thousand times opened and closed, loaded and unloaded, without a kernel: nothing may be left of it.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ADDON,
  ADDON_ASAN,
  addon,
  BPF_OBJECT,
  bpfObject,
  describeMissing,
  findToolchain,
  make,
} from '@alert-throttle/native/build';
import type { Held } from './leak-child.ts';

const { found, missing } = findToolchain();

interface Figures {
  readonly before: Held;
  readonly after: Held;
}

function run(file: string, [rounds, loads]: readonly [number, number], env: NodeJS.ProcessEnv = {}) {
  const child = join(import.meta.dirname, 'leak-child.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', child, file, BPF_OBJECT, String(rounds), String(loads)],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...env } },
  );
  return { status, stdout, stderr };
}

const grown = ({ before, after }: Figures) => ({
  descriptors: after.descriptors - before.descriptors,
  residentKb: after.residentKb - before.residentKb,
});

describe.skipIf(found === undefined)(`the addon${found ? '' : `: ${describeMissing(missing)}`}`, () => {
  beforeAll(async () => {
    if (found === undefined) return;
    await make(bpfObject(found));
    await make(addon(found));
    await make(addon(found, true));
  }, 600_000);

  test('neither holds nor grows by anything', () => {
    const { status, stdout, stderr } = run(ADDON, [1000, 1000]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { loading, opening } = JSON.parse(stdout) as Readonly<Record<'loading' | 'opening', Figures>>;
    expect(grown(opening).descriptors).toBe(0);
    // An object that stays is 440 kB, of each round that would be 440 MB; Node's own heap moves by a few MB.
    expect(grown(opening).residentKb).toBeLessThan(40_000);
    expect(grown(loading).descriptors).toBe(0);
    // A copy of the addon that is not unloaded whole leaves 72 kB at least, the C++ library's reserve for exceptions; workers
    // of Node alone leave 10 to 20 kB.
    expect(grown(loading).residentKb).toBeLessThan(50_000);
  }, 300_000);

  test('has nothing that LeakSanitizer finds, to the byte', () => {
    const cxx = found?.cxx ?? '';
    const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
      execFileSync(cxx, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
    );
    const { status, stderr } = run(ADDON_ASAN, [1000, 20], {
      LD_PRELOAD: libraries.join(' '),
      ASAN_OPTIONS: 'detect_leaks=1:exitcode=99',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      LSAN_OPTIONS: `suppressions=${join(import.meta.dirname, 'fixture', 'leak-suppressions')}:print_suppressions=0`,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  }, 300_000);
});
