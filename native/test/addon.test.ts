// What the addon does without loading anything into a kernel: arguments, errors, hashes, paths, locks.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addon, bpfObject, describeMissing, findToolchain, make, ROOT } from '@alert-throttle/native/build';
import { isNativeError, loadBinding, type Binding, type Handle } from '@alert-throttle/native';

const { found, missing } = findToolchain();
const fixture = join(ROOT, 'native', 'test', 'fixture', 'fixture.bpf.c');

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

describe.skipIf(found === undefined)(`the addon${found ? '' : `: ${describeMissing(missing)}`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-addon-'));
  const object = join(folder, 'fixture.bpf.o');
  let binding: Binding;

  beforeAll(async () => {
    if (found === undefined) return;
    await make(addon(found));
    await make(bpfObject(found, fixture, object));
    binding = loadBinding();
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is loaded once more in a worker, and in a process that leaves it open', () => {
    const script = `
      import { Worker } from 'node:worker_threads';
      import { loadBinding } from '@alert-throttle/native';
      const open = \`new (process.getBuiltinModule('module').createRequire('/')(${JSON.stringify(
        join(ROOT, 'native/build/alert_throttle.node'),
      )}).ObjectFile)(${JSON.stringify(object)})\`;
      const worker = new Worker(open, { eval: true });
      await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
      new (loadBinding().ObjectFile)(${JSON.stringify(object)});
      console.log('good');`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(output).toBe('good\n');
  });

  describe('an object', () => {
    test('names its maps and programs', () => {
      const file = new binding.ObjectFile(object);
      expect(file.programs()).toContainEqual({ name: 'fixture_file_open', section: 'lsm/file_open' });
      const maps = file.maps().filter(({ internal }) => !internal);
      expect(maps.map(({ name }) => name)).toEqual(expect.arrayContaining(['settings', 'enforcement_ring']));
      expect(maps.find(({ name }) => name === 'settings')).toMatchObject({ keySize: 4, valueSize: 168 });
      file.setMaxEntries('rules', 77);
      expect(file.maps().find(({ name }) => name === 'rules')?.maxEntries).toBe(77);
      file.close();
      file.close();
    });

    test('has constants to set; one that it has not is no error', () => {
      const file = new binding.ObjectFile(object);
      expect(file.setConstant('at_generation', 7)).toBe(true);
      expect(file.setConstant('at_nothing', 7)).toBe(false);
      file.close();
    });

    test('that is closed, or names that are not in it, are errors and not crashes', () => {
      const file = new binding.ObjectFile(object);
      expect(errorOf(() => file.map('nothing'))).toMatchObject({ code: 'ENOENT', step: 'map nothing' });
      expect(errorOf(() => file.setAutoload('nothing', true))).toMatchObject({ code: 'ENOENT' });
      file.close();
      for (const call of [
        () => file.maps(),
        () => file.programs(),
        () => file.load(),
        () => file.map('settings'),
        () => file.setConstant('at_generation', 1),
      ])
        expect(errorOf(call)).toBeInstanceOf(TypeError);
    });

    test('that is not there or no object brings what libbpf says', () => {
      const absent = errorOf(() => new binding.ObjectFile(join(folder, 'absent.o')));
      expect(isNativeError(absent)).toBe(true);
      expect(absent).toMatchObject({
        code: 'ENOENT',
        errno: 2,
        log: expect.stringContaining('absent.o') as string,
      });
      writeFileSync(join(folder, 'text.o'), 'no object at all');
      // A number of libbpf's own, which libc has no name for.
      expect(errorOf(() => new binding.ObjectFile(join(folder, 'text.o')))).toMatchObject({
        code: 'LIBBPF_4001',
        message: expect.stringContaining('BPF object format') as string,
      });
    });
  });

  describe('arguments', () => {
    test.each<[string, (handle: Handle) => unknown]>([
      ['no handle', () => binding.mapInfo({} as Handle)],
      ['a number for a handle', () => binding.mapInfo(3 as unknown as Handle)],
      ['a handle of nothing', () => binding.mapInfo(undefined as unknown as Handle)],
      ['a closed handle', (handle) => binding.mapInfo(handle)],
      ['a fraction', () => binding.resolveInRoot(1.5, '/')],
      ['a negative number', () => binding.resolveInRoot(-1, '/')],
      ['a number beyond 32 bits', () => binding.resolveInRoot(2 ** 32, '/')],
      ['a path with a zero byte', () => binding.resolveInRoot(process.pid, '/etc\0/passwd')],
      ['a path that is no text', () => binding.openPinned(7 as unknown as string)],
      ['a secret of one word', () => binding.hashPath(new BigUint64Array(1), '/')],
      [
        'a secret of small words',
        () => binding.hashPath(new Uint32Array(2) as unknown as BigUint64Array, '/'),
      ],
      ['rings that are no maps', () => new binding.RingReader([{} as Handle], 4096)],
      ['names that are no list', () => binding.kernelHas('x' as unknown as string[])],
    ])('%s is a TypeError', (_, call) => {
      const handle = binding.lockFolder(folder);
      handle.close();
      expect(handle.closed).toBe(true);
      expect(errorOf(() => call(handle))).toBeInstanceOf(TypeError);
    });

    test('a descriptor of something else is an error of the kernel', () => {
      const handle = binding.lockFolder(folder);
      expect(errorOf(() => binding.mapInfo(handle))).toMatchObject({ code: 'EINVAL', step: 'map info' });
      expect(errorOf(() => binding.pin(handle, join(folder, 'pin')))).toMatchObject({
        code: expect.stringMatching(/^E/) as string,
      });
      handle.close();
      handle.close();
    });
  });

  test('one process at a time locks a folder', () => {
    const script = `
      import { loadBinding } from '@alert-throttle/native';
      try { loadBinding().lockFolder(${JSON.stringify(folder)}); console.log('locked'); }
      catch (error) { console.log(error.code); }`;
    const other = () =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        cwd: ROOT,
        encoding: 'utf8',
      }).trim();
    const lock = binding.lockFolder(folder);
    expect(other()).toBe('EAGAIN');
    lock.close();
    expect(other()).toBe('locked');
  });

  test('a path is resolved inside the root of a process', () => {
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real', 'file'), '');
    symlinkSync('../../../../../../../..' + join(folder, 'real'), join(folder, 'link'));
    const resolve = (path: string) => binding.resolveInRoot(process.pid, path);
    expect(resolve(join(folder, 'link', 'file'))).toBe(join(folder, 'real', 'file'));
    expect(resolve(join(folder, 'absent'))).toBeUndefined();
    expect(resolve(join(folder, 'real', 'file', 'below'))).toBeUndefined();
    unlinkSync(join(folder, 'real', 'file'));
    expect(resolve(join(folder, 'link', 'file'))).toBeUndefined();
    expect(errorOf(() => binding.resolveInRoot(2 ** 31, '/'))).toMatchObject({ code: 'ENOENT' });
  });

  describe('hashes', () => {
    const secret = BigUint64Array.of(0x0123456789abcdefn, 0xfedcba9876543210n);
    const path = (text: string, under = secret) => binding.hashPath(under, text);

    test('know paths by their components, whatever the slashes between them', () => {
      expect(path('/')).toEqual({ hash: 0n, depth: 0 });
      expect(path('//etc///shadow/')).toEqual(path('/etc/shadow'));
      expect(path('/etc/shadow').depth).toBe(2);
    });

    test('tell apart the order of components, where one ends, and secrets', () => {
      const texts = [
        '/a',
        '/b',
        '/a/b',
        '/b/a',
        '/ab',
        '/a/a',
        '/a\u0001',
        '/aaaaaaaa',
        '/aaaaaaaaa',
        '/a/b/c',
      ];
      const hashes = new Set(texts.map((text) => path(text).hash));
      expect(hashes.size).toBe(texts.length);
      expect(path('/a', BigUint64Array.of(1n, 2n)).hash).not.toBe(path('/a').hash);
      expect(path('/a/b', BigUint64Array.of(secret[0] ?? 0n, 8n)).hash).not.toBe(path('/a/b').hash);
    });

    test('of names take the bytes, all of them', () => {
      const name = (text: string) => binding.hashName(secret, text);
      expect(name('curl')).toBe(name('curl'));
      expect(
        new Set(['curl', 'curl ', 'Curl', 'ä', 'a', 'x'.repeat(255), 'x'.repeat(254)].map(name)).size,
      ).toBe(7);
    });
  });

  test('the clocks are apart by the time since boot', () => {
    const offset = binding.realtimeOffsetNs();
    const bootedAtMs =
      Date.now() - Number(execFileSync('cut', ['-d.', '-f1', '/proc/uptime'], { encoding: 'utf8' })) * 1000;
    expect(Math.abs(Number(offset / 1_000_000n) - bootedAtMs)).toBeLessThan(60_000);
  });
});
