// The schemas of the raw topic without a registry: the id of a released version is its number. Others can be made
// known, unknown, or none of an alert, before or after they are asked for.

import {
  AlertFormatError,
  type Alert,
  type AlertReader,
  AlertWriter,
  createReader,
  releasedSchemas,
  schemaIdOf,
} from '@alert-throttle/alert';

import type { SchemaSource } from '../owner-dependencies.ts';
import { type Gate, openGate } from './gate.ts';

export type Schema = Parameters<typeof createReader>[0];

const writer = new AlertWriter(releasedSchemas.at(-1)?.version ?? 0);

export class MemorySchemas implements SchemaSource {
  readonly #readers = new Map<number, AlertReader | AlertFormatError>();
  readonly #unknown = new Set<number>();
  readonly #waiting = new Map<number, PromiseWithResolvers<undefined>>();
  readonly #gate: Gate;
  readonly #registry: ReadonlyMap<number, Schema>;

  /** The released schemas are known from the start; those of `registry` once they were asked for. */
  constructor(gate: Gate = openGate, registry: ReadonlyMap<number, Schema> = new Map()) {
    this.#gate = gate;
    this.#registry = registry;
    for (const { version, type } of releasedSchemas) this.register(version, type);
  }

  reader(bytes: Buffer, from?: number, to?: number): AlertReader | undefined {
    const reader = this.#readers.get(schemaIdOf(bytes, from, to));
    if (reader instanceof AlertFormatError) throw reader;
    return reader;
  }

  isUnknown(schemaId: number): boolean {
    return this.#unknown.has(schemaId);
  }

  encode(alert: Alert): Buffer {
    return writer.encode(alert);
  }

  async resolve(schemaId: number): Promise<void> {
    const found = await this.#gate.pass('resolve', () => this.#registry.get(schemaId));
    if (found !== undefined) this.register(schemaId, found);
    if (this.#readers.has(schemaId) || this.#unknown.has(schemaId)) return;
    const waiting = this.#waiting.get(schemaId) ?? Promise.withResolvers<undefined>();
    this.#waiting.set(schemaId, waiting);
    await waiting.promise;
  }

  /** The registry has it, and it was fetched. */
  register(schemaId: number, schema: Schema): void {
    this.#readers.set(schemaId, readerOf(schema));
    this.#known(schemaId);
  }

  /** The registry said 404 for long enough. */
  giveUp(schemaId: number): void {
    this.#unknown.add(schemaId);
    this.#known(schemaId);
  }

  #known(schemaId: number): void {
    this.#waiting.get(schemaId)?.resolve(undefined);
    this.#waiting.delete(schemaId);
  }
}

/** Made once for each schema: a simulation has thousands of processes. */
const readers = new WeakMap<Schema, AlertReader | AlertFormatError>();

function readerOf(schema: Schema): AlertReader | AlertFormatError {
  const known = readers.get(schema);
  if (known !== undefined) return known;
  const made = tryReader(schema);
  readers.set(schema, made);
  return made;
}

function tryReader(schema: Schema): AlertReader | AlertFormatError {
  try {
    return createReader(schema);
  } catch (error) {
    if (error instanceof AlertFormatError) return error;
    throw error;
  }
}
