// Reads and writes batches that are compressed: kafkajs itself knows only gzip, and has no bound for what comes out of it.
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import type { ConfigOf, kafkaSettings } from '@alert-throttle/config';
import kafkajs, { type CompressionTypes } from 'kafkajs';
import { compressFrame, compressFrameSync, decompressFrame, decompressFrameSync } from 'lz4-napi';
import { checkLz4Frame } from './lz4-frame.ts';

/** A batch larger than this once unpacked is refused: no broker accepts such a batch unpacked, so it is an attack. */
export const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/** snappyjs ships no types. `uncompress` throws where the data is no Snappy, or longer than `maxLength` once unpacked. */
interface SnappyJs {
  compress(data: Uint8Array): Buffer;
  uncompress(data: Uint8Array, maxLength?: number): Buffer;
}

const snappyjs = createRequire(import.meta.url)('snappyjs') as SnappyJs;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

/**
 * The work for batches up to these sizes, before packing and after it, is done at once: the way to a thread and back
 * costs several times as much as a few alerts do (docs/adr/0010-compression.md).
 */
const SMALL_BYTES = 256 * 1024;
const SMALL_PACKED_BYTES = 64 * 1024;
/** What a small one that is unpacked at once may become. LZ4 cannot make more than 16 MiB of it. */
const SMALL_UNPACKED_BYTES = 1024 * 1024;

const packGzip = promisify(gzip);
const unpackGzip = promisify(unzip);
const packZstd = promisify(zstdCompress);
const unpackZstd = promisify(zstdDecompress);

const gzipCodec: Codec = {
  compress: ({ buffer }) => packGzip(buffer),
  decompress: (data) => unpackGzip(data, { maxOutputLength: MAX_UNPACKED_BYTES }),
};

const zstd: Codec = {
  compress: async ({ buffer }) => {
    // With its size in the header, a reader need not guess how much room it takes.
    const options = { pledgedSrcSize: buffer.length };
    return buffer.length <= SMALL_BYTES ? zstdCompressSync(buffer, options) : packZstd(buffer, options);
  },
  decompress: async (data) => {
    if (data.length <= SMALL_PACKED_BYTES) {
      try {
        return zstdDecompressSync(data, { maxOutputLength: SMALL_UNPACKED_BYTES });
      } catch (error) {
        // Larger than that once unpacked.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return unpackZstd(data, { maxOutputLength: MAX_UNPACKED_BYTES });
  },
};

const lz4: Codec = {
  compress: async ({ buffer }) =>
    buffer.length <= SMALL_BYTES ? compressFrameSync(buffer) : compressFrame(buffer),
  decompress: async (data) => {
    checkLz4Frame(data, MAX_UNPACKED_BYTES);
    return data.length <= SMALL_PACKED_BYTES ? decompressFrameSync(data) : decompressFrame(data);
  },
};

const snappy: Codec = {
  compress: ({ buffer }) => Promise.resolve(snappyjs.compress(buffer)),
  decompress: (data) => Promise.resolve(unpackSnappy(data)),
};

/*
 * Java clients write Snappy in the framing of the xerial library; librdkafka and others write a bare block.
 *
 *   82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version u32 | compatible u32 | (length u32 | block)...
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

export function unpackSnappy(data: Buffer): Buffer {
  if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC))
    return snappyjs.uncompress(data, MAX_UNPACKED_BYTES);
  const blocks: Buffer[] = [];
  let bytesLeft = MAX_UNPACKED_BYTES;
  let at = XERIAL_HEADER_BYTES;
  while (at < data.length) {
    const length = data.readUInt32BE(at);
    const end = at + 4 + length;
    if (end > data.length)
      throw new RangeError(`Snappy block of ${length} bytes at ${at} ends beyond the batch`);
    const block = snappyjs.uncompress(data.subarray(at + 4, end), bytesLeft);
    bytesLeft -= block.length;
    blocks.push(block);
    at = end;
  }
  return Buffer.concat(blocks);
}

/** Idempotent. */
export function registerCompression(): void {
  const codecs = kafkajs.CompressionCodecs as Record<number, () => Codec>;
  codecs[kafkajs.CompressionTypes.GZIP] = () => gzipCodec;
  codecs[kafkajs.CompressionTypes.Snappy] = () => snappy;
  codecs[kafkajs.CompressionTypes.LZ4] = () => lz4;
  codecs[kafkajs.CompressionTypes.ZSTD] = () => zstd;
}

/** What the settings may name. Snappy is only read: LZ4 packs as fast and smaller, and not in JavaScript. */
export type Compression = ConfigOf<typeof kafkaSettings>['kafkaCompression'];

/** As `compression` of a send takes it. */
export const COMPRESSION_TYPES: Readonly<Record<Compression, CompressionTypes>> = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  lz4: kafkajs.CompressionTypes.LZ4,
  zstd: kafkajs.CompressionTypes.ZSTD,
};
