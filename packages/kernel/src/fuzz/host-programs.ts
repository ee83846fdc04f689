// The BPF programs compiled for the host (bpf/test/verdict_host.c): a node's maps and accesses go in, results and the
// records of the rings come out. One run of the program has many of both.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding, type Binding, type Handle } from '@alert-throttle/native';
import { decodeBatch, type KernelEvent } from '../events.ts';
import * as layout from '../layout.ts';
import { Maps, u32Key } from '../maps.ts';
import type { Hasher } from '../rule-entries.ts';
import { RuleSets } from '../rule-sets.ts';
import { array, struct, u32, u64 } from '../struct.ts';

const BPF = join(import.meta.dirname, '../../../../bpf');

/** In the order of enum hook. */
export const HOOKS = [
  'open',
  'exec',
  'socket',
  'capable',
  'unlink',
  'mkdir',
  'rename',
  'link',
  'receive',
] as const;
export type Hook = (typeof HOOKS)[number];

export const STEPS_OF_A_RENAME = 7;
/** Of the owner of what does not exist. */
export const NOBODY = 0xffffffff;

const FLAGS = { write: 1, trunc: 2, directory: 4, calm: 8, detached: 16 } as const;

export interface HostRename {
  readonly component: number;
  readonly name: string;
  /** Before which look at the kernel's memory each step is taken. */
  readonly at: readonly number[];
}

export interface HostAccess {
  readonly hook: Hook;
  readonly flags: readonly (keyof typeof FLAGS)[];
  readonly uid: number;
  readonly owner: number;
  readonly otherOwner?: number;
  readonly args?: readonly number[];
  readonly path: string;
  readonly other?: string;
  /** Undefined: the executable has no path. */
  readonly source: string | undefined;
  /** A second mount of a folder of the container's root, after so many components of the path. */
  readonly bound?: { readonly folder: string; readonly at: number };
  /** Components (from 1) on which another filesystem is mounted. */
  readonly crossings?: readonly number[];
  readonly renames?: readonly HostRename[];
}

export interface HostResult {
  readonly result: number;
  readonly renamesBegun: number;
  readonly events: readonly KernelEvent[];
}

const accessStruct = struct({
  hook: u32,
  flags: u32,
  uid: u32,
  owner: u32,
  other_owner: u32,
  arg: array(u32, 3),
  path: u32,
  other: u32,
  source: u32,
  bound: u32,
  bound_at: u32,
  crossings: array(u32, 4),
  renames: u32,
});
const renameStruct = struct({ component: u32, length: u32, at: array(u32, STEPS_OF_A_RENAME) });
const whichStruct = struct({ ruleset: u32, pad: u32, root_dev: u64, root_ino: u64 });
const resultBytes = 12;

/** The compiled program; undefined where there is no C compiler. */
export function buildHostPrograms(): { readonly program: string; readonly remove: () => void } | undefined {
  const compiler = ['gcc', 'clang'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  if (compiler === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-programs-'));
  const program = join(folder, 'verdict_host');
  const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-Wno-unknown-pragmas'];
  const clang = ['-Wno-unknown-attributes', '-Wno-unused-function'];
  execFileSync(compiler, [
    ...['-std=c17', '-O1', '-g', ...warnings, ...(compiler === 'clang' ? clang : [])],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-D__TARGET_ARCH_x86'],
    ...['test/host', 'test', 'include', ''].flatMap((name) => ['-I', join(BPF, name)]),
    ...['-o', program, join(BPF, 'test', 'verdict_host.c')],
  ]);
  return { program, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function outputOf(program: string, input: Buffer): Promise<Buffer> {
  const child = spawn(program, { stdio: 'pipe' });
  const [out, said]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
  // Where it ends early, it says why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0)
    throw new Error(
      `the programs ended with ${code ?? signal ?? 'nothing'}: ${Buffer.concat(said).toString()}`,
    );
  return Buffer.concat(out);
}

/** Those that user space fills, as verdict_host.c numbers them; with sizes. */
const MAPS = {
  rules: { number: 0, key: layout.ruleKey.size, value: layout.rule.size, entries: 8192 },
  hints: { number: 1, key: layout.hintKey.size, value: layout.hint.size, entries: 8192 },
  names: { number: 2, key: 4, value: layout.name.size, entries: 65_536 },
  rulesets: { number: 3, key: 4, value: layout.ruleset.size, entries: 64 },
  settings: { number: 4, key: 4, value: layout.settings.size, entries: 1 },
} as const;
type MapName = keyof typeof MAPS;

/** What is to happen on one node, in order; carried out by `run`. */
export class HostNode {
  readonly ruleSets: RuleSets;
  readonly #input: Buffer[] = [];
  #accesses = 0;

  /** `alike`: what a path's hash is taken from, itself unless a test wants two paths to collide. */
  constructor(secret: readonly [bigint, bigint], alike: (path: string) => string = (path) => path) {
    const native = loadBinding();
    const words = BigUint64Array.from(secret);
    const hasher: Hasher = {
      path: (path) => native.hashPath(words, alike(path)),
      name: (text) => native.hashName(words, text),
    };
    this.ruleSets = new RuleSets(this.#maps(native), hasher, new Set());
    const settings = layout.settings.encode({ hash_secret: secret, active: 1, init_mnt_ns: 1 });
    this.#set('settings', u32Key(0), settings);
  }

  /** From here on, accesses are judged by this rule set. */
  use(ruleset: number, root: { readonly dev: bigint; readonly ino: bigint }): void {
    const which = whichStruct.encode({ ruleset, root_dev: root.dev, root_ino: root.ino });
    this.#input.push(Buffer.from('R'), which);
  }

  access(access: HostAccess): void {
    const { bound, renames = [], crossings = [] } = access;
    const texts = [access.path, access.other ?? '', access.source ?? '', bound?.folder ?? ''].map((text) =>
      Buffer.from(text),
    );
    const [path, other, source, folder] = texts.map(({ length }) => length);
    const words = [0, 0, 0, 0];
    for (const at of crossings)
      words[(at - 1) >> 5] = ((words[(at - 1) >> 5] ?? 0) | (1 << ((at - 1) & 31))) >>> 0;
    const names = renames.map(({ name }) => Buffer.from(name));
    this.#input.push(
      Buffer.from('A'),
      accessStruct.encode({
        hook: HOOKS.indexOf(access.hook),
        flags: access.flags.reduce((bits, flag) => bits | FLAGS[flag], 0),
        uid: access.uid,
        owner: access.owner,
        other_owner: access.otherOwner ?? NOBODY,
        arg: access.args ?? [],
        path: path ?? 0,
        other: other ?? 0,
        source: source ?? 0,
        bound: folder ?? 0,
        bound_at: bound?.at ?? 0,
        crossings: words,
        renames: renames.length,
      }),
      ...renames.map(({ component, at }, i) =>
        renameStruct.encode({ component, length: names[i]?.length ?? 0, at }),
      ),
      ...texts,
      ...names,
    );
    this.#accesses += 1;
  }

  async run(program: string): Promise<HostResult[]> {
    const stdout = await outputOf(program, Buffer.concat(this.#input));
    const results: HostResult[] = [];
    for (let at = 0; at < stdout.length;) {
      const bytes = stdout.readUInt32LE(at + 8);
      const from = at + resultBytes;
      results.push({
        result: stdout.readInt32LE(at),
        renamesBegun: stdout.readUInt32LE(at + 4),
        events: decodeBatch(stdout.subarray(from, from + bytes)),
      });
      at = from + bytes;
    }
    if (results.length !== this.#accesses) throw new Error(`${results.length} results of ${this.#accesses}`);
    return results;
  }

  #set(map: MapName, key: Buffer, value: Buffer): void {
    this.#input.push(Buffer.from('S'), Buffer.from([MAPS[map].number]), key, value);
  }

  /** Stands where the kernel's maps are: what is written becomes input of the program. */
  #maps(native: Binding): Maps {
    const names = new Map<Handle, MapName>();
    const handles = new Map<string, Handle>();
    for (const name of Object.keys(MAPS) as MapName[]) {
      const handle: Handle = { closed: false, close: () => undefined };
      names.set(handle, name);
      handles.set(name, handle);
    }
    const of = (handle: Handle): MapName => names.get(handle) ?? 'rules';
    const each = (handle: Handle, keys: Buffer, change: (key: Buffer, index: number) => void): void => {
      const size = MAPS[of(handle)].key;
      for (let at = 0; at < keys.length; at += size) change(keys.subarray(at, at + size), at / size);
    };
    const binding: Binding = {
      ...native,
      mapInfo: (handle) => ({
        ...{ id: 1, type: 1, name: of(handle), flags: 0, maxEntries: MAPS[of(handle)].entries },
        keySize: MAPS[of(handle)].key,
        valueSize: MAPS[of(handle)].value,
        valueBytes: MAPS[of(handle)].value,
      }),
      lookup: () => undefined,
      entries: () => ({ keys: Buffer.alloc(0), values: Buffer.alloc(0), count: 0 }),
      update: (handle, key, value) => {
        this.#set(of(handle), key, value);
      },
      updateAll: (handle, keys, values) => {
        const size = MAPS[of(handle)].value;
        each(handle, keys, (key, i) => {
          this.#set(of(handle), key, values.subarray(i * size, (i + 1) * size));
        });
      },
      removeAll: (handle, keys) => {
        each(handle, keys, (key) => {
          this.#input.push(Buffer.from('D'), Buffer.from([MAPS[of(handle)].number]), key);
        });
      },
    };
    return new Maps(binding, handles);
  }
}
