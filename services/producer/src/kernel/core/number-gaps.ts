// Numbers below the highest of a ring that have not come. An event gets its number before it gets its place in the ring,
// so that of two CPUs the later number may come first; most of these come a moment later, and others, which the ring had
// no room for, never.

/** From and to, both included. */
export type Range = readonly [from: number, to: number];

/** More than there can be events on their way at a time. Those that never come fill it too, and the oldest go. */
const MAX_RANGES = 256;

export class NumberGaps {
  /** In order, apart from each other. */
  #ranges: Range[];

  constructor(ranges: readonly Range[] = []) {
    this.#ranges = [...ranges];
  }

  /** Above all others; nothing where it is empty. */
  add(from: number, to: number): void {
    if (from > to) return;
    this.#ranges.push([from, to]);
    this.#bound();
  }

  /** Whether the number is among them; then it is no longer. */
  take(number: number): boolean {
    const index = this.#ranges.findLastIndex(([from, to]) => from <= number && number <= to);
    const range = this.#ranges[index];
    if (range === undefined) return false;
    const rest: Range[] = [
      [range[0], number - 1],
      [number + 1, range[1]],
    ];
    this.#ranges.splice(index, 1, ...rest.filter(([from, to]) => from <= to));
    this.#bound();
    return true;
  }

  upTo(highest: number): Range[] {
    return this.#ranges.flatMap(([from, to]): Range[] =>
      from > highest ? [] : [[from, Math.min(to, highest)]],
    );
  }

  #bound(): void {
    if (this.#ranges.length > MAX_RANGES) this.#ranges = this.#ranges.slice(-MAX_RANGES);
  }
}
