import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { MAX_UNPACKED_BYTES, registerCompression, unpackSnappy } from './compression.ts';

registerCompression();

const data = Buffer.from('AlertThreshold '.repeat(10_000));

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

function codec(type: number): Codec {
  const make = (kafkajs.CompressionCodecs as Record<number, () => Codec>)[type];
  if (!make) throw new Error(`no codec ${type}`);
  return make();
}

describe('codecs', () => {
  test.each([
    ['gzip', kafkajs.CompressionTypes.GZIP],
    ['snappy', kafkajs.CompressionTypes.Snappy],
    ['lz4', kafkajs.CompressionTypes.LZ4],
    ['zstd', kafkajs.CompressionTypes.ZSTD],
  ])('given %s, when packed and unpacked, then the bytes are the same', async (_name, type) => {
    const packed = await codec(type).compress({ buffer: data });
    expect(packed.length).toBeLessThan(data.length / 4);
    expect((await codec(type).decompress(packed)).equals(data)).toBe(true);
    // Small and large ones go different ways, and so do small ones that become large.
    for (const one of [data.subarray(0, 20_000), randomBytes(400_000), Buffer.alloc(5_000_000)])
      expect((await codec(type).decompress(await codec(type).compress({ buffer: one }))).equals(one)).toBe(
        true,
      );
    expect(
      (await codec(type).decompress(await codec(type).compress({ buffer: Buffer.alloc(0) }))).length,
    ).toBe(0);
  });

  test('given bytes that are no frame, then lz4 and zstd reject', async () => {
    await expect(codec(kafkajs.CompressionTypes.LZ4).decompress(Buffer.from('nothing'))).rejects.toThrow();
    await expect(codec(kafkajs.CompressionTypes.ZSTD).decompress(Buffer.from('nothing'))).rejects.toThrow();
  });
});

describe('a batch that is too large once unpacked', () => {
  test.each([
    ['gzip', kafkajs.CompressionTypes.GZIP],
    ['lz4', kafkajs.CompressionTypes.LZ4],
    ['zstd', kafkajs.CompressionTypes.ZSTD],
  ])('is refused in %s; one of the largest size is not', async (_name, type) => {
    const largest = await codec(type).compress({ buffer: Buffer.alloc(MAX_UNPACKED_BYTES) });
    expect((await codec(type).decompress(largest)).length).toBe(MAX_UNPACKED_BYTES);
    const larger = await codec(type).compress({ buffer: Buffer.alloc(MAX_UNPACKED_BYTES + 1) });
    expect(larger.length).toBeLessThan(MAX_UNPACKED_BYTES / 100);
    await expect(codec(type).decompress(larger)).rejects.toThrow(RangeError);
  });
});

describe('unpackSnappy', () => {
  const header = Buffer.from('82534e41505059000000000100000001', 'hex');
  const snappyBlock = (part: Buffer): Promise<Buffer> =>
    codec(kafkajs.CompressionTypes.Snappy).compress({ buffer: part });
  const block = async (part: Buffer): Promise<Buffer> => {
    const packed = await snappyBlock(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(packed.length);
    return Buffer.concat([length, packed]);
  };

  test('given the framing of Java clients, then all blocks are unpacked', async () => {
    const framed = Buffer.concat([
      header,
      await block(data.subarray(0, 70_000)),
      await block(data.subarray(70_000)),
    ]);
    expect(unpackSnappy(framed).equals(data)).toBe(true);
  });

  test('given a block that ends beyond the batch, then it throws', async () => {
    const framed = Buffer.concat([header, await block(data)]);
    expect(() => unpackSnappy(framed.subarray(0, -1))).toThrow();
  });
});
