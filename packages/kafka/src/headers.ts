// Headers of records that are forwarded: as kafkajs can write them again.
import type { IHeaders } from 'kafkajs';
import { VarintCursor } from './varint-cursor.ts';

/**
 * Those that kafkajs has read. It cannot write a null value, which Java clients may send, and it
 * reads a header named like a property of every object (`constructor`) together with that property.
 */
export function writableHeaders(headers: IHeaders | undefined): IHeaders | undefined {
  const names = Object.keys(headers ?? {});
  if (headers === undefined || names.length === 0) return undefined;
  return Object.fromEntries(
    names.map((name) => {
      const found: unknown = headers[name];
      const values: unknown[] = Array.isArray(found) ? found : [found];
      const kept = values.flatMap((value) => {
        if (value === null) return [Buffer.alloc(0)];
        return Buffer.isBuffer(value) ? [value] : [];
      });
      return [name, kept.length === 1 ? kept[0] : kept];
    }),
  );
}

/** Those of a record, from their count on. A name that occurs again has all its values, in order. */
export function readHeaders(bytes: Buffer, at: number): IHeaders {
  const cursor = new VarintCursor(bytes, at);
  const found = new Map<string, Buffer[]>();
  const next = (): Buffer => {
    const from = cursor.skipBytes();
    return from < 0 ? Buffer.alloc(0) : bytes.subarray(from, cursor.skippedTo);
  };
  for (let left = cursor.next(); left > 0; left--) {
    const name = next().toString();
    const value = next();
    const values = found.get(name);
    if (values === undefined) found.set(name, [value]);
    else values.push(value);
  }
  return Object.fromEntries([...found].map(([name, values]) => [name, one(values) ?? values]));
}

function one(values: readonly Buffer[]): Buffer | undefined {
  return values.length === 1 ? values[0] : undefined;
}
