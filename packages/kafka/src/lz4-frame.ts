// How large an LZ4 frame is once unpacked, found out without unpacking it: the library that unpacks has no bound.
//
//   04 22 4D 18 | FLG | BD | [content size u64] | [dictionary u32] | HC | (size u32 | block | [checksum u32])... | 0 u32 | [checksum u32]
//
// The content size is what somebody claims, so it can only refuse a frame. What is believed is the blocks: a block is
// no larger than BD says, and no larger than what its bytes can stand for. That is enough for nearly every frame; one
// for which it is not has its blocks counted through.

const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;

const KIB = 1024;
/** By the three bits in BD; other values mean nothing. */
const BLOCK_BYTES: Readonly<Record<number, number>> = {
  4: 64 * KIB,
  5: 256 * KIB,
  6: 1024 * KIB,
  7: 4096 * KIB,
};

/** The highest bit of a block's size: the block is not compressed. */
const STORED = 0x8000_0000;

/** A match grows by 255 bytes with each further byte of its length, and nothing packs better than that. */
const MAX_RATIO = 255;
const MIN_MATCH = 4;
const LONG = 15;

/** Throws RangeError where the bytes are no LZ4 frame, or one of more than `maxBytes` once unpacked. */
export function checkLz4Frame(frame: Buffer, maxBytes: number): void {
  const { blocksAt, blockBytes, hasChecksums, contentBytes } = readHeader(frame);
  if (contentBytes > maxBytes) throw tooLarge(maxBytes);
  const bound = sum(frame, { blocksAt, blockBytes, hasChecksums }, (packed) => packed.length * MAX_RATIO);
  if (bound <= maxBytes) return;
  if (sum(frame, { blocksAt, blockBytes, hasChecksums }, unpackedBytes, maxBytes) > maxBytes)
    throw tooLarge(maxBytes);
}

interface Blocks {
  readonly blocksAt: number;
  readonly blockBytes: number;
  readonly hasChecksums: boolean;
}

function readHeader(frame: Buffer): Blocks & { readonly contentBytes: number } {
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC) throw new RangeError('not an LZ4 frame');
  const flags = frame.readUInt8(4);
  const blockBytes = BLOCK_BYTES[(frame.readUInt8(5) >> 4) & 7];
  if ((flags & VERSION_MASK) !== VERSION || blockBytes === undefined)
    throw new RangeError('an LZ4 frame of a version that does not exist');
  const sized = (flags & CONTENT_SIZE) !== 0;
  const blocksAt = 6 + (sized ? 8 : 0) + ((flags & DICTIONARY) !== 0 ? 4 : 0) + 1;
  if (blocksAt > frame.length) throw new RangeError('an LZ4 frame that ends in its header');
  const contentBytes = sized ? Number(frame.readBigUInt64LE(6)) : 0;
  return { blocksAt, blockBytes, hasChecksums: (flags & BLOCK_CHECKSUM) !== 0, contentBytes };
}

/** What the blocks amount to, up to the first sum beyond `enough`. */
function sum(
  frame: Buffer,
  { blocksAt, blockBytes, hasChecksums }: Blocks,
  sizeOf: (packed: Buffer) => number,
  enough = Infinity,
): number {
  let bytes = 0;
  for (let at = blocksAt; bytes <= enough;) {
    if (at + 4 > frame.length) throw new RangeError('an LZ4 frame that ends between its blocks');
    const word = frame.readUInt32LE(at);
    if (word === 0) break;
    const length = word % STORED;
    const end = at + 4 + length;
    if (end > frame.length)
      throw new RangeError(`an LZ4 block of ${length} bytes that ends beyond its frame`);
    bytes += Math.min(blockBytes, word >= STORED ? length : sizeOf(frame.subarray(at + 4, end)));
    at = end + (hasChecksums ? 4 : 0);
  }
  return bytes;
}

/** Walks over the block's sequences: literals, then a match of what came before. */
function unpackedBytes(block: Buffer): number {
  let bytes = 0;
  let at = 0;
  const length = (nibble: number): number => {
    let total = nibble;
    if (nibble < LONG) return total;
    for (let more = 255; more === 255 && at < block.length;) {
      more = block[at++] ?? 0;
      total += more;
    }
    return total;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = length(token >> 4);
    bytes += literals;
    // The last sequence has no match.
    at += literals + 2;
    if (at <= block.length) bytes += length(token & LONG) + MIN_MATCH;
  }
  return bytes;
}

function tooLarge(maxBytes: number): RangeError {
  return new RangeError(`an LZ4 frame of more than ${maxBytes} bytes once unpacked`);
}
