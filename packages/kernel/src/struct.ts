// C structs as data: fields in their order, offsets by natural alignment, little-endian. What layout.ts lists with this
// is compared with the compiler's view of layout.h in layout.test.ts.

/** How one value lies in memory. */
export interface Field<T> {
  readonly size: number;
  readonly align: number;
  read(bytes: Buffer, at: number): T;
  write(bytes: Buffer, at: number, value: T): void;
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;

type Fields = Readonly<Record<string, Field<unknown>>>;

export type Values<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

export interface Struct<F extends Fields> extends Field<Values<F>> {
  readonly fields: F;
  readonly offsets: Readonly<Record<keyof F & string, number>>;
  decode(bytes: Buffer, at?: number): Values<F>;
  /** What is left out is zero. */
  encode(values: Partial<Values<F>>): Buffer;
}

function integer(
  size: number,
  read: (bytes: Buffer, at: number) => number,
  write: (bytes: Buffer, at: number, value: number) => void,
): Field<number> {
  return { size, align: size, read, write };
}

export const u8 = integer(
  1,
  (bytes, at) => bytes.readUInt8(at),
  (bytes, at, value) => bytes.writeUInt8(value, at),
);
export const u16 = integer(
  2,
  (bytes, at) => bytes.readUInt16LE(at),
  (bytes, at, value) => bytes.writeUInt16LE(value, at),
);
export const u32 = integer(
  4,
  (bytes, at) => bytes.readUInt32LE(at),
  (bytes, at, value) => bytes.writeUInt32LE(value, at),
);
export const s32 = integer(
  4,
  (bytes, at) => bytes.readInt32LE(at),
  (bytes, at, value) => bytes.writeInt32LE(value, at),
);

export const u64: Field<bigint> = {
  size: 8,
  align: 8,
  read: (bytes, at) => bytes.readBigUInt64LE(at),
  write: (bytes, at, value) => bytes.writeBigUInt64LE(value, at),
};
export const s64: Field<bigint> = {
  size: 8,
  align: 8,
  read: (bytes, at) => bytes.readBigInt64LE(at),
  write: (bytes, at, value) => bytes.writeBigInt64LE(value, at),
};

/** A char array, padded with zeros. The kernel does not promise UTF-8: what is none becomes U+FFFD. */
export function text(size: number): Field<string> {
  return {
    size,
    align: 1,
    read: (bytes, at) => {
      const end = bytes.indexOf(0, at);
      return bytes.toString('utf8', at, end === -1 || end > at + size ? at + size : end);
    },
    write: (bytes, at, value) => {
      const length = Buffer.byteLength(value);
      if (length > size) throw new RangeError(`${JSON.stringify(value)} is longer than ${size} bytes`);
      bytes.fill(0, at, at + size).write(value, at, 'utf8');
    },
  };
}

export function array<T>(element: Field<T>, length: number): Field<readonly T[]> {
  return {
    size: element.size * length,
    align: element.align,
    read: (bytes, at) => Array.from({ length }, (_, i) => element.read(bytes, at + i * element.size)),
    write: (bytes, at, values) => {
      if (values.length > length) throw new RangeError(`${values.length} elements in an array of ${length}`);
      values.forEach((value, i) => element.write(bytes, at + i * element.size, value));
    },
  };
}

export function struct<F extends Fields>(fields: F): Struct<F> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let align = 1;
  for (const [name, field] of Object.entries(fields)) {
    offsets[name] = roundUp(end, field.align);
    end = offsets[name] + field.size;
    align = Math.max(align, field.align);
  }
  const size = roundUp(end, align);
  const read = (bytes: Buffer, at: number): Values<F> => {
    const values: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields))
      values[name] = field.read(bytes, at + (offsets[name] ?? 0));
    return values as Values<F>;
  };
  const write = (bytes: Buffer, at: number, values: Partial<Values<F>>): void => {
    for (const [name, value] of Object.entries(values))
      if (value !== undefined) fields[name]?.write(bytes, at + (offsets[name] ?? 0), value);
  };
  return {
    fields,
    offsets: offsets as Record<keyof F & string, number>,
    size,
    align,
    read,
    write,
    decode: (bytes, at = 0) => read(bytes, at),
    encode: (values) => {
      const bytes = Buffer.alloc(size);
      write(bytes, 0, values);
      return bytes;
    },
  };
}

function roundUp(size: number, align: number): number {
  return Math.ceil(size / align) * align;
}
