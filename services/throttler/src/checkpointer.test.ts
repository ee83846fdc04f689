// The checkpoint behind the commits: what is written when, what is believed of what was loaded.

import { FOLD_VERSION, PartitionFold } from '@alert-throttle/throttle';
import { beforeEach, describe, expect, it } from 'vitest';

import { Checkpointer, type LoadedCheckpoint } from './checkpointer.ts';
import type { CheckpointStore } from './ports.ts';
import { Folding } from './testing/folding.ts';
import { FaultyGate, settled } from './testing/gate.ts';
import { MemoryCheckpoints, MemoryCheckpointStore } from './testing/memory-checkpoint-store.ts';
import { listeningLogger } from './testing/owner-fixture.ts';
import { alertRecord, START_MS } from './testing/raw-alerts.ts';

let checkpoints: MemoryCheckpoints;
let gate: FaultyGate;
let messages: string[];
let degraded: boolean[];
let flushed: number[];
let checkpointer: Checkpointer;
let on: Folding;
let offset: number;

function open(store: CheckpointStore = new MemoryCheckpointStore(checkpoints, gate)): Checkpointer {
  const { logger, messages: said } = listeningLogger();
  messages = said;
  return new Checkpointer({
    store,
    partition: 0,
    logger,
    onDegraded: (now) => degraded.push(now),
    onFlushed: (windows) => flushed.push(windows),
  });
}

beforeEach(() => {
  checkpoints = new MemoryCheckpoints();
  gate = new FaultyGate();
  degraded = [];
  flushed = [];
  checkpointer = open();
  on = new Folding();
  offset = 0;
});

/** So many alerts of that container. */
function fold(container: string, alerts = 1): void {
  const records = Array.from({ length: alerts }, () =>
    alertRecord(START_MS + offset++, { ContainerID: container }),
  );
  on.run(on.logged(...records));
}

function flush(): Promise<void> {
  return checkpointer.flush(on.fold, { offset, digest: on.fold.digest(), limits: '{}' });
}

function stored(): ReadonlyMap<string, string> {
  return checkpoints.state(0)?.fields ?? new Map<string, string>();
}

/** Stored are the fold's fields, the throttled containers, and what the state stands for. */
function expectStored(): void {
  const { set, throttledSet } = PartitionFold.restore(on.fold.snapshot().set, on.fold.timeMicros).snapshot();
  const fields = [...stored()].filter(([field]) => !field.startsWith('@'));
  expect(new Map(fields)).toEqual(new Map(set));
  expect(checkpoints.state(0)?.throttled).toEqual(new Map(throttledSet));
  expect(Object.fromEntries(stored())).toMatchObject({
    '@offset': String(offset),
    '@digest': on.fold.digest(),
    '@limits': '{}',
    '@version': String(FOLD_VERSION),
    '@time': expect.stringMatching(/^2026-11-23T07:02:11\.\d{6}Z$/) as unknown,
    '@updated': expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
  });
}

/** A checkpoint of two containers, one of them throttled. */
async function written(): Promise<void> {
  fold('a');
  fold('b', 5);
  await flush();
}

async function loaded(): Promise<LoadedCheckpoint> {
  const checkpoint = await checkpointer.load();
  if (checkpoint === undefined) throw new Error('no checkpoint');
  return checkpoint;
}

describe('writing', () => {
  it('replaces what is stored at first, whatever that is', async () => {
    checkpoints.put(0, { fields: new Map([['default/old', 'x']]), throttled: new Map([['old', 1]]) });
    await written();
    expectStored();
    expect(gate.calls).toEqual(['replace']);
    expect(flushed).toEqual([2]);
  });

  it('then writes what changed since', async () => {
    await written();
    fold('a');
    await flush();
    expectStored();
    fold('c', 9);
    await flush();
    expectStored();
    expect(gate.calls).toEqual(['replace', 'update', 'update']);
    expect(flushed).toEqual([2, 1, 1]);
  });

  it('takes the state as it is at the call, though the fold goes on', async () => {
    await written();
    const release = gate.hold('update');
    fold('a');
    const before = on.fold.digest();
    const writing = flush();
    expect(checkpointer.busy).toBe(true);
    fold('b', 3);
    fold('d');
    release();
    await writing;
    expect(checkpointer.busy).toBe(false);
    const found = await loaded();
    expect([found.fold.digest(), found.token.digest]).toEqual([before, before]);
    await flush();
    expectStored();
  });

  it('is waited for by `settle`', async () => {
    await checkpointer.settle();
    const release = gate.hold('replace');
    void flush();
    let done = false;
    const settling = checkpointer.settle().then(() => (done = true));
    await settled();
    expect(done).toBe(false);
    release();
    await settling;
    expect(checkpointer.busy).toBe(false);
  });

  it('replaces all after a refusal: Redis held another state', async () => {
    await written();
    checkpoints.lose();
    fold('a');
    await flush();
    expect(stored().size).toBe(0);
    expect(checkpointer.mustReplace).toBe(true);
    expect(checkpointer.degraded).toBe(false);
    await flush();
    expectStored();
    expect(checkpointer.mustReplace).toBe(false);
    expect(gate.calls).toEqual(['replace', 'update', 'replace']);
  });

  it('replaces all after Redis was rolled back', async () => {
    await written();
    fold('a');
    await flush();
    fold('c');
    await flush();
    checkpoints.rollBack(1);
    fold('d');
    await flush();
    await flush();
    expectStored();
  });

  it.each(['fails', 'lost'] as const)(
    'replaces all after a write that %s, DEGRADED till then',
    async (fault) => {
      await written();
      gate.next('update', fault);
      fold('a');
      await flush();
      expect([checkpointer.degraded, checkpointer.mustReplace]).toEqual([true, true]);
      gate.next('replace', fault);
      fold('c');
      await flush();
      expect(checkpointer.degraded).toBe(true);
      fold('d');
      await flush();
      expectStored();
      expect([checkpointer.degraded, checkpointer.mustReplace]).toEqual([false, false]);
      expect(degraded).toEqual([false, true, true, false]);
      expect(messages.filter((message) => message.includes('DEGRADED'))).toEqual([
        'error: DEGRADED: the checkpoint could not be written to Redis; alerts keep flowing',
        'info: Redis answers again: no longer DEGRADED',
      ]);
      fold('e');
      await flush();
      expectStored();
      expect(gate.calls.at(-1)).toBe('update');
    },
  );

  it('asks nothing of a Redis that is known to be away', async () => {
    await written();
    checkpoints.away = true;
    fold('a');
    await flush();
    await flush();
    expect(gate.calls).toEqual(['replace']);
    expect([checkpointer.degraded, checkpointer.mustReplace]).toEqual([true, true]);
    checkpoints.away = false;
    await flush();
    expectStored();
    expect(checkpointer.degraded).toBe(false);
  });

  it('forgets what is stored when it is told that nothing is known of it', async () => {
    await written();
    checkpointer.adopt(undefined);
    await flush();
    expect(gate.calls).toEqual(['replace', 'replace']);
  });
});

describe('loading', () => {
  it('reads again what another owner replaced meanwhile, and then gives up', async () => {
    await written();
    const before = checkpoints.state(0);
    fold('b', 3);
    fold('c', 3);
    await flush();
    const after = checkpoints.state(0);
    if (before === undefined || after === undefined) throw new Error('nothing was written');
    for (const [swaps, found] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const) {
      checkpoints.put(0, before);
      let left = swaps;
      const store = swapping(() => {
        if (left-- > 0) checkpoints.put(0, checkpoints.state(0) === before ? after : before);
      });
      checkpointer = open(store);
      const checkpoint = await checkpointer.load();
      expect(checkpoint !== undefined).toBe(found);
      if (checkpoint !== undefined) expect(checkpoint.fold.digest()).toBe(checkpoint.token.digest);
      expect(messages.filter((message) => message.includes('discarded'))).toHaveLength(found ? 0 : 1);
    }
  });

  it('finds nothing where there is nothing', async () => {
    expect(await checkpointer.load()).toBeUndefined();
    expect(messages).toEqual([]);
  });

  it('gives the state back, and what is written next is what changed since', async () => {
    await written();
    checkpointer = open();
    const { fold: restored, offset: at, token } = await loaded();
    expect([restored.digest(), restored.timeMicros, at]).toEqual([on.fold.digest(), on.fold.timeMicros, 6]);
    checkpointer.adopt(token);
    fold('a');
    const twin = new Folding(6);
    restored.advance(on.fold.timeMicros, twin.folder);
    await checkpointer.flush(restored, { offset: 7, digest: restored.digest(), limits: '{}' });
    expect(gate.calls).toEqual(['replace', 'load', 'update']);
    expect(stored().get('@offset')).toBe('7');
    expect([...stored().keys()].filter((field) => !field.startsWith('@'))).toHaveLength(2);
  });

  it('survives that Redis is away, DEGRADED until it answers', async () => {
    await written();
    checkpoints.away = true;
    expect(await checkpointer.load()).toBeUndefined();
    expect(checkpointer.degraded).toBe(true);
    checkpoints.away = false;
    expect(await checkpointer.load()).toBeDefined();
    expect(checkpointer.degraded).toBe(false);
  });

  it('discards a checkpoint of another version of the fold', async () => {
    await written();
    for (const version of [String(FOLD_VERSION + 1), undefined]) {
      damage((fields) =>
        version === undefined ? fields.delete('@version') : fields.set('@version', version),
      );
      expect(await checkpointer.load()).toBeUndefined();
      expect(messages.at(-1)).toMatch(/of another version/);
    }
  });

  it.each([
    ['no offset', (fields) => fields.delete('@offset')],
    ['an offset that is none', (fields) => fields.set('@offset', '1.5')],
    ['an empty offset', (fields) => fields.set('@offset', '')],
    ['no time', (fields) => fields.delete('@time')],
    ['a time that is none', (fields) => fields.set('@time', 'yesterday')],
    ['no digest', (fields) => fields.delete('@digest')],
    ['another digest', (fields) => fields.set('@digest', '0'.repeat(16))],
    ['a window too few', (fields) => fields.delete('default/a')],
    [
      'a window changed',
      (fields) => fields.set('default/a', (fields.get('default/a') ?? '').replace('=1', '=2')),
    ],
    ['a window that cannot be read', (fields) => fields.set('default/a', 'x')],
    ['a window cut off', (fields) => fields.set('default/b', (fields.get('default/b') ?? '').slice(0, 99))],
    ['a window of another profile', (fields) => fields.set('strict/a', fields.get('default/a') ?? '')],
    ['a window too many', (fields) => fields.set('default/z', fields.get('default/a') ?? '')],
  ] satisfies [string, (fields: Map<string, string>) => unknown][])(
    'discards a damaged checkpoint: %s',
    async (_, change) => {
      await written();
      damage(change);
      expect(await checkpointer.load()).toBeUndefined();
      expect(messages.at(-1)).toMatch(/damaged/);
      expect(checkpointer.degraded).toBe(false);
    },
  );

  it('passes over fields that others may have put there', async () => {
    await written();
    damage((fields) => fields.set('@note', 'hello'));
    expect(await checkpointer.load()).toBeDefined();
  });
});

function damage(change: (fields: Map<string, string>) => unknown): void {
  const fields = new Map(stored());
  change(fields);
  checkpoints.put(0, { fields, throttled: new Map() });
}

/** A store in which something happens after the first slice of every load. */
function swapping(happens: () => void): CheckpointStore {
  const store = new MemoryCheckpointStore(checkpoints, gate);
  const load = store.load.bind(store);
  store.load = async (partition) => {
    const stored = await load(partition);
    return (
      stored && {
        ...stored,
        slices: async function* () {
          let first = true;
          for await (const slice of stored.slices()) {
            yield slice;
            if (first) happens();
            first = false;
          }
        },
      }
    );
  };
  return store;
}
