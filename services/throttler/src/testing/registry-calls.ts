// What tests ask of the schema registry besides what the codec does.

import { type Alert, releasedSchemas } from '@alert-throttle/alert';
import { testStack, uniqueName } from '@alert-throttle/test-kit';

/** Registers any schema under a subject of its own; returns its id. */
export async function registerSchema(schema: unknown): Promise<number> {
  const url = `${testStack().SCHEMA_REGISTRY_URL}/subjects/${uniqueName('schema')}-value/versions`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  });
  const { id } = (await response.json()) as { id?: number };
  if (id === undefined) throw new Error(`the registry did not take the schema: ${response.status}`);
  return id;
}

/** A value in the wire format. */
export function wireValue(schemaId: number, avro: Buffer | readonly number[]): Buffer {
  const value = Buffer.from([0, 0, 0, 0, 0, ...avro]);
  value.writeUInt32BE(schemaId, 1);
  return value;
}

/** The alert as the first released version of the schema has it. */
export async function encodedByFirstRelease(alert: Alert): Promise<Buffer> {
  const { schema, avro } = byFirstRelease(alert);
  return wireValue(await registerSchema(schema), avro);
}

/** The alert in a schema that only the registry knows: the first released one with a field more. */
export async function encodedByStranger(alert: Alert): Promise<Buffer> {
  const { schema, avro } = byFirstRelease(alert);
  const fields = [
    ...schema.fields,
    { name: uniqueName('Field').replace('-', ''), type: 'string', default: '' },
  ];
  const emptyString = Buffer.from([0]);
  return wireValue(await registerSchema({ ...schema, fields }), Buffer.concat([avro, emptyString]));
}

function byFirstRelease(alert: Alert): { schema: { readonly fields: readonly unknown[] }; avro: Buffer } {
  const first = releasedSchemas[0];
  if (first === undefined) throw new Error('no schema was released');
  return { schema: first.schema as { fields: unknown[] }, avro: first.type.toBuffer(alert) };
}
