/**
 * The schema registry over HTTP: Confluent's API, as Karapace and Apicurio (/apis/ccompat/v7) speak it too.
 *
 * @kafkajs/confluent-schema-registry registers and fetches; what it gets wrong is put right here. Its errors are
 * mapped to the two answers that callers can act on. And it registers nothing under a subject whose compatibility rule
 * is not the one it is given, so the rule is read and set first.
 */
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import avro, { type Type } from 'avsc';
import { AlertFormatError, RegistryUnavailableError } from './errors.ts';
import { releasedSchemas } from './schemas.ts';

/** A request that takes longer counts as no answer. */
const REQUEST_TIMEOUT_MS = 3000;
const RULE = COMPATIBILITY.FULL_TRANSITIVE;
/** Ids are positive 32-bit integers in every registry. */
const MAX_SCHEMA_ID = 2 ** 31 - 1;

export interface RegistryOptions {
  /** http or https, with a path if the API is not at the root. Credentials in it are used, and never printed. */
  url: string;
  username?: string;
  password?: string;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export class RegistryClient {
  /** Without credentials and without a slash at the end. */
  readonly #url: string;
  readonly #authorization: string | undefined;
  readonly #client: SchemaRegistry;

  constructor(options: RegistryOptions) {
    const url = new URL(options.url);
    const username = options.username ?? decodeURIComponent(url.username);
    const password = options.password ?? decodeURIComponent(url.password);
    url.username = '';
    url.password = '';
    this.#url = url.href.replace(/\/+$/, '');
    const auth = username === '' ? undefined : { username, password };
    this.#authorization =
      auth && `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
    this.#client = new SchemaRegistry({
      host: this.#url,
      retry: { retries: 0 }, // callers back off themselves, for as long as it takes
      ...(auth && { auth }),
      middlewares: [
        () => ({
          prepareRequest: async (next) => (await next()).enhance({ timeout: REQUEST_TIMEOUT_MS }),
        }),
      ],
    });
  }

  /**
   * The schema's type; undefined if the registry says that there is no such id.
   * Throws RegistryUnavailableError, or NOT_AN_ALERT_SCHEMA for what is no Avro schema.
   */
  async fetch(schemaId: number): Promise<Type | undefined> {
    if (schemaId > MAX_SCHEMA_ID) return undefined;
    try {
      const type = await withDeadline(this.#client.getSchema(schemaId));
      if (avro.Type.isType(type)) return type as Type;
    } catch (error) {
      if (error instanceof DeadlineError || (isResponseError(error) && error.status !== 404)) {
        throw this.#unavailable(messageOf(error), error);
      }
    }
    return this.#explain(schemaId);
  }

  /** Registers every released version under the subject, oldest first; returns the newest one's id. */
  async register(subject: string): Promise<number> {
    let newest = 0;
    for (const { schema } of releasedSchemas) {
      const compatibility = await this.#setRule(subject);
      try {
        const body = JSON.stringify(schema);
        const registered = this.#client.register(
          { type: SchemaType.AVRO, schema: body },
          { subject, compatibility },
        );
        newest = (await withDeadline(registered, 3 * REQUEST_TIMEOUT_MS)).id;
      } catch (error) {
        throw this.#unavailable(messageOf(error), error);
      }
    }
    await this.#setRule(subject);
    return newest;
  }

  /**
   * Why the client returned no Avro type. Its errors do not tell the registry's own 404 from a proxy's or from that
   * of a wrong path, nor a schema that it cannot parse from an answer that holds none; so ask once more and look.
   */
  async #explain(schemaId: number): Promise<undefined> {
    const answer = await this.#request('GET', `/schemas/ids/${schemaId}`);
    if (isRegistryNotFound(answer)) return undefined;
    if (answer.status !== 200 || typeof answer.body['schema'] !== 'string') throw this.#unusable(answer);
    throw new AlertFormatError(
      'NOT_AN_ALERT_SCHEMA',
      `schema ${schemaId} is not an Avro schema that can be read`,
    );
  }

  /**
   * Sets the subject's rule; returns the rule that the client will find in force. A registry may refuse a rule for a
   * subject that has no version yet (404), and name its default rule instead: ours is then set after the first version.
   */
  async #setRule(subject: string): Promise<COMPATIBILITY> {
    const path = `/config/${encodeURIComponent(subject)}`;
    const before = await this.#request('GET', path);
    if (levelOf(before) === RULE) return RULE;
    let put = await this.#request('PUT', path, { compatibility: RULE });
    // Another instance makes the subject's rule at this moment: now there is one, which can be set.
    if (put.status === 409) put = await this.#request('PUT', path, { compatibility: RULE });
    if (put.status === 200) return RULE;
    if (put.status !== 404) throw this.#unusable(put);
    return levelOf(before) ?? RULE;
  }

  async #request(method: 'GET' | 'PUT', path: string, body?: Record<string, string>): Promise<Answer> {
    try {
      const response = await fetch(this.#url + path, {
        method,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        headers: {
          'Content-Type': 'application/vnd.schemaregistry.v1+json',
          ...(this.#authorization !== undefined && { Authorization: this.#authorization }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: parseObject(await response.text()) };
    } catch (error) {
      throw this.#unavailable(messageOf(error), error);
    }
  }

  #unusable({ status, body }: Answer): RegistryUnavailableError {
    const message = body['message'];
    return this.#unavailable(`status ${status}${typeof message === 'string' ? `: ${message}` : ''}`);
  }

  #unavailable(reason: string, cause?: unknown): RegistryUnavailableError {
    return new RegistryUnavailableError(`schema registry ${this.#url}: ${reason}`, { cause });
  }
}

class DeadlineError extends Error {}

/** The client's own timeout ends only a silent connection; a trickling one must end too. */
async function withDeadline<T>(promise: Promise<T>, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DeadlineError(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function isResponseError(error: unknown): error is Error & { status: number } {
  return error instanceof Error && 'status' in error && typeof error.status === 'number';
}

/** A registry's own 404 carries an error code of five digits: 40403 is "schema not found". */
function isRegistryNotFound({ status, body }: Answer): boolean {
  const code = body['error_code'];
  return status === 404 && typeof code === 'number' && code >= 40400 && code < 40500;
}

function levelOf({ status, body }: Answer): COMPATIBILITY | undefined {
  const level = status === 200 ? body['compatibilityLevel'] : undefined;
  return Object.values(COMPATIBILITY).find((known) => known === level);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** At most so many characters of what a server says: a proxy answers with a page. */
const MAX_REASON = 300;

/** fetch hides its reason one level down; the client puts its name, and a status of its own, before a refusal. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
  return text.replace(/^Confluent_Schema_Registry - (Error, status 400: )?/, '').slice(0, MAX_REASON);
}
