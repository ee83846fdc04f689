// The addon as TypeScript sees it: thin calls on the kernel, without policy, defaults or retries. Those live in
// packages/kernel. Errors of the kernel are NativeError; wrong arguments are TypeErrors, which are bugs.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Where the build puts its products. */
export const ADDON_FILE = join(import.meta.dirname, '..', 'build', 'alert_throttle.node');
export const OBJECT_FILE = join(import.meta.dirname, '..', 'build', 'alert_throttle.bpf.o');
/** The same for nodes on which AppArmor enforces. */
export const APPARMOR_OBJECT_FILE = join(import.meta.dirname, '..', 'build', 'alert_throttle_apparmor.bpf.o');

/** The descriptor of a map, a program or a link. */
export interface Handle {
  /** Idempotent. What is pinned or attached stays. */
  close(): void;
  readonly closed: boolean;
}

/** What a call to the kernel failed with. */
export interface NativeError extends Error {
  /** Name of the errno: `EPERM`. */
  readonly code: string;
  readonly errno: number;
  /** What was tried. */
  readonly step: string;
  /** What libbpf and the verifier said; its last 64 KiB. */
  readonly log: string;
}

export interface ObjectMap {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** Made by the compiler: .rodata, .bss, .data. */
  readonly internal: boolean;
}

export interface ObjectProgram {
  readonly name: string;
  /** `lsm/file_open`, `iter/bpf_map_elem` ... */
  readonly section: string;
}

export interface ObjectFile {
  maps(): ObjectMap[];
  programs(): ObjectProgram[];
  setMaxEntries(map: string, entries: number): void;
  /** At `load`, the map pinned there is used if there is one, else made and pinned. */
  setPinPath(map: string, path: string): void;
  /** User space stores single words in it (`storeWords`); arrays only. */
  setMmapable(map: string): void;
  /** A `const volatile __u32`; false where the object has none of that name. */
  setConstant(name: string, value: number): boolean;
  setAutoload(program: string, load: boolean): void;
  /** Returns what libbpf said. */
  load(): string;
  map(name: string): Handle;
  program(name: string): Handle;
  /** The link; `iterated` is the map that an iter/bpf_map_elem program walks. */
  attach(program: string, iterated?: Handle): Handle;
  close(): void;
}

export interface MapInfo {
  readonly id: number;
  readonly type: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  /** Size of a value as exchanged here: per-CPU maps have one value, rounded up to 8 bytes, for each possible CPU. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  readonly instructions: number;
  readonly recursionMisses: bigint;
  /** Counted where sysctl kernel.bpf_stats_enabled is on. */
  readonly runCount: bigint;
  readonly runTimeNs: bigint;
}

export interface LinkInfo {
  readonly id: number;
  readonly type: number;
  readonly programId: number;
}

/** All elements: `count` keys and values, each one after the other. */
export interface Entries {
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly count: number;
}

/**
 * Reads rings in the order given, in batches: frames of u32 ring, u32 length and the record, each padded to 8 bytes. The
 * records of a batch leave their rings at `release`; closed before that, they stay there.
 */
export interface RingReader {
  /** What is there now; undefined if nothing is. Not after `start`. */
  read(): Buffer | undefined;
  /** A thread waits for records; the next batch comes after `release`. A batch may still come after `close`. */
  start(onBatch: (batch: Buffer) => void): void;
  release(): void;
  /** Idempotent. */
  close(): void;
}

export interface Binding {
  /** AT_LAYOUT_VERSION of the layout.h that the addon was compiled with. */
  readonly layoutVersion: number;
  readonly libbpfVersion: string;
  readonly ObjectFile: new (path: string) => ObjectFile;
  readonly RingReader: new (rings: readonly Handle[], bytesPerRingAndBatch: number) => RingReader;
  mapInfo(map: Handle): MapInfo;
  lookup(map: Handle, key: Buffer, flags: number): Buffer | undefined;
  update(map: Handle, key: Buffer, value: Buffer, flags: number): void;
  /** Whether it was there. */
  remove(map: Handle, key: Buffer): boolean;
  updateAll(map: Handle, keys: Buffer, values: Buffer): void;
  /** Keys that are not there are passed over. */
  removeAll(map: Handle, keys: Buffer): void;
  entries(map: Handle, flags: number): Entries;
  /** Each word in one access, the first one last; for arrays with BPF_F_MMAPABLE. `offset` in bytes from element 0. */
  storeWords(array: Handle, offset: number, words: BigUint64Array): void;
  storeU32(array: Handle, offset: number, value: number): void;
  /** Of a u32 in which programs change other bits at the same time. */
  changeBits(array: Handle, offset: number, clear: number, set: number): void;
  pin(object: Handle, path: string): void;
  openPinned(path: string): Handle;
  programInfo(program: Handle): ProgramInfo;
  linkInfo(link: Handle): LinkInfo;
  /** Reads the iterator of a link to its end; what its program printed. */
  runIterator(link: Handle): Buffer;
  /** For each name, whether the running kernel's BTF has a function or type of it. */
  kernelHas(names: readonly string[]): boolean[];
  /** Returns when every run of a program that had begun before has ended. */
  synchronizePrograms(): void;
  /** bpf/include/hash.h under the secret of map `settings`. `depth`: components of the path. */
  hashPath(secret: BigUint64Array, path: string): { readonly hash: bigint; readonly depth: number };
  hashName(secret: BigUint64Array, text: string): bigint;
  /** CLOCK_REALTIME - CLOCK_BOOTTIME. */
  realtimeOffsetNs(): bigint;
  /** Held until closed, or until the process ends; EWOULDBLOCK (EAGAIN) where another process holds it. */
  lockFolder(path: string): Handle;
  /** Where `path` leads inside the root of a process, from the root of its mount namespace; undefined: nothing there. */
  resolveInRoot(pid: number, path: string): string | undefined;
}

const require = createRequire(import.meta.url);

/** Throws what dlopen says where the addon is not built, or lacks a shared library. */
export function loadBinding(file: string = ADDON_FILE): Binding {
  return require(file) as Binding;
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'errno' in error && 'step' in error && 'log' in error;
}
