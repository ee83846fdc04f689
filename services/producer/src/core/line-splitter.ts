// Cuts a stream of bytes into lines, with bounded memory whatever the bytes are.
//
// A line ends with "\n" or "\r\n"; the last one needs neither. A byte order mark at the start of the stream is no
// part of the first line. Blank lines are counted, but not given out. Of a line that is too long only the head is
// kept: its bytes are counted as they pass.

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export interface Line {
  /** From 1. */
  readonly number: number;
  /** The line without its end; where it is `truncated`, its head. A view into the chunk where that is possible. */
  readonly bytes: Buffer;
  /** Bytes that the line has, without its end. */
  readonly size: number;
  readonly truncated: boolean;
  /** Offset in the stream of the first byte after the line and its end. */
  readonly endOffset: number;
}

export interface LineLimits {
  /** A longer line is truncated. */
  readonly maxLineBytes: number;
  /** What is kept of a truncated line. */
  readonly keptBytes: number;
}

/** Where a stream is taken up again: just after line `line`, at byte `offset`. */
export interface StreamPosition {
  readonly offset: number;
  readonly line: number;
}

export const STREAM_START: StreamPosition = { offset: 0, line: 0 };

export class LineSplitter {
  readonly #limits: LineLimits;
  #offset: number;
  #line: number;
  /** Pieces of a line whose end has not come yet. At most `maxLineBytes`, or `keptBytes` once it is too long. */
  #pieces: Buffer[] = [];
  #kept = 0;
  #size = 0;
  #tooLong = false;
  #lastByte: number | undefined;

  constructor(limits: LineLimits, start: StreamPosition = STREAM_START) {
    this.#limits = limits;
    this.#offset = start.offset;
    this.#line = start.line;
  }

  /** Just after the last line that ended. */
  get position(): StreamPosition {
    return { offset: this.#offset - this.#size, line: this.#line };
  }

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const line = this.#close(chunk.subarray(start, end), 1);
      if (line) lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The last line, if the stream did not end with a line's end. */
  end(): Line | undefined {
    return this.#size === 0 ? undefined : this.#close(Buffer.alloc(0), 0);
  }

  #keep(piece: Buffer): void {
    this.#offset += piece.length;
    this.#size += piece.length;
    this.#lastByte = piece.at(-1) ?? this.#lastByte;
    if (!this.#tooLong) {
      this.#pieces.push(piece);
      this.#kept += piece.length;
    }
    // One byte more than allowed may still be the carriage return of a line that is just short enough.
    if (!this.#tooLong && this.#kept > this.#limits.maxLineBytes + 1 + BYTE_ORDER_MARK.length) {
      this.#tooLong = true;
      this.#pieces = [
        Buffer.concat(this.#pieces).subarray(0, this.#limits.keptBytes + BYTE_ORDER_MARK.length),
      ];
    }
  }

  #close(rest: Buffer, endBytes: number): Line | undefined {
    let bytes = rest;
    if (this.#size > 0) {
      this.#keep(rest);
      bytes = this.#pieces.length === 1 ? (this.#pieces[0] ?? rest) : Buffer.concat(this.#pieces);
    } else {
      this.#offset += rest.length;
      this.#size = rest.length;
      this.#lastByte = rest.at(-1);
    }
    let size = this.#size;
    const cut = bytes.length < size;
    this.#pieces = [];
    this.#kept = 0;
    this.#size = 0;
    this.#tooLong = false;
    this.#offset += endBytes;
    this.#line += 1;

    if (this.#lastByte === CR && endBytes === 1) {
      size -= 1;
      if (!cut) bytes = bytes.subarray(0, size);
    }
    if (this.#line === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
      bytes = bytes.subarray(3);
      size -= 3;
    }
    if (!cut && isBlank(bytes)) return undefined;
    const truncated = size > this.#limits.maxLineBytes;
    return {
      number: this.#line,
      bytes: truncated ? bytes.subarray(0, this.#limits.keptBytes) : bytes,
      size,
      truncated,
      endOffset: this.#offset,
    };
  }
}

function isBlank(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
  }
  return true;
}
