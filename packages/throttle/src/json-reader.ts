/** Typed reading of parsed JSON that somebody may have edited: each getter checks, and names the path of what it refuses. */

/** The message says what was expected at which path. Its catcher says which text it was about. */
export class JsonShapeError extends Error {
  override readonly name = 'JsonShapeError';
}

export class JsonReader {
  readonly path: string;
  readonly #value: unknown;

  constructor(value: unknown, path = '') {
    this.#value = value;
    this.path = path;
  }

  static parse(text: string): JsonReader {
    try {
      return new JsonReader(JSON.parse(text));
    } catch (cause) {
      throw new JsonShapeError('not JSON', { cause });
    }
  }

  at(key: string): JsonReader {
    const { path } = this;
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.#refuse('an object');
    const member: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
    return new JsonReader(member, path === '' ? key : `${path}.${key}`);
  }

  list(): JsonReader[] {
    if (!Array.isArray(this.#value)) return this.#refuse('an array');
    return this.#value.map((item: unknown, i) => new JsonReader(item, `${this.path}[${i}]`));
  }

  text(): string {
    return typeof this.#value === 'string' ? this.#value : this.#refuse('a string');
  }

  flag(): boolean {
    return typeof this.#value === 'boolean' ? this.#value : this.#refuse('true or false');
  }

  /** An integer from `min` to `max`. */
  integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    const good = typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
    return good ? value : this.#refuse(`an integer from ${min} to ${max}`);
  }

  /** What `read` makes of it, or null where it is null. */
  nullable<T>(read: (reader: JsonReader) => T): T | null {
    return this.#value === null ? null : read(this);
  }

  get missing(): boolean {
    return this.#value === undefined;
  }

  #refuse(expected: string): never {
    throw new JsonShapeError(`${this.path === '' ? 'the value' : this.path}: expected ${expected}`);
  }
}
