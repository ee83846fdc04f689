// The Alert schema as the producer needs it: its fields for reading JSON, the newest version for writing, and every
// published one for what a spool still holds from before an upgrade of this program.
import {
  AlertWriter,
  createReader,
  releasedSchemas,
  type Alert,
  type AlertReader,
} from '@alert-throttle/alert';
import avro from 'avsc';
import type { RecordSchema } from '../core/alert-fields.ts';
import type { AlertEncoder } from '../core/record.ts';
import { ProducerError } from '../errors.ts';

const newest = releasedSchemas.at(-1);
if (newest === undefined) throw new Error('there is no schema for alerts');

export const newestVersion = newest.version;

export const alertRecord = newest.schema as unknown as RecordSchema;

/** The schema's id is not known before there is a registry: setSchemaId() puts it in when the alert is sent. */
const writer = new AlertWriter(0);

export const alertEncoder: AlertEncoder = {
  schemaVersion: newestVersion,
  encode: (alert) => writer.encode(alert),
};

/** Writes the schema's id into a value that alertEncoder made: Confluent's wire format has it after a zero byte. */
export function setSchemaId(value: Buffer, schemaId: number): void {
  value.writeInt32BE(schemaId, 1);
}

const readers = new Map<number, AlertReader>();

/** A value that alertEncoder of some version made, as an alert of the newest one. Throws SPOOL_UNUSABLE for a later version. */
export function decodeVersion(value: Buffer, version: number): Alert {
  let reader = readers.get(version);
  if (reader === undefined) {
    const found = releasedSchemas.find((released) => released.version === version);
    if (found === undefined) {
      const message = `the spool holds alerts of schema version ${version}, but this program knows only ${newestVersion}: run the newer program that wrote them`;
      throw new ProducerError('SPOOL_UNUSABLE', message);
    }
    reader = createReader(avro.Type.forSchema(found.schema));
    readers.set(version, reader);
  }
  return reader.decode(value);
}
