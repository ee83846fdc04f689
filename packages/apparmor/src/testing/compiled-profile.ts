// A profile as apparmor_parser hands it to the kernel, and the kernel's way through it: a test asks it about a path
// instead of believing the text. Tables and bits are those of security/apparmor/{match,policy_unpack,file}.c, interface
// versions 5 to 8.

/** Type, and bytes of an element. */
interface Table {
  readonly id: number;
  readonly size: number;
  readonly data: Buffer;
  readonly length: number;
}

const ACCEPT = 1;
const BASE = 2;
const CHECK = 3;
const DEFAULT = 4;
const CLASSES = 5;
const NEXT = 8;
const DFA_MAGIC = 0x1b5e783d;
/** In a base: what is not checked out goes on from the default state instead of to it. */
const DIFF_ENCODED = 0x80000000;
const BASE_INDEX = 0xffffff;

const PERMISSIONS = { x: 0x1, w: 0x2, r: 0x4, a: 0x8, l: 0x10, k: 0x20, m: 0x40 } as const;
export type Permission = keyof typeof PERMISSIONS;

const START = 1;
/** The tag before a blob. */
const BLOB = 6;
/** Rules on paths lie behind the byte of their class only in the other automaton, that of sockets and the like. */
const CLASS_NET = 14;

class Automaton {
  readonly #tables: ReadonlyMap<number, Table>;

  constructor(blob: Buffer) {
    const tables = new Map<number, Table>();
    for (let at = blob.readUInt32BE(4); at + 12 <= blob.length;) {
      const id = blob.readUInt16BE(at);
      const size = blob.readUInt16BE(at + 2);
      const length = blob.readUInt32BE(at + 8);
      tables.set(id, { id, size, length, data: blob.subarray(at + 12, at + 12 + size * length) });
      at += (12 + size * length + 7) & ~7;
    }
    this.#tables = tables;
  }

  #get(id: number, index: number): number {
    const table = this.#tables.get(id);
    if (table === undefined || index >= table.length) throw new Error(`table ${id} has no ${index}`);
    return table.data.readUIntBE(index * table.size, table.size);
  }

  match(bytes: Iterable<number>, from: number): number {
    let state = from;
    for (const byte of bytes) {
      const sign = this.#tables.has(CLASSES) ? this.#get(CLASSES, byte) : byte;
      state = this.#step(state, sign);
    }
    return state;
  }

  #step(from: number, sign: number): number {
    for (let state = from; ;) {
      const base = this.#get(BASE, state);
      const at = (base & BASE_INDEX) + sign;
      if (this.#get(CHECK, at) === state) return this.#get(NEXT, at);
      state = this.#get(DEFAULT, state);
      if ((base & DIFF_ENCODED) >>> 0 === 0) return state;
    }
  }

  accept(state: number): number {
    return this.#get(ACCEPT, state);
  }
}

export class CompiledProfile {
  readonly #files: Automaton | undefined;
  readonly #others: Automaton | undefined;
  readonly #capabilities: bigint;

  constructor(binary: Buffer) {
    const { files, others } = automataIn(binary);
    this.#files = files;
    this.#others = others;
    this.#capabilities = capabilitiesIn(binary);
  }

  /** Of a name as the kernel spells it: that of a directory with a slash at its end. */
  allows(path: string | Buffer, permission: Permission, owner: boolean): boolean {
    if (this.#files === undefined) return false;
    const state = this.#files.match(Buffer.from(path), START);
    const accepted = this.#files.accept(state) >>> (owner ? 0 : 14);
    return (accepted & PERMISSIONS[permission]) !== 0;
  }

  /** A link at `path` to what is at `target`, as far as the name goes: not what the link would allow beyond its target. */
  allowsLink(path: string, target: string, owner: boolean): boolean {
    return this.allows(`${path}\0${target}`, 'l', owner);
  }

  allowsSocket(family: number, type: number): boolean {
    if (this.#others === undefined) return true;
    const mediated = this.#others.match([CLASS_NET], START);
    if (mediated === 0) return true;
    const state = this.#others.match([family >> 8, family & 255, type >> 8, type & 255], mediated);
    return (this.#others.accept(state) & 0x7f) !== 0;
  }

  allowsCapability(number: number): boolean {
    return ((this.#capabilities >> BigInt(number)) & 1n) === 1n;
  }
}

interface Automata {
  readonly files: Automaton | undefined;
  /** Of sockets, mounts and the like. */
  readonly others: Automaton | undefined;
}

/** That of the others stands in a struct named "policydb". */
function automataIn(binary: Buffer): Automata {
  const found: { files?: Automaton; others?: Automaton } = {};
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(DFA_MAGIC);
  for (let at = binary.indexOf(magic); at >= 0; at = binary.indexOf(magic, at + 4)) {
    const before = binary.subarray(Math.max(0, at - 48), at);
    const isOfOthers = before.includes('policydb');
    found[isOfOthers ? 'others' : 'files'] = new Automaton(binary.subarray(at, at + lengthOfBlob(before)));
  }
  return { files: found.files, others: found.others };
}

/** A blob is its name, its type, 4 bytes of length, padding, and the automaton. */
function lengthOfBlob(before: Buffer): number {
  const name = before.lastIndexOf('aadfa\0');
  if (name < 0 || before[name + 6] !== BLOB) throw new Error('an automaton without a length');
  const padded = before.readUInt32LE(name + 7);
  return padded - (before.length - (name + 11));
}

/** A list named "caps64" holds the upper halves; the lower ones stand right before the list, each a tagged number. */
function capabilitiesIn(binary: Buffer): bigint {
  const name = Buffer.from('caps64\0');
  const at = binary.indexOf(name);
  if (at < 0) throw new Error('no capabilities');
  const after = at + name.length;
  // A struct (1 byte), then numbers: a byte of type and four of value.
  const high = binary.readUInt32LE(after + 2);
  // Four numbers before: allow, audit, quiet, kill; then the struct's type, the name's type and length.
  const begin = at - 3 - 4 * 5;
  const low = binary.readUInt32LE(begin + 1);
  return (BigInt(high) << 32n) | BigInt(low);
}
