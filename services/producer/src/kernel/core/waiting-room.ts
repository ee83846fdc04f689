// Alerts of containers that are not known yet wait here, in order, for a while: an alert must not go out under another's name.

export interface WaitingRoomOptions {
  /** Alerts; when more come, the oldest have waited long enough. */
  readonly capacity: number;
  readonly patienceMs: number;
}

interface Waiting<T> {
  readonly container: bigint;
  readonly item: T;
  readonly sinceMs: number;
}

export class WaitingRoom<T> {
  readonly #options: WaitingRoomOptions;
  /** Of all containers, the oldest first. */
  #waiting: Waiting<T>[] = [];
  readonly #perContainer = new Map<bigint, number>();

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Later alerts of the container have to wait behind it. */
  has(container: bigint): boolean {
    return this.#perContainer.has(container);
  }

  add(container: bigint, item: T, nowMs: number): void {
    this.#waiting.push({ container, item, sinceMs: nowMs });
    this.#perContainer.set(container, (this.#perContainer.get(container) ?? 0) + 1);
  }

  /** The container is known now: what waited for it, in order. */
  take(container: bigint): T[] {
    if (!this.has(container)) return [];
    const taken = this.#waiting.filter((one) => one.container === container);
    this.#waiting = this.#waiting.filter((one) => one.container !== container);
    this.#perContainer.delete(container);
    return taken.map(({ item }) => item);
  }

  /** Containers of which an alert has waited too long, or for which there is no room. */
  overdue(nowMs: number): bigint[] {
    const { capacity, patienceMs } = this.#options;
    const surplus = this.#waiting.length - capacity;
    const late = this.#waiting.filter(
      ({ sinceMs }, index) => index < surplus || nowMs - sinceMs >= patienceMs,
    );
    return [...new Set(late.map(({ container }) => container))];
  }
}
