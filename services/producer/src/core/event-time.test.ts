import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventTime, formatMicros, parseRfc3339Micros } from './event-time.ts';

describe('parseRfc3339Micros', () => {
  it.each([
    ['2022-03-12T16:11:10.296322Z', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000 + 296_322],
    ['2022-03-12T16:11:10Z', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000],
    ['2022-03-12T16:11:10.5Z', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000 + 500_000],
    ['2022-03-12T16:11:10.296322999Z', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000 + 296_322],
    ['2022-03-12T18:11:10.000001+02:00', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000 + 1],
    ['2022-03-12T10:41:10-05:30', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000],
    ['2022-03-12t16:11:10z', Date.UTC(2022, 2, 12, 16, 11, 10) * 1000],
    ['2024-02-29T23:59:60Z', Date.UTC(2024, 2, 1) * 1000],
    ['1970-01-01T00:00:00.000001Z', 1],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2099-12-31T00:00:00Z', Date.UTC(2099, 11, 31) * 1000],
  ])('reads %s', (text, micros) => {
    expect(parseRfc3339Micros(text)).toBe(micros);
  });

  it.each([
    '',
    'yesterday',
    '1647101470',
    '2022-03-12',
    '2022-03-12T16:11:10',
    '2022-02-30T00:00:00Z',
    '2022-13-01T00:00:00Z',
    '2022-03-12T24:00:00Z',
    '2022-03-12T16:60:00Z',
    '0001-01-01T00:00:00Z',
    '2022-03-12 16:11:10.296322 +0000 UTC m=+0.1',
  ])('takes no other text for a time: %j', (text) => {
    expect(parseRfc3339Micros(text)).toBeUndefined();
  });

  it('takes a time that no number can hold as one far in the future', () => {
    const micros = parseRfc3339Micros('9999-12-31T23:59:59.999999Z');
    expect(micros).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
    expect(micros).toBeGreaterThan(Date.UTC(2200, 0) * 1000);
  });

  it('reads what formatMicros writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2250, 0) * 1000 }), (micros) => {
        expect(parseRfc3339Micros(formatMicros(micros))).toBe(micros);
      }),
    );
  });
});

describe('eventTime', () => {
  it('prefers UpdatedTime', () => {
    expect(eventTime(1_500_000, 7)).toBe(1_500_000);
  });

  it.each([undefined, 0, -62_135_596_800_000_000])(
    'falls back to Timestamp where UpdatedTime is %s',
    (updated) => {
      expect(eventTime(updated, 1_647_101_470)).toBe(1_647_101_470_000_000);
    },
  );

  it.each([0, -1])('knows nothing where Timestamp is %s, too', (timestamp) => {
    expect(eventTime(undefined, timestamp)).toBeUndefined();
  });

  it('keeps a time in 1970 and one in the future', () => {
    expect(eventTime(undefined, 1)).toBe(1_000_000);
    expect(eventTime(undefined, 4_102_444_800)).toBe(4_102_444_800_000_000);
  });

  it('takes a Timestamp in nanoseconds as one far in the future', () => {
    expect(eventTime(undefined, 1_647_101_470_000_000)).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });
});
