// Alerts to Avro, many into one buffer: an allocation for each would cost as much as the encoding.
import type { Alert } from '@alert-throttle/alert';
import type { AlertEncoder } from '../core/record.ts';
import { alertType, newestVersion } from './alert-schemas.ts';

/** Confluent's wire format: a zero byte, the schema's id as 32 bits big-endian, then Avro. */
export const WIRE_HEADER_BYTES = 5;

const SLAB_BYTES = 1024 * 1024;

export class AvroEncoder implements AlertEncoder {
  readonly schemaVersion = newestVersion;
  #slab = Buffer.alloc(SLAB_BYTES);
  #used = 0;

  encode(alert: Alert): Uint8Array {
    let start = this.#used;
    let end = alertType.encode(alert, this.#slab, start + WIRE_HEADER_BYTES);
    if (end < 0) {
      // Earlier bytes stay where they are, in the old slab. avsc answers with minus the bytes that were missing.
      this.#slab = Buffer.alloc(Math.max(SLAB_BYTES, 2 * (this.#slab.length - end)));
      start = 0;
      end = alertType.encode(alert, this.#slab, WIRE_HEADER_BYTES);
    }
    this.#slab.fill(0, start, start + WIRE_HEADER_BYTES);
    this.#used = end;
    return this.#slab.subarray(start, end);
  }

  release(): void {
    this.#used = 0;
  }
}

/** Writes the schema's id into bytes that encode() made. */
export function setSchemaId(value: Buffer, schemaId: number): void {
  value.writeInt32BE(schemaId, 1);
}
