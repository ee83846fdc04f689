// Where a fault can be put between a partition's owner and what it acts on: each call of an in-memory adapter
// passes a gate, which says when it is carried out and what the caller learns of it.

export interface Gate {
  /** Carries out `act`, sooner or later or never, and tells what came of it. */
  pass<T>(name: string, act: () => T): Promise<T>;
}

/** Lets everything pass at once. */
export const openGate: Gate = {
  pass: (_name, act) => Promise.resolve().then(act),
};

/** What is to happen to a call. `lost`: it is carried out, and the answer is an error. */
export type Fault = 'fails' | 'lost';

/** Lets everything pass at once but for the calls that a test names. */
export class FaultyGate implements Gate {
  /** The names of all calls so far. */
  readonly calls: string[] = [];
  readonly #faults: { readonly name: string; readonly fault: Fault }[] = [];
  readonly #held: { readonly name: string; readonly released: PromiseWithResolvers<undefined> }[] = [];

  /** The next call of that name meets this fault. */
  next(name: string, fault: Fault): void {
    this.#faults.push({ name, fault });
  }

  /** The next call of that name waits until the function returned here is called. */
  hold(name: string): () => void {
    const released = Promise.withResolvers<undefined>();
    this.#held.push({ name, released });
    return () => released.resolve(undefined);
  }

  async pass<T>(name: string, act: () => T): Promise<T> {
    this.calls.push(name);
    const held = take(this.#held, name);
    if (held !== undefined) await held.released.promise;
    await Promise.resolve();
    switch (take(this.#faults, name)?.fault) {
      case 'fails':
        throw new Error(`${name} failed`);
      case 'lost':
        act();
        throw new Error(`the answer of ${name} was lost`);
      default:
        return act();
    }
  }
}

function take<E extends { readonly name: string }>(list: E[], name: string): E | undefined {
  const index = list.findIndex((entry) => entry.name === name);
  return index < 0 ? undefined : list.splice(index, 1)[0];
}

/** Lets all that can happen without time passing happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
