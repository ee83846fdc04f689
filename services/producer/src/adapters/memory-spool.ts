// The spool without a disk, for tests of what uses one: the same rules, nothing survives.
import type { Loss } from '../core/loss.ts';
import { recordBytes } from '../core/record.ts';
import type { ReadLimits, Spool, SpoolAppend, SpooledRecord, SpoolUsage } from '../ports.ts';

export interface MemorySpoolOptions {
  readonly maxBytes: number;
  readonly schemaVersion: number;
  readonly nowMs: () => number;
  readonly bootId?: string;
}

export class MemorySpool implements Spool {
  readonly bootId: string;
  nextSequence = 1;
  loss: Loss | undefined;
  readonly #options: MemorySpoolOptions;
  readonly #cursors = new Map<string, string>();
  #maxBytes: number;
  #records: (SpooledRecord & { readonly storedAtMs: number })[] = [];
  #bytes = 0;

  constructor(options: MemorySpoolOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes;
    this.bootId = options.bootId ?? 'memory';
  }

  usage(): SpoolUsage {
    const oldestAtMs = this.#records[0]?.storedAtMs;
    return { records: this.#records.length, bytes: this.#bytes, oldestAtMs };
  }

  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  append({ records, nextSequence, loss, cursor }: SpoolAppend): void {
    const { schemaVersion, nowMs } = this.#options;
    const storedAtMs = nowMs();
    for (const record of records) {
      const value = record.value === null ? null : Uint8Array.from(record.value);
      this.#records.push({ ...record, value, schemaVersion, storedAtMs });
      this.#bytes += recordBytes(record);
    }
    this.nextSequence = nextSequence;
    this.loss = loss;
    if (cursor) this.#cursors.set(cursor.source, cursor.value);
  }

  read({ maxRecords, maxBytes }: ReadLimits): SpooledRecord[] {
    const records: SpooledRecord[] = [];
    let bytes = 0;
    for (const record of this.#records) {
      bytes += recordBytes(record);
      if (records.length === maxRecords || (records.length > 0 && bytes > maxBytes)) break;
      const { kind, key, value, headers, schemaVersion } = record;
      records.push({ kind, key, value: value && Uint8Array.from(value), headers, schemaVersion });
    }
    return records;
  }

  acknowledge(count: number): void {
    for (const record of this.#records.splice(0, count)) this.#bytes -= recordBytes(record);
  }

  flush(): void {
    // Nothing is ever more durable than it is at once.
  }

  cursor(source: string): string | undefined {
    return this.#cursors.get(source);
  }

  forgetCursor(source: string): void {
    this.#cursors.delete(source);
  }

  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  close(): void {
    this.#records = [];
  }
}
