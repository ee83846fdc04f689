/** The codec against a real schema registry, at SCHEMA_REGISTRY_URL. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import { AlertCodec } from './codec.ts';
import { AlertFormatError, RegistryUnavailableError } from './errors.ts';
import { releasedSchemas } from './schemas.ts';
import { schemaIdOf } from './wire.ts';

const url = process.env['SCHEMA_REGISTRY_URL'] ?? '';
const contentType = { 'Content-Type': 'application/vnd.schemaregistry.v1+json' };

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(url + path, {
    method,
    headers: contentType,
    ...(body && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

const subjects = new Set<string>();

/** A topic that nobody else uses; its subject is deleted at the end. */
function newTopic(): string {
  const topic = `alert-codec-${randomUUID()}`;
  subjects.add(`${topic}-value`);
  return topic;
}

/** Registers any schema under a subject of its own; returns its id. */
async function registerForeign(schema: unknown): Promise<number> {
  const body = { schema: JSON.stringify(schema) };
  const { id } = await call('POST', `/subjects/${newTopic()}-value/versions`, body);
  return id as number;
}

/** The value with the id of another writer's schema. */
function under(id: number, avroBytes: Buffer | number[]): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, Buffer.from(avroBytes)]);
}

describe('a codec with a registry', () => {
  const topic = newTopic();
  const alert = makeAlert({ ContainerID: 'c1', Message: 'Größe', EventTimeMicros: 1763881200000123 });
  const codec = new AlertCodec({ url });
  let id = 0;

  beforeAll(async () => {
    expect(url, 'SCHEMA_REGISTRY_URL').not.toBe('');
    id = await codec.register(topic);
  });

  afterAll(async () => {
    for (const subject of subjects) await call('DELETE', `/subjects/${subject}`);
  });

  it('registers every released version once, in order, under FULL_TRANSITIVE', async () => {
    const versions = releasedSchemas.map(({ version }) => version);
    expect(await call('GET', `/subjects/${topic}-value/versions`)).toEqual(versions);
    expect(await call('GET', `/config/${topic}-value`)).toMatchObject({
      compatibilityLevel: 'FULL_TRANSITIVE',
    });
    const newest = await call('GET', `/subjects/${topic}-value/versions/latest`);
    expect(JSON.parse(newest['schema'] as string)).toEqual(releasedSchemas.at(-1)?.schema);
    expect(newest['id']).toBe(id);
  });

  it('registers again without a change, also from several instances at once', async () => {
    const again = Array.from({ length: 4 }, () => new AlertCodec({ url: `${url}/` }).register(topic));
    expect(new Set(await Promise.all(again))).toEqual(new Set([id]));
    expect(await call('GET', `/subjects/${topic}-value/versions`)).toHaveLength(releasedSchemas.length);
  });

  it('sets the rule back where somebody weakened it', async () => {
    await call('PUT', `/config/${topic}-value`, { compatibility: 'NONE' });
    await codec.register(topic);
    expect(await call('GET', `/config/${topic}-value`)).toMatchObject({
      compatibilityLevel: 'FULL_TRANSITIVE',
    });
  });

  it('registers under a subject that exists without a rule', async () => {
    const other = newTopic();
    const schema = JSON.stringify(releasedSchemas[0]?.schema);
    await call('POST', `/subjects/${other}-value/versions`, { schema });
    expect(await codec.register(other)).toBe(id);
    expect(await call('GET', `/config/${other}-value`)).toMatchObject({
      compatibilityLevel: 'FULL_TRANSITIVE',
    });
  });

  it('takes the refusal of an incompatible subject for no answer', async () => {
    const other = newTopic();
    const schema = JSON.stringify({ type: 'record', name: 'Other', fields: [{ name: 'f', type: 'int' }] });
    await call('POST', `/subjects/${other}-value/versions`, { schema });
    await expect(new AlertCodec({ url }).register(other)).rejects.toThrow(RegistryUnavailableError);
  });

  it('registers a new topic from several instances at once', async () => {
    const other = newTopic();
    const all = await Promise.all(Array.from({ length: 4 }, () => new AlertCodec({ url }).register(other)));
    expect(new Set(all).size).toBe(1);
    expect(await call('GET', `/subjects/${other}-value/versions`)).toHaveLength(releasedSchemas.length);
  });

  it('reads what another instance wrote', async () => {
    const value = codec.encode(alert);
    expect(schemaIdOf(value)).toBe(id);
    const other = new AlertCodec({ url });
    expect(other.reader(value)).toBeUndefined();
    expect(await Promise.all([other.fetch(id), other.fetch(id)])).toEqual(['known', 'known']);
    expect(other.reader(value)?.leading(value)).toMatchObject({ ContainerID: 'c1' });
    expect(await other.decode(value)).toEqual(alert);
  });

  it('reads a writer that added a field', async () => {
    const { fields, ...rest } = releasedSchemas[0]?.schema as unknown as { fields: object[] };
    const extended = { ...rest, fields: [...fields, { name: 'Extra', type: 'string', default: '' }] };
    const foreign = await registerForeign(extended);
    const strings = new AlertCodec({ url });
    await strings.fetch(foreign);
    const empty = under(foreign, Buffer.alloc(fields.length + 1));
    expect(await strings.decode(empty)).toEqual(makeAlert());
    expect(() => strings.reader(empty)?.leading(empty.subarray(0, -1))).toThrow(AlertFormatError);
  });

  it.each([0, 2 ** 31 - 1])('knows from the registry that there is no schema %d', async (unknown) => {
    expect(await codec.fetch(unknown)).toBe('not-found');
  });

  it('refuses the record of a schema that is no alert, without asking again', async () => {
    const fields = [{ name: `f${randomBytes(4).toString('hex')}`, type: 'int' }];
    const foreign = await registerForeign({ type: 'record', name: 'Other', fields });
    const refused = expect.objectContaining({ code: 'NOT_AN_ALERT_SCHEMA' }) as Error;
    await expect(codec.fetch(foreign)).rejects.toThrow(refused);
    expect(() => codec.reader(under(foreign, [0]))).toThrow(refused);
  });
});
