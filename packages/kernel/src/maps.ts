// The maps by name, with keys and values as this package needs them.
import type { Binding, Handle, MapInfo } from '@alert-throttle/native';
import { KernelError } from './errors.ts';

export const BPF_ANY = 0;
export const BPF_F_LOCK = 4;

export class Maps {
  readonly binding: Binding;
  readonly #handles: ReadonlyMap<string, Handle>;

  constructor(binding: Binding, handles: ReadonlyMap<string, Handle>) {
    this.binding = binding;
    this.#handles = handles;
  }

  get names(): readonly string[] {
    return [...this.#handles.keys()];
  }

  has(map: string): boolean {
    return this.#handles.has(map);
  }

  handle(map: string): Handle {
    const handle = this.#handles.get(map);
    if (!handle)
      throw new KernelError(
        'BAD_OBJECT',
        `the programs have no map ${map}`,
        'Build again: npm run build:kernel.',
      );
    return handle;
  }

  info(map: string): MapInfo {
    return this.binding.mapInfo(this.handle(map));
  }

  lookup(map: string, key: Buffer, flags = 0): Buffer | undefined {
    return this.binding.lookup(this.handle(map), key, flags);
  }

  update(map: string, key: Buffer, value: Buffer): void {
    this.binding.update(this.handle(map), key, value, BPF_ANY);
  }

  remove(map: string, key: Buffer): boolean {
    return this.binding.remove(this.handle(map), key);
  }

  updateAll(map: string, keys: readonly Buffer[], values: readonly Buffer[]): void {
    if (keys.length > 0) this.binding.updateAll(this.handle(map), Buffer.concat(keys), Buffer.concat(values));
  }

  removeAll(map: string, keys: readonly Buffer[]): void {
    if (keys.length > 0) this.binding.removeAll(this.handle(map), Buffer.concat(keys));
  }

  /** Everything in it. A copy: keys and values may be kept. */
  entries(map: string, flags = 0): { readonly key: Buffer; readonly value: Buffer }[] {
    const { keys, values, count } = this.binding.entries(this.handle(map), flags);
    const keySize = keys.length / count;
    const valueSize = values.length / count;
    return Array.from({ length: count }, (_, i) => ({
      key: keys.subarray(i * keySize, (i + 1) * keySize),
      value: values.subarray(i * valueSize, (i + 1) * valueSize),
    }));
  }

  /** Element `index` of an array made for mmap: words from byte `offset` of it on, each in one access, the first one last. */
  storeWords(map: string, index: number, offset: number, words: readonly bigint[]): void {
    this.binding.storeWords(this.handle(map), this.#at(map, index, offset), BigUint64Array.from(words));
  }

  storeU32(map: string, index: number, offset: number, value: number): void {
    this.binding.storeU32(this.handle(map), this.#at(map, index, offset), value);
  }

  changeBits(map: string, index: number, offset: number, bits: { clear: number; set: number }): void {
    this.binding.changeBits(this.handle(map), this.#at(map, index, offset), bits.clear, bits.set);
  }

  #at(map: string, index: number, offset: number): number {
    return index * Math.ceil(this.info(map).valueSize / 8) * 8 + offset;
  }
}

export function u32Key(value: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(value);
  return key;
}

export function u64Key(value: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64LE(value);
  return key;
}

/** The words of an encoded struct. */
export function wordsOf(bytes: Buffer): bigint[] {
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readBigUInt64LE(i * 8));
}
