/** The Confluent wire format: a zero byte, the schema's id as a 32-bit big-endian integer, then the Avro bytes. */
import { AlertFormatError } from './errors.ts';

export const WIRE_HEADER_BYTES = 5;

/** The id of the writer's schema, of the value from `from` to `to`. Throws NO_MAGIC_BYTE or TRUNCATED. */
export function schemaIdOf(bytes: Buffer, from = 0, to = bytes.length): number {
  if (to > from && bytes[from] !== 0) {
    throw new AlertFormatError(
      'NO_MAGIC_BYTE',
      'the record does not start with the zero byte of the wire format',
    );
  }
  if (to - from < WIRE_HEADER_BYTES) {
    throw new AlertFormatError('TRUNCATED', 'the record ends before its schema id');
  }
  return bytes.readUInt32BE(from + 1);
}
