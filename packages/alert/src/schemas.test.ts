import { readFileSync } from 'node:fs';
import avro, { type Type } from 'avsc';
import { describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import type { Alert } from './generated/alert.ts';
import { createReader } from './reader.ts';
import { alertSchema, fieldsOf, releasedSchemas } from './schemas.ts';

const pairs = releasedSchemas.flatMap((reader) => releasedSchemas.map((writer) => [reader, writer] as const));

function sample(version: number, extension: 'hex' | 'json'): string {
  const file = new URL(`../../../schemas/released/Alert-v${version}.sample.${extension}`, import.meta.url);
  return readFileSync(file, 'utf8');
}

function stored(version: number): Buffer {
  const avroBytes = Buffer.from(sample(version, 'hex').replaceAll(/\s/g, ''), 'hex');
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), avroBytes]);
}

describe('the published schemas', () => {
  it('are numbered without a gap, and the newest is the one in use', () => {
    expect(releasedSchemas.map(({ version }) => version)).toEqual(
      releasedSchemas.map((_, index) => index + 1),
    );
    expect(releasedSchemas.at(-1)?.schema).toEqual(alertSchema);
  });

  it.each(pairs)('can be read by one another: $0.version reads $1.version', (reader, writer) => {
    const bytes = writer.type.toBuffer(JSON.parse(sample(writer.version, 'json')));
    expect(
      () => reader.type.fromBuffer(bytes, reader.type.createResolver(writer.type)) as unknown,
    ).not.toThrow();
  });

  it.each(releasedSchemas)(
    'decode what was stored when version $version was the newest',
    ({ version, type }) => {
      const expected = withDefaults(JSON.parse(sample(version, 'json')) as Partial<Alert>);
      const reader = createReader(type);
      expect(reader.decode(stored(version))).toEqual(expected);
      expect(expected).toMatchObject(reader.leading(stored(version)));
    },
  );

  it.each(releasedSchemas)('have a default in every field and no enum: version $version', ({ type }) => {
    expect(fieldsWithoutDefault(type)).toEqual([]);
  });

  it('start with the fields that the throttle reads', () => {
    for (const { type } of releasedSchemas) {
      const names = fieldsOf(type)?.map(({ name }) => name);
      expect(names?.slice(0, 12)).toEqual([
        'ContainerID',
        'NodeID',
        'BootID',
        'Sequence',
        'EventTimeMicros',
        'Type',
        'Operation',
        'Action',
        'Enforcer',
        'NamespaceName',
        'PolicyName',
        'Severity',
      ]);
    }
  });
});

/** What later versions added has its default, in the alert and in its Throttle. */
function withDefaults(fields: Partial<Alert>): Alert {
  const alert = makeAlert(fields);
  const added = {
    FirstDroppedMicros: 0,
    LastDroppedMicros: 0,
    LostAlerts: 0,
    Scope: '',
    Containers: 0,
  };
  return alert.Throttle === null ? alert : { ...alert, Throttle: { ...added, ...alert.Throttle } };
}

/** Paths of fields that a reader of another version could not fill in, and of enums. */
function fieldsWithoutDefault(type: Type, path = ''): string[] {
  const { types } = avro;
  if (type instanceof types.EnumType) return [`${path} (enum)`];
  if (type instanceof types.ArrayType) return fieldsWithoutDefault(type.itemsType, path);
  if (type instanceof types.MapType) return fieldsWithoutDefault(type.valuesType as Type, path);
  if (type instanceof types.UnwrappedUnionType)
    return type.types.flatMap((t) => fieldsWithoutDefault(t, path));
  if (!(type instanceof types.RecordType)) return [];
  return type.fields.flatMap((field) => [
    ...(field.defaultValue() === undefined ? [`${path}.${field.name}`] : []),
    ...fieldsWithoutDefault(field.type, `${path}.${field.name}`),
  ]);
}
