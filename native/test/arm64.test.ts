/**
 * The programs and the addon are compiled for arm64, too: whoever runs them there is the first, as nothing here can. That
 * they compile and link, and that every hook has its program, is all that is known.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  addon,
  BPF_OBJECT,
  BPF_SOURCE,
  bpfObject,
  BUILD,
  findToolchain,
  make,
  provideArm64,
} from '@alert-throttle/native/build';

const MACHINE_AT = 18;
const MACHINE = { bpf: 247, arm64: 183 } as const;

const { found: tools } = findToolchain();
const arm64 = await provideArm64();
const missing = 'missing' in arm64 ? arm64.missing : tools ? undefined : 'no clang and bpftool here';
if (missing !== undefined) console.log(`NOT COMPILED FOR ARM64: ${missing}`);

/** Names of the programs and maps of an object, among its symbols. */
function symbolsOf(file: string): string[] {
  const text = readFileSync(file, 'latin1');
  return [...new Set(text.match(/\0at_[a-z0-9_]+(?=\0)/g) ?? [])].map((name) => name.slice(1)).toSorted();
}

describe.skipIf(missing !== undefined)(
  `arm64${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  { timeout: 600_000 },
  () => {
    const output = join(BUILD, 'arm64');
    beforeAll(async () => {
      if (tools) await make(bpfObject(tools));
    }, 600_000);

    test('the programs compile, all of them', async () => {
      if (!tools) return expect.unreachable();
      const object = join(output, 'alert_throttle.bpf.o');
      // The headers of that machine's kernel came with the compiler, and lie where no native ones do.
      const multiarch = '../aarch64-linux-gnu/include';
      await make(bpfObject({ ...tools, multiarch }, BPF_SOURCE, object, [], 'arm64'));
      expect(readFileSync(object).readUInt16LE(MACHINE_AT)).toBe(MACHINE.bpf);
      expect(symbolsOf(object).length).toBeGreaterThan(30);
      expect(symbolsOf(object)).toEqual(symbolsOf(BPF_OBJECT));
      // Registers of the machine are read in one place, by its own names.
      expect(readFileSync(object).equals(readFileSync(BPF_OBJECT))).toBe(false);
      expect(readFileSync(object, 'latin1')).toContain('syscallno');
    });

    test('the addon compiles and links', async () => {
      if ('missing' in arm64) return expect.unreachable();
      const { cxx, sysroot } = arm64;
      const libraries = join(sysroot, 'usr/lib/aarch64-linux-gnu');
      const flags = [
        ...['-isystem', join(sysroot, 'usr/include'), '-L', libraries],
        ...[libraries, join(sysroot, 'lib/aarch64-linux-gnu')].map((folder) => `-Wl,-rpath-link,${folder}`),
        // Everything that it needs of its libraries is in them; of Node-API, nothing is known here.
        '-Wl,--allow-shlib-undefined',
      ];
      const file = join(output, 'alert_throttle.node');
      await make(addon({ cxx }, false, { output: file, flags }));
      const bytes = readFileSync(file);
      expect(bytes.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(bytes.readUInt16LE(MACHINE_AT)).toBe(MACHINE.arm64);
      expect(bytes.toString('latin1')).toContain('libbpf.so.1');
    });
  },
);
