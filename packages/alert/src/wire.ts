/** The Confluent wire format: a zero byte, the schema's id as a 32-bit big-endian integer, then the Avro bytes. */
import { AlertFormatError } from './errors.ts';

export const WIRE_HEADER_BYTES = 5;

/** The id of the writer's schema. Throws NO_MAGIC_BYTE or TRUNCATED. */
export function schemaIdOf(value: Buffer): number {
  if (value.length > 0 && value[0] !== 0) {
    throw new AlertFormatError(
      'NO_MAGIC_BYTE',
      'the record does not start with the zero byte of the wire format',
    );
  }
  if (value.length < WIRE_HEADER_BYTES) {
    throw new AlertFormatError('TRUNCATED', 'the record ends before its schema id');
  }
  return value.readUInt32BE(1);
}
