// What the headers of a record add to its size: a producer may put anything there, and it is forwarded.

import type { IHeaders } from 'kafkajs';

/** Names and values together; the length of a text counts as its bytes. */
export function headerBytes(headers: IHeaders | undefined): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers ?? {})) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) bytes += name.length + one.length;
  }
  return bytes;
}
