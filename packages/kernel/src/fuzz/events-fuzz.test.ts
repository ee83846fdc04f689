/**
 * The decoder of ring records on bytes that no program writes: random ones, and records with bytes changed, cut off or put
 * in. It never throws, never reads beyond its record, and never makes more of a record than there is in it.
 * FUZZ_ROUNDS records.
 */
import { describe, expect, it } from 'vitest';
import { decodeBatch, decodeEvent, type KernelEvent } from '../events.ts';
import * as layout from '../layout.ts';
import { Random, roundsOfRun, seedOfRun } from './random.ts';

const ROUNDS = roundsOfRun('FUZZ_ROUNDS', 100_000);
const TYPES = [
  'alert',
  'tampering',
  'threshold',
  'thresholdEnded',
  'cgroupCreated',
  'cgroupRemoved',
  'lost',
  'malformed',
];

/** A record as a program writes it, or nearly so. */
function recordOf(random: Random): Buffer {
  const head = {
    number: BigInt(random.below(1000)),
    time_ns: 1n,
    container: 2n,
    size: random.below(5000),
    type: random.below(9),
    operation: random.below(layout.OPERATIONS.length + 2),
  };
  switch (head.type) {
    case layout.EVENT.threshold:
    case layout.EVENT.thresholdEnded:
      return Buffer.concat([layout.thresholdEvent.encode({ head, dropped: 5n, rules: [1, 2] })]);
    case layout.EVENT.lost:
      return layout.lostEvent.encode({ head, count: 3n });
    case layout.EVENT.cgroupRemoved:
      return layout.eventHead.encode(head);
    default: {
      const texts = random.list(4, 4, () => random.bytes(random.below(random.pick([4, 300]))));
      const lengths = texts.map(({ length }) => length);
      const kind = random.below(5);
      return Buffer.concat([
        layout.event.encode({ head, kind, text_length: lengths, comm: 'sixteen-bytes-16' }),
        ...texts,
      ]);
    }
  }
}

function mutated(random: Random, record: Buffer): Buffer {
  const bytes = Buffer.from(record);
  for (let i = random.below(8); i > 0 && bytes.length > 0; i--)
    bytes[random.below(bytes.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  if (random.chance(3)) return bytes.subarray(0, random.below(bytes.length + 1));
  return random.chance(4) ? Buffer.concat([bytes, random.bytes(random.below(40))]) : bytes;
}

function anyRecord(random: Random): Buffer {
  return random.chance(4)
    ? random.bytes(random.below(random.pick([16, 64, 1000])))
    : mutated(random, recordOf(random));
}

/** In the middle of other bytes, as it lies in a batch. */
function within(record: Buffer, filler: number): Buffer {
  const around = Buffer.alloc(record.length + 600, filler);
  record.copy(around, 300);
  return around.subarray(300, 300 + record.length);
}

/** An odd byte makes at most one character, of up to three bytes. */
function textsOf(event: KernelEvent): number {
  const values: unknown[] = Object.values(event);
  return values.filter((value) => typeof value === 'string').reduce((sum, text) => sum + text.length, 0);
}

describe('the decoder', { timeout: 600_000 }, () => {
  const seed = seedOfRun();

  it(`takes any record, in ${ROUNDS} rounds`, () => {
    const random = new Random(seed);
    const seen = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const record = anyRecord(random);
      const event = decodeEvent('audit', within(record, 0x41));
      const where = `seed ${seed}, round ${round}: ${record.toString('hex')}`;
      // What lies around a record is no part of what it says.
      const same = JSON.stringify(decodeEvent('audit', within(record, 0x00)), plain);
      if (JSON.stringify(event, plain) !== same) expect.fail(`${where}: reads outside`);
      if (!TYPES.includes(event.type)) expect.fail(`${where}: ${event.type}`);
      if (event.type !== 'malformed' && textsOf(event) > record.length + NAMES)
        expect.fail(`${where}: more than there is`);
      if (event.type === 'malformed' && !event.bytes.equals(record)) expect.fail(`${where}: not the bytes`);
      seen.set(event.type, (seen.get(event.type) ?? 0) + 1);
    }
    expect([...seen.keys()].toSorted()).toEqual(TYPES.toSorted());
  });

  it(`takes any batch, in ${ROUNDS / 10} rounds`, () => {
    const random = new Random(seed + 1);
    for (let round = 0; round < ROUNDS / 10; round++) {
      const batch = Buffer.concat(random.list(0, 6, () => framed(random)));
      const bytes = mutated(random, batch);
      const events = decodeBatch(within(bytes, 0x41));
      const where = `seed ${seed}, round ${round}: ${bytes.toString('hex')}`;
      const same = JSON.stringify(decodeBatch(within(bytes, 0x00)), plain);
      if (JSON.stringify(events, plain) !== same) expect.fail(`${where}: reads outside`);
      if (events.length > bytes.length / 8) expect.fail(`${where}: ${events.length} events`);
    }
  });

  it('finds each record of a batch that is whole', () => {
    const random = new Random(seed + 2);
    for (let round = 0; round < 1000; round++) {
      const records = random.list(0, 6, () => recordOf(random));
      const batch = Buffer.concat(records.map((record) => frame(1, record)));
      expect(decodeBatch(batch)).toEqual(records.map((record) => decodeEvent('audit', record)));
    }
  });
});

/** The type, the operation, who ended an interval, and the like, are longer as words than in the record. */
const NAMES = 120;

function framed(random: Random): Buffer {
  return frame(random.below(3), random.chance(2) ? recordOf(random) : anyRecord(random));
}

function frame(ring: number, record: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(ring, 0);
  head.writeUInt32LE(record.length, 4);
  return Buffer.concat([head, record, Buffer.alloc(-record.length & 7)]);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
