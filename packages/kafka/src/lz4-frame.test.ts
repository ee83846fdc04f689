import { randomBytes } from 'node:crypto';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { describe, expect, test } from 'vitest';
import { checkLz4Frame } from './lz4-frame.ts';

const KIB = 1024;
const MAGIC = '04224d18';

/** Of blocks that are given packed; `header` is FLG, BD and what follows up to its checksum, as hex. */
function frame(
  header: string,
  blocks: readonly { readonly bytes: Buffer; readonly stored?: boolean }[],
): Buffer {
  const parts: Buffer[] = [Buffer.from(`${MAGIC}${header}00`, 'hex')];
  for (const { bytes, stored = false } of blocks) {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length + (stored ? 0x8000_0000 : 0));
    parts.push(size, bytes);
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

/** One literal, then a match of 4 + 15 + so many bytes of the same. */
function longMatch(more: number): Buffer {
  const extension = [...Array<number>(Math.floor(more / 255)).fill(255), more % 255];
  return Buffer.from([0x1f, 0x61, 0x01, 0x00, ...extension]);
}

function refusal(bytes: Buffer, maxBytes: number): string | undefined {
  try {
    checkLz4Frame(bytes, maxBytes);
    return undefined;
  } catch (error) {
    return error instanceof RangeError ? error.message : 'another error';
  }
}

/** The smallest bound with which the frame is accepted. */
function sizeFound(bytes: Buffer): number {
  let [low, high] = [0, 64 * KIB * KIB];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (refusal(bytes, middle) === undefined) high = middle;
    else low = middle + 1;
  }
  return low;
}

describe('the size of an LZ4 frame', () => {
  const text = (bytes: number): Buffer =>
    Buffer.from(
      Array.from({ length: bytes / 16 }, (_, i) => `${(i * 7919) % 10_007} alert `).join(''),
    ).subarray(0, bytes);
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.alloc(1)],
    ['zeros', Buffer.alloc(300_001)],
    ['text', text(200_000)],
    ['text of many blocks', Buffer.concat(Array.from({ length: 60 }, () => text(100_000)))],
    ['what cannot be packed', randomBytes(200_000)],
    ['both', Buffer.concat([text(100_000), randomBytes(70_000), Buffer.alloc(70_000)])],
  ])('is found to the byte: %s', (_name, data) => {
    expect(sizeFound(compressFrameSync(data))).toBe(data.length);
    expect(sizeFound(compressFrameSync(data, { blockChecksums: true, contentChecksum: true }))).toBe(
      data.length,
    );
  });

  test('is the sum of blocks that cannot be cut short by a header', () => {
    const match = longMatch(60_000);
    const blocks = Array.from({ length: 20 }, () => ({ bytes: match }));
    expect(sizeFound(frame('6040', blocks))).toBe(20 * (1 + 4 + 15 + 60_000));
    // It says ten bytes.
    expect(sizeFound(frame('68400a00000000000000', blocks))).toBe(20 * (1 + 4 + 15 + 60_000));
    // It says more than it holds: who packed it is not to be trusted.
    expect(sizeFound(frame('6840ffff000000000000', [{ bytes: longMatch(10) }]))).toBe(0xffff);
  });

  test('is no more than its block size, whatever the block pretends', () => {
    expect(sizeFound(frame('6040', [{ bytes: longMatch(1_000_000) }]))).toBe(64 * KIB);
    expect(sizeFound(frame('6070', [{ bytes: longMatch(1_000_000) }]))).toBe(1 + 4 + 15 + 1_000_000);
  });

  test('counts stored blocks as they are', () => {
    expect(sizeFound(frame('6040', [{ bytes: Buffer.alloc(1000), stored: true }]))).toBe(1000);
  });
});

test('the library that unpacks refuses a block that is larger than its header says, too', () => {
  const valid = compressFrameSync(Buffer.alloc(60 * KIB));
  expect(decompressFrameSync(valid)).toHaveLength(60 * KIB);
  const header = valid.subarray(0, 7);
  const block = longMatch(1_000_000);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(block.length);
  expect(() => decompressFrameSync(Buffer.concat([header, size, block, Buffer.alloc(4)]))).toThrow();
});

describe('what is no LZ4 frame', () => {
  const whole = compressFrameSync(Buffer.from('alert '.repeat(1000)));
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic number', Buffer.from('02214c186040000000000000', 'hex')],
    ['another version', Buffer.from(`${MAGIC}a04000${'00'.repeat(8)}`, 'hex')],
    ['a block size that does not exist', Buffer.from(`${MAGIC}601000${'00'.repeat(8)}`, 'hex')],
    ['a header that ends early', Buffer.from(`${MAGIC}68400000`, 'hex')],
    ['a block that ends early', whole.subarray(0, -6)],
    ['no end', whole.subarray(0, -4)],
  ])('is refused: %s', (_name, bytes) => {
    expect(refusal(bytes, 1e9)).toMatch(/LZ4/);
  });
});
