import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BuildError, describeMissing, make, ROOT, type Product } from '@alert-throttle/native/build';

let folder = '';
let product: Product;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alert-throttle-build-'));
  writeFileSync(join(folder, 'input'), 'one');
  product = {
    output: join(folder, 'out', 'product'),
    inputs: [join(folder, 'input')],
    compiler: 'node',
    intermediates: ['HALF'],
    commands: [
      ['cp', join(folder, 'input'), 'HALF'],
      ['cp', 'HALF', 'OUTPUT'],
    ],
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const made = () => readFileSync(product.output, 'utf8');

describe('a product', () => {
  test('is made once, and again when an input, a command or the product itself has changed', async () => {
    expect(await make(product)).toBe(true);
    expect(made()).toBe('one');
    expect(await make(product)).toBe(false);

    writeFileSync(join(folder, 'input'), 'two');
    expect(await make(product)).toBe(true);
    expect(made()).toBe('two');

    expect(
      await make({ ...product, commands: [['cp', '--preserve', join(folder, 'input'), 'OUTPUT']] }),
    ).toBe(true);
    rmSync(product.output);
    expect(await make({ ...product })).toBe(true);
  });

  test('leaves nothing beside it but the note of what it was made of', async () => {
    await make(product);
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['product', 'product.inputs']);
  });

  test('that cannot be made leaves the one before, and is tried again', async () => {
    await make(product);
    writeFileSync(join(folder, 'input'), 'two');
    const failing = { ...product, commands: [...product.commands, ['ls', '/nothing/here']] };
    await expect(make(failing)).rejects.toThrow(BuildError);
    await expect(make(failing)).rejects.toThrow('/nothing/here');
    expect(made()).toBe('one');
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['product', 'product.inputs']);
    expect(await make(product)).toBe(true);
    expect(made()).toBe('two');
  });

  test('made twice at once is whole', async () => {
    await Promise.all([make(product), make({ ...product, output: join(folder, 'out', 'other') })]);
    expect(existsSync(join(folder, 'out', 'other'))).toBe(true);
    expect(made()).toBe('one');
  });
});

test('what is missing is said in one line, with the packages', () => {
  const line = describeMissing([
    { what: 'clang 14 or later', debianPackage: 'clang-16' },
    { what: 'bpf/libbpf.h', debianPackage: 'libbpf-dev' },
  ]);
  expect(line).toBe('missing clang 14 or later, bpf/libbpf.h (Debian: apt-get install clang-16 libbpf-dev)');
});

describe('on a machine without compilers', () => {
  const said = 'kernel source not built: missing clang 14 or later, ';
  const toInstall = /^[^\n]* \(Debian: apt-get install clang-16 [^\n]*g\+\+[^\n]*\)\n$/;

  /** As npm runs it, with nothing to be found but Node. */
  function run(command: string) {
    symlinkSync(process.execPath, join(folder, 'node'));
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], {
      cwd: ROOT,
      env: { PATH: folder, NODE_NO_WARNINGS: '1' },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  test('npm ci goes on without the kernel source, and says in one line what to install for it', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const { status, stdout, stderr } = run(scripts['postinstall'] ?? 'false');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr).toMatch(toInstall);
  });

  test('whoever asks for the build gets the same line as an error', () => {
    const { status, stderr } = run('node native/scripts/build.ts');
    expect(status).toBe(1);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(toInstall);
  });
});
