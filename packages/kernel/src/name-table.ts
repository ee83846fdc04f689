// Which elements of the map `names` hold the components of which path: those of one path lie one after the other, and
// equal paths share them, across rule sets.

interface Place {
  readonly index: number;
  users: number;
}

interface Range {
  readonly start: number;
  readonly length: number;
}

export class NameTable {
  readonly capacity: number;
  readonly #places = new Map<string, Place>();
  /** By start; no two of them touch. */
  #free: Range[];

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = [{ start: 0, length: capacity }];
  }

  get used(): number {
    return this.capacity - this.#free.reduce((sum, { length }) => sum + length, 0);
  }

  /** Where the names are, or shall be written (`fresh`); undefined where there is no room for them in a row. */
  acquire(names: readonly string[]): { readonly index: number; readonly fresh: boolean } | undefined {
    if (names.length === 0) return { index: 0, fresh: false };
    const key = keyOf(names);
    const known = this.#places.get(key);
    if (known) {
      known.users += 1;
      return { index: known.index, fresh: false };
    }
    const range = this.#free.find(({ length }) => length >= names.length);
    if (!range) return undefined;
    this.#take(range.start, names.length);
    this.#places.set(key, { index: range.start, users: 1 });
    return { index: range.start, fresh: true };
  }

  /** As found in a pinned map. False where the place holds something else: then the map is damaged. */
  adopt(names: readonly string[], index: number): boolean {
    if (names.length === 0) return true;
    const key = keyOf(names);
    const known = this.#places.get(key);
    if (known) {
      known.users += 1;
      return known.index === index;
    }
    if (!this.#take(index, names.length)) return false;
    this.#places.set(key, { index, users: 1 });
    return true;
  }

  release(names: readonly string[]): void {
    if (names.length === 0) return;
    const key = keyOf(names);
    const place = this.#places.get(key);
    if (!place) throw new RangeError(`${key} is not in the table`);
    place.users -= 1;
    if (place.users > 0) return;
    this.#places.delete(key);
    this.#give({ start: place.index, length: names.length });
  }

  #take(start: number, length: number): boolean {
    const end = start + length;
    const range = this.#free.find((free) => free.start <= start && end <= free.start + free.length);
    if (!range) return false;
    const rest = [
      { start: range.start, length: start - range.start },
      { start: end, length: range.start + range.length - end },
    ].filter((part) => part.length > 0);
    this.#free.splice(this.#free.indexOf(range), 1, ...rest);
    return true;
  }

  #give(range: Range): void {
    const sorted = [...this.#free, range].sort((a, b) => a.start - b.start);
    this.#free = [];
    for (const next of sorted) {
      const last = this.#free.at(-1);
      if (last && last.start + last.length === next.start)
        this.#free.splice(-1, 1, { start: last.start, length: last.length + next.length });
      else this.#free.push(next);
    }
  }
}

/** No name has a slash in it. */
function keyOf(names: readonly string[]): string {
  return names.join('/');
}
