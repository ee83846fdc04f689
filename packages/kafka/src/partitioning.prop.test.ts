import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { partitionFor } from './partitioning.ts';

describe('partitionFor', () => {
  // Hashes from org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('given the key %s, when hashed, then as the Java client does', (key, hash) => {
    for (const partitions of [1, 6, 48, 0x7fffffff]) {
      expect(partitionFor(key, partitions)).toBe((hash & 0x7fffffff) % partitions);
      expect(partitionFor(Buffer.from(key), partitions)).toBe((hash & 0x7fffffff) % partitions);
    }
  });

  test("given any bytes, when hashed, then as kafkajs's own partitioner does", () => {
    const reference = Partitioners.DefaultPartitioner();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (bytes, count) => {
        const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
          partitionErrorCode: 0,
          partitionId,
          leader: 0,
          replicas: [],
          isr: [],
        }));
        const key = Buffer.from(bytes);
        const expected = reference({ topic: 't', partitionMetadata, message: { key, value: null } });
        expect(partitionFor(key, count)).toBe(expected);
      }),
    );
  });

  test('given no partitions, when asked, then it throws', () => {
    expect(() => partitionFor('a', 0)).toThrow(RangeError);
  });
});
