// Reads (and writes) the batches of clients that compress with Snappy, LZ4 or Zstandard; kafkajs itself knows only gzip.
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';

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

const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

const zstd: Codec = {
  compress: ({ buffer }) => pack(buffer),
  decompress: (data) => unpack(data, { maxOutputLength: MAX_UNPACKED_BYTES }),
};

const lz4: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: (data) => decompressFrame(data),
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
  codecs[kafkajs.CompressionTypes.Snappy] = () => snappy;
  codecs[kafkajs.CompressionTypes.LZ4] = () => lz4;
  codecs[kafkajs.CompressionTypes.ZSTD] = () => zstd;
}
