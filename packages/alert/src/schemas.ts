/** The published versions of the Alert schema, as they lie in schemas/: what every reader and writer here is built from. */
import { readdirSync, readFileSync } from 'node:fs';
import avro, { type Schema, type Type } from 'avsc';

const SCHEMAS = new URL('../../../schemas/', import.meta.url);

export interface ReleasedSchema {
  readonly version: number;
  readonly schema: Schema;
  readonly type: Type;
}

function parse(file: string): Schema {
  return JSON.parse(readFileSync(new URL(file, SCHEMAS), 'utf8')) as Schema;
}

function typeOf(schema: Schema): Type {
  return avro.Type.forSchema(schema, { omitRecordMethods: true });
}

/** The newest schema, schemas/Alert.avsc: what encode() writes and decode() resolves to. */
export const alertSchema: Schema = parse('Alert.avsc');
export const alertType: Type = typeOf(alertSchema);

/** Every published version, oldest first. The last one equals `alertSchema` (held by a test). */
export const releasedSchemas: readonly ReleasedSchema[] = readdirSync(new URL('released/', SCHEMAS))
  .flatMap((file): ReleasedSchema[] => {
    const version = /^Alert-v(\d+)\.avsc$/.exec(file)?.[1];
    if (version === undefined) return [];
    const schema = parse(`released/${file}`);
    return [{ version: Number(version), schema, type: typeOf(schema) }];
  })
  .sort((a, b) => a.version - b.version);

/** The fields of a record type; undefined for any other type. */
export function fieldsOf(type: Type): readonly avro.types.Field[] | undefined {
  return type instanceof avro.types.RecordType ? type.fields : undefined;
}
