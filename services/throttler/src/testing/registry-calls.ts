// What tests ask of the schema registry besides what the codec does.

import { type Alert, type ReleasedSchema, releasedSchemas } from '@alert-throttle/alert';
import { testStack, uniqueName } from '@alert-throttle/test-kit';

/** Registers any schema, by default under a subject of its own; returns its id. */
export async function registerSchema(
  schema: unknown,
  subject = `${uniqueName('schema')}-value`,
): Promise<number> {
  const url = `${testStack().SCHEMA_REGISTRY_URL}/subjects/${subject}/versions`;
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

/** A version of the schema that is yet to be released: the newest one with a field more, which has a default. */
export class NextVersion {
  readonly schemaId: number;

  private constructor(schemaId: number) {
    this.schemaId = schemaId;
  }

  /** Registered for that topic, under the rule of compatibility that is in force there. */
  static async register(topic: string): Promise<NextVersion> {
    const { schema } = newestRelease();
    const fields = [...(schema as RecordSchema).fields, { name: 'AddedLater', type: 'string', default: '' }];
    return new NextVersion(await registerSchema({ ...(schema as RecordSchema), fields }, `${topic}-value`));
  }

  /** The new field is the last one: its bytes are the last ones, too. */
  encoded(alert: Alert, addedLater: string): Buffer {
    const text = Buffer.from(addedLater);
    if (text.length > 63) throw new Error('a length of one byte is enough for a test');
    return wireValue(
      this.schemaId,
      Buffer.concat([newestRelease().type.toBuffer(alert), Buffer.from([2 * text.length]), text]),
    );
  }
}

interface RecordSchema {
  readonly fields: readonly unknown[];
}

function newestRelease(): ReleasedSchema {
  const newest = releasedSchemas.at(-1);
  if (newest === undefined) throw new Error('no schema was released');
  return newest;
}

function byFirstRelease(alert: Alert): { schema: { readonly fields: readonly unknown[] }; avro: Buffer } {
  const first = releasedSchemas[0];
  if (first === undefined) throw new Error('no schema was released');
  return { schema: first.schema as { fields: unknown[] }, avro: first.type.toBuffer(alert) };
}
