/** Alerts to bytes, in the newest schema. */
import type { Alert } from './generated/alert.ts';
import { alertType } from './schemas.ts';
import { WIRE_HEADER_BYTES } from './wire.ts';

/** Enough for nearly every alert; it grows to the largest one seen. */
const SLAB_BYTES = 16 * 1024;

/** Encodes for one schema id. Alerts are written into a slab that is kept, then copied out in their size. */
export class AlertWriter {
  #slab = Buffer.alloc(SLAB_BYTES);
  readonly #schemaId: number;

  constructor(schemaId: number) {
    this.#schemaId = schemaId;
  }

  /** Text becomes well-formed Unicode. Throws for a value that the schema forbids, such as an int of 33 bits. */
  encode(alert: Alert): Buffer {
    const value = this.#write(alert);
    return mayHoldSurrogate(value) ? this.#write(wellFormed(alert) as Alert) : value;
  }

  #write(alert: Alert): Buffer {
    let end = alertType.encode(alert, this.#slab, WIRE_HEADER_BYTES);
    if (end < 0) {
      // avsc answers with minus the number of bytes that were missing.
      this.#slab = Buffer.alloc(2 * (this.#slab.length - end));
      end = alertType.encode(alert, this.#slab, WIRE_HEADER_BYTES);
    }
    const value = Buffer.from(this.#slab.subarray(0, end));
    value.writeInt32BE(this.#schemaId, 1);
    return value;
  }
}

/**
 * avsc writes half of a surrogate pair as it is, in three bytes that start with 0xED and 0xA0 to 0xBF, and other
 * readers refuse such text. Looking for these bytes afterwards costs far less than looking into each string before.
 * A number may happen to have them too.
 */
function mayHoldSurrogate(value: Buffer): boolean {
  let at = value.indexOf(0xed, WIRE_HEADER_BYTES);
  while (at >= 0) {
    if (((value[at + 1] ?? 0) & 0xe0) === 0xa0) return true;
    at = value.indexOf(0xed, at + 1);
  }
  return false;
}

/** A copy in which each half of a surrogate pair is U+FFFD. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]),
  );
}
