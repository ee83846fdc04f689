import { describe, expect, test } from 'vitest';
import * as layout from './layout.ts';
import { decodeThrottle } from './throttle-map.ts';

const interval = (start: bigint) => ({
  ...layout.interval.decode(Buffer.alloc(layout.interval.size)),
  start_ns: start,
  dropped: start,
});

describe('a value of the throttle map', () => {
  test('lists its intervals from the oldest on, around the end of the array', () => {
    const bytes = layout.throttle.encode({
      container: 42n,
      matched: 30n,
      dropped: 20n,
      first: 3,
      count: 2,
      intervals: [interval(2n), interval(99n), interval(99n), interval(1n)],
    });
    expect(decodeThrottle(bytes)).toMatchObject({
      container: 42n,
      matched: 30,
      dropped: 20,
      removed: false,
      intervals: [{ startNs: 1n }, { startNs: 2n, endedBy: '' }],
    });
  });

  test('that is just being freed is nobody’s', () => {
    expect(decodeThrottle(layout.throttle.encode({ container: 2n ** 64n - 1n }))).toBeUndefined();
  });
});
