import avro, { type Schema } from 'avsc';
import { describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import { AlertFormatError, type AlertFormatCode } from './errors.ts';
import { createReader } from './reader.ts';
import { alertType } from './schemas.ts';
import { AlertWriter } from './writer.ts';

const alert = makeAlert({
  ContainerID: 'c1',
  NodeID: 'n1',
  Sequence: 7,
  EventTimeMicros: 1763881200000123,
  PolicyName: 'Größe 名前 🔒',
  Message: 'm'.repeat(20_000),
  ATags: ['a', 'b'],
  EventData: { k: 'v' },
  Owner: { Ref: 'Deployment', Name: 'w', Namespace: 'n' },
});
const value = new AlertWriter(1).encode(alert);
const reader = createReader(alertType);

/** The error's code; undefined if the call returns. Any other error is a bug and is thrown. */
function codeOf(call: () => unknown): AlertFormatCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof AlertFormatError) return error.code;
    throw error;
  }
}

function wire(...avroBytes: (number[] | Buffer)[]): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), ...avroBytes.map((bytes) => Buffer.from(bytes))]);
}

/** A schema named like ours, with these fields. */
function writerOf(...fields: { name: string; type: Schema; default?: unknown }[]) {
  return avro.Type.forSchema({ type: 'record', name: 'alertthrottle.Alert', fields });
}

describe('a reader', () => {
  it('reads the leading fields and the whole alert', () => {
    const { ContainerID, NodeID, BootID, Sequence, EventTimeMicros, Type, Operation } = alert;
    const { Action, Enforcer, NamespaceName, PolicyName, Severity } = alert;
    expect(reader.leading(value)).toEqual({
      ...{ ContainerID, NodeID, BootID, Sequence, EventTimeMicros, Type, Operation },
      ...{ Action, Enforcer, NamespaceName, PolicyName, Severity },
    });
    expect(reader.decode(value)).toEqual(alert);
  });

  it('finds a record cut anywhere', () => {
    const short = new AlertWriter(1).encode({ ...alert, Message: 'm' });
    for (let end = 0; end < short.length; end++) {
      expect(codeOf(() => reader.leading(short.subarray(0, end)))).toBe('TRUNCATED');
      expect(codeOf(() => reader.decode(short.subarray(0, end)))).toBe('TRUNCATED');
    }
  });

  it('does not look beyond its record into the memory that it shares', () => {
    const shared = Buffer.concat([value, value]).subarray(0, value.length - 1);
    expect(codeOf(() => reader.leading(shared))).toBe('TRUNCATED');
  });

  it('finds bytes after the last field', () => {
    const longer = Buffer.concat([value, Buffer.from([0])]);
    expect(codeOf(() => reader.leading(longer))).toBe('TRAILING_BYTES');
    expect(codeOf(() => reader.decode(longer))).toBe('TRAILING_BYTES');
  });

  it('wants the magic byte', () => {
    const other = Buffer.from(value);
    other[0] = 1;
    expect(codeOf(() => reader.leading(other))).toBe('NO_MAGIC_BYTE');
  });

  it('does not mix up records that follow one another', () => {
    const names = [
      '',
      'a',
      'b',
      'ab',
      'ba',
      'é',
      '\u00e9\u00e9',
      '\ufffd',
      'a'.repeat(64),
      'a'.repeat(65),
      'b'.repeat(64),
    ];
    const writer = new AlertWriter(1);
    for (const ContainerID of [...names, ...names.reverse()]) {
      for (const NodeID of names) {
        const leading = reader.leading(writer.encode(makeAlert({ ContainerID, NodeID })));
        expect([leading.ContainerID, leading.NodeID, leading.Severity]).toEqual([ContainerID, NodeID, '']);
      }
    }
  });
});

describe('bytes that no writer makes', () => {
  const writer = writerOf({ name: 'Sequence', type: 'long' }, { name: 'PPID', type: 'int' });
  const longs = createReader(writer);

  it('are malformed: a negative length', () => {
    expect(codeOf(() => reader.leading(wire([0x01])))).toBe('MALFORMED');
  });

  it('are cut off: a huge length', () => {
    expect(codeOf(() => reader.leading(wire([0xfe, 0xff, 0xff, 0xff, 0x0f])))).toBe('TRUNCATED');
  });

  it('are malformed: a length beyond 2^53', () => {
    expect(codeOf(() => reader.leading(wire(Array<number>(9).fill(0xfe), [0x01])))).toBe('MALFORMED');
  });

  it('are malformed: a number of more than ten bytes', () => {
    expect(codeOf(() => longs.leading(wire(Array<number>(10).fill(0x80), [0x00, 0x00])))).toBe('MALFORMED');
  });

  it.each([
    ['2^53 - 1', 2n ** 53n - 1n],
    ['2^53', 2n ** 53n],
    ['the largest', 2n ** 63n - 1n],
    ['the smallest', -(2n ** 63n)],
    ['below what avsc reads right', -(2n ** 52n) - 1n],
  ])('are malformed: a long that a number may not hold exactly, %s', (_, long) => {
    expect(codeOf(() => longs.leading(wire(varint(long), [0])))).toBe('MALFORMED');
    expect(codeOf(() => longs.decode(wire(varint(long), [0])))).toBe('MALFORMED');
  });

  it.each([0, 1, -1, 63, 64, 2 ** 27, 2 ** 28, -(2 ** 28), 2 ** 31, 2 ** 49, -(2 ** 52), 2 ** 53 - 2])(
    'are not confused with the long %d',
    (long) => {
      const bytes = wire(varint(BigInt(long)), [0]);
      expect(longs.leading(bytes).Sequence).toBe(long);
      expect(longs.decode(bytes).Sequence).toBe(long);
    },
  );

  it('are malformed: an int of more than 32 bits', () => {
    expect(codeOf(() => longs.leading(wire([0], varint(2n ** 31n))))).toBe('MALFORMED');
    expect(codeOf(() => longs.leading(wire([0], varint(-(2n ** 31n)))))).toBeUndefined();
  });

  it('are malformed: a union branch that is not there', () => {
    const union = createReader(writerOf({ name: 'Owner', type: ['null'] }));
    expect(codeOf(() => union.leading(wire([0x02])))).toBe('MALFORMED');
    expect(codeOf(() => union.leading(wire([0x01])))).toBe('MALFORMED');
  });

  it.each([1n, -1n])('are cut off: an array of 2^40 items (sign %d)', (sign) => {
    const array = createReader(writerOf({ name: 'ATags', type: { type: 'array', items: 'string' } }));
    expect(codeOf(() => array.decode(wire(varint(sign * 2n ** 40n), [0, 0])))).toBe('TRUNCATED');
  });
});

describe("another writer's schema", () => {
  it('may lack, reorder and add fields', () => {
    const writer = writerOf(
      { name: 'Nanos', type: 'long' },
      { name: 'PolicyName', type: 'string' },
      { name: 'Ratio', type: { type: 'map', values: ['null', 'double', 'boolean', 'float'] } },
      { name: 'Mode', type: { type: 'enum', name: 'Mode', symbols: ['A', 'B'] } },
      { name: 'Digest', type: { type: 'fixed', name: 'Digest', size: 3 } },
      { name: 'ContainerID', type: 'bytes' },
      { name: 'Sequence', type: 'int' },
      { name: 'PPID', type: 'int' },
    );
    const fields = {
      PolicyName: 'p',
      Ratio: { a: null, b: { double: 1 }, c: { boolean: true }, d: { float: 1 } },
    };
    const rest = {
      Mode: 'B',
      Digest: Buffer.from('abc'),
      ContainerID: Buffer.from('c1'),
      Sequence: 5,
      PPID: 3,
    };
    const bytes = writer.toBuffer({ Nanos: 0, ...fields, ...rest });
    const nanos = varint(2n ** 62n); // more than a number holds, in a field that nobody here reads
    const foreign = createReader(writer);
    const record = wire(nanos, bytes.subarray(1));
    const expected = { ContainerID: 'c1', PolicyName: 'p', Sequence: 5, NodeID: '', EventTimeMicros: 0 };
    expect(foreign.leading(record)).toMatchObject(expected);
    expect(foreign.decode(record)).toEqual(
      makeAlert({ ContainerID: 'c1', PolicyName: 'p', Sequence: 5, PPID: 3 }),
    );
    for (let end = 0; end < record.length; end++) {
      expect(codeOf(() => foreign.leading(record.subarray(0, end)))).toBe('TRUNCATED');
    }
  });

  it('may have unions where ours has plain types', () => {
    const writer = writerOf(
      { name: 'NodeID', type: ['string', 'bytes'] },
      { name: 'Sequence', type: ['int', 'long'] },
    );
    const bytes = writer.toBuffer({ NodeID: 'n1', Sequence: { long: 5 } });
    expect(createReader(writer).leading(wire(bytes))).toMatchObject({
      NodeID: 'n1',
      Sequence: 5,
      ContainerID: '',
    });
  });

  it.each([
    ['of another name', { type: 'record', name: 'other.Alert', fields: [] }],
    ['of no record', 'string'],
    ['of another type in a field', { ...record(), fields: [{ name: 'Sequence', type: 'string' }] }],
    [
      'of a type that contains itself',
      { ...record(), fields: [{ name: 'Next', type: ['null', 'alertthrottle.Alert'] }] },
    ],
    [
      'of items without bytes',
      { ...record(), fields: [{ name: 'N', type: { type: 'array', items: 'null' } }] },
    ],
  ])('is refused if it is that %s', (_, schema) => {
    expect(codeOf(() => createReader(avro.Type.forSchema(schema as Schema)))).toBe('NOT_AN_ALERT_SCHEMA');
  });
});

function record() {
  return { type: 'record', name: 'alertthrottle.Alert' };
}

/** Avro's zigzag varint of any 64-bit number. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}
