/** Alerts as Kafka values, and back: Confluent's wire format around Avro, schemas by id from the registry. */
import { AlertFormatError } from './errors.ts';
import type { Alert } from './generated/alert.ts';
import { createReader, type AlertReader } from './reader.ts';
import { RegistryClient, type RegistryOptions } from './registry.ts';
import { schemaIdOf } from './wire.ts';
import { AlertWriter } from './writer.ts';

export class AlertCodec {
  readonly #registry: RegistryClient;
  /** Per schema id: its reader, or why there is none. As many as there are schemas in the registry. */
  readonly #readers = new Map<number, AlertReader | AlertFormatError>();
  readonly #fetches = new Map<number, Promise<'known' | 'not-found'>>();
  #writer: AlertWriter | undefined;

  constructor(options: RegistryOptions) {
    this.#registry = new RegistryClient(options);
  }

  /**
   * Sets FULL_TRANSITIVE and registers every released version in order under `<topic>-value`; from then on encode()
   * works. Returns the newest version's id. Idempotent. Throws RegistryUnavailableError.
   */
  async register(topic: string): Promise<number> {
    const id = await this.#registry.register(`${topic}-value`);
    this.#writer = new AlertWriter(id);
    return id;
  }

  /** The record's value in the newest schema. Throws if not registered, and for values that the schema forbids. */
  encode(alert: Alert): Buffer {
    if (this.#writer === undefined) throw new Error('register() comes before encode()');
    return this.#writer.encode(alert);
  }

  /**
   * The reader for the schema of this value, which lies from `from` to `to`; undefined if it was not fetched yet: then
   * `fetch(schemaIdOf(value))`. Throws AlertFormatError.
   */
  reader(bytes: Buffer, from = 0, to = bytes.length): AlertReader | undefined {
    const reader = this.#readers.get(schemaIdOf(bytes, from, to));
    if (reader instanceof AlertFormatError) throw reader;
    return reader;
  }

  /**
   * Gets a schema from the registry, once for all who ask at the same time. 'not-found' is the registry's own answer.
   * Throws RegistryUnavailableError, or NOT_AN_ALERT_SCHEMA.
   */
  fetch(schemaId: number): Promise<'known' | 'not-found'> {
    const running = this.#fetches.get(schemaId);
    if (running !== undefined) return running;
    const started = this.#fetch(schemaId).finally(() => this.#fetches.delete(schemaId));
    this.#fetches.set(schemaId, started);
    return started;
  }

  /** The whole alert, asking the registry if need be. Throws AlertFormatError, RegistryUnavailableError. */
  async decode(value: Buffer): Promise<Alert> {
    const schemaId = schemaIdOf(value);
    if (this.reader(value) === undefined) await this.fetch(schemaId);
    const reader = this.reader(value);
    if (reader === undefined) {
      throw new AlertFormatError('NOT_AN_ALERT_SCHEMA', `the registry has no schema ${schemaId}`);
    }
    return reader.decode(value);
  }

  async #fetch(schemaId: number): Promise<'known' | 'not-found'> {
    const known = this.#readers.get(schemaId);
    if (known instanceof AlertFormatError) throw known;
    if (known !== undefined) return 'known';
    try {
      const type = await this.#registry.fetch(schemaId);
      if (type === undefined) return 'not-found';
      this.#readers.set(schemaId, createReader(type));
      return 'known';
    } catch (error) {
      if (error instanceof AlertFormatError) this.#readers.set(schemaId, error);
      throw error;
    }
  }
}
