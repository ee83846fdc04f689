// What the headers of a record add to its size: a producer may put anything there, and it is forwarded.

import type { IHeaders } from 'kafkajs';

/** Names and values together. */
export function headerBytes(headers: IHeaders | undefined): number {
  if (headers === undefined) return 0;
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value ?? ''])
      bytes += Buffer.byteLength(name) + Buffer.byteLength(one);
  }
  return bytes;
}
