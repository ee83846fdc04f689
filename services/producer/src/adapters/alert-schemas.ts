// The Alert schema as the spool and the mapping need it: the newest version for writing, every published one for what a
// spool still holds from before an upgrade of this program.
import { readdirSync, readFileSync } from 'node:fs';
import type { Alert } from '@alert-throttle/alert';
import avro, { type Schema, type Type } from 'avsc';
import type { RecordSchema } from '../core/alert-fields.ts';
import { ProducerError } from '../errors.ts';

const SCHEMAS = new URL('../../../../schemas/', import.meta.url);

function parse(file: string): Schema {
  return JSON.parse(readFileSync(new URL(file, SCHEMAS), 'utf8')) as Schema;
}

function typeOf(schema: Schema): Type {
  return avro.Type.forSchema(schema, { omitRecordMethods: true });
}

const newest = parse('Alert.avsc');

export const alertType = typeOf(newest);

/** The fields, for the table that reads JSON. */
export const alertRecord = newest as unknown as RecordSchema;

const released: ReadonlyMap<number, Schema> = new Map(
  readdirSync(new URL('released/', SCHEMAS)).flatMap((file) => {
    const version = /^Alert-v(\d+)\.avsc$/.exec(file)?.[1];
    return version === undefined ? [] : [[Number(version), parse(`released/${file}`)] as const];
  }),
);

/** The version that `alertType` writes. */
export const newestVersion = Math.max(...released.keys());

const upgrades = new Map<number, (body: Buffer) => Alert>();

/** Reads Avro bytes of an older version as an alert of the newest one. Throws SPOOL_UNUSABLE for a version from the future. */
export function upgrade(body: Buffer, version: number): Alert {
  let read = upgrades.get(version);
  if (!read) {
    const schema = released.get(version);
    if (schema === undefined) {
      const message = `the spool holds alerts of schema version ${version}, but this program knows only ${newestVersion}: run the newer program that wrote them`;
      throw new ProducerError('SPOOL_UNUSABLE', message);
    }
    const writer = typeOf(schema);
    const resolver = alertType.createResolver(writer);
    read = (bytes) => alertType.fromBuffer(bytes, resolver) as Alert;
    upgrades.set(version, read);
  }
  return read(body);
}
