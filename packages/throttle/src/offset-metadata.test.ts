import { describe, expect, it } from 'vitest';
import {
  formatOffsetMetadata,
  isOwnVersion,
  limitsAt,
  MAX_METADATA_BYTES,
  parseOffsetMetadata,
  type LimitsChange,
  type OffsetMetadata,
} from './offset-metadata.ts';

const AT = 1_795_417_331_000_999;

function change(from: number, maxAlertPerSec: number): LimitsChange {
  return { from, at: AT, alertThrottling: true, maxAlertPerSec, throttleSec: 30 };
}

const metadata: OffsetMetadata = {
  v: 1,
  limits: [change(0, 10), change(100, 20), change(100, 30)],
  idle: [[117, AT + 5]],
  digest: '0123456789abcdef',
  at: AT + 5,
};

describe('offset metadata', () => {
  it('is read back as written', () => {
    expect(parseOffsetMetadata(formatOffsetMetadata(metadata))).toEqual(metadata);
  });

  it('is readable', () => {
    expect(formatOffsetMetadata({ ...metadata, limits: [change(0, 10)] })).toBe(
      '{"v":1,"limits":[{"from":0,"at":1795417331000999,"alertThrottling":true,"maxAlertPerSec":10,"throttleSec":30}],' +
        '"idle":[[117,1795417331001004]],"digest":"0123456789abcdef","at":1795417331001004}',
    );
  });

  it('leaves out the oldest changes of limits where they do not fit, and says so', () => {
    const limits = Array.from({ length: 100 }, (_, i) => change(i * 10, i + 1));
    const text = formatOffsetMetadata({ ...metadata, limits });
    expect(text.length).toBeLessThanOrEqual(MAX_METADATA_BYTES);
    const pruned = parseOffsetMetadata(text);
    expect(pruned.pruned).toBe(true);
    expect(pruned.limits).toEqual(limits.slice(-pruned.limits.length));
    expect(pruned.limits.length).toBeGreaterThan(20);
    expect(parseOffsetMetadata(formatOffsetMetadata(pruned)).pruned).toBe(true);
  });

  it('refuses to be longer than a broker takes', () => {
    const idle = Array.from({ length: 300 }, (_, i): [number, number] => [i, AT]);
    expect(() => formatOffsetMetadata({ ...metadata, idle })).toThrow(
      expect.objectContaining({ code: 'OFFSET_METADATA_TOO_LONG' }),
    );
  });

  it('knows the limits in force at an offset: of two changes there, the later one', () => {
    expect(limitsAt(metadata, 0)).toMatchObject({ maxAlertPerSec: 10 });
    expect(limitsAt(metadata, 99)).toMatchObject({ maxAlertPerSec: 10 });
    expect(limitsAt(metadata, 100)).toMatchObject({ maxAlertPerSec: 30 });
    expect(limitsAt(metadata, 1e9)).toMatchObject({ maxAlertPerSec: 30 });
    expect(limitsAt({ ...metadata, limits: [change(5, 1)] }, 4)).toBeUndefined();
  });

  it('tells its own version from others', () => {
    expect(isOwnVersion(metadata)).toBe(true);
    expect(isOwnVersion({ ...metadata, v: 2 })).toBe(false);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['null', 'null'],
    ['another shape', '{"limits":[]}'],
    ['no limits', JSON.stringify({ ...metadata, limits: [] })],
    ['limits out of order', JSON.stringify({ ...metadata, limits: [change(9, 1), change(8, 1)] })],
    ['limits out of range', JSON.stringify({ ...metadata, limits: [change(0, 0)] })],
    ['an offset that is text', JSON.stringify({ ...metadata, idle: [['1', 2]] })],
    ['a digest too short', JSON.stringify({ ...metadata, digest: 'abc' })],
    ['a time that is no integer', JSON.stringify({ ...metadata, at: 1.5 })],
  ])('is not %s', (_name, text) => {
    expect(() => parseOffsetMetadata(text)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_OFFSET_METADATA' }),
    );
  });
});
