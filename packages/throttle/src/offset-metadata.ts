/**
 * What travels with a committed offset: the part of the fold's input that is not in the log, and the means to tell
 * whether a rebuilt state is the same. Brokers take 4096 bytes (offset.metadata.max.bytes).
 */
import { JsonReader, JsonShapeError } from './json-reader.ts';
import { LIMITS_RANGE, type Limits } from './limits.ts';
import { FOLD_VERSION } from './partition-fold.ts';

/** A margin below the broker's bound. */
export const MAX_METADATA_BYTES = 3_800;

/** Limits, and the offset of the first record that is decided under them. */
export interface LimitsChange extends Limits {
  readonly from: number;
  /** The partition's time at the change. */
  readonly at: number;
}

export interface OffsetMetadata {
  /** FOLD_VERSION of the writer. */
  readonly v: number;
  /** Oldest first; the last is in force. Never empty. */
  readonly limits: readonly LimitsChange[];
  /** Time that the owner let pass before the record at that offset, not yet overtaken by a record. */
  readonly idle: readonly (readonly [offset: number, micros: number])[];
  /** PartitionFold.digest() at the committed offset. */
  readonly digest: string;
  /** The partition's time at the committed offset. */
  readonly at: number;
  /** Changes of limits older than the first one listed were left out for want of space. */
  readonly pruned?: boolean;
}

export class OffsetMetadataError extends Error {
  override readonly name = 'OffsetMetadataError';
  readonly code: 'MALFORMED_OFFSET_METADATA' | 'OFFSET_METADATA_TOO_LONG';

  constructor(code: OffsetMetadataError['code'], message: string, options?: ErrorOptions) {
    super(`offset metadata: ${message}`, options);
    this.code = code;
  }
}

/** At most MAX_METADATA_BYTES bytes, all ASCII. The oldest changes of limits are left out if it takes that. */
export function formatOffsetMetadata(metadata: OffsetMetadata): string {
  let { limits } = metadata;
  for (;;) {
    const pruned = metadata.pruned === true || limits.length < metadata.limits.length;
    const { v, idle, digest, at } = metadata;
    const text = JSON.stringify({
      v,
      limits: limits.map(({ from, at, alertThrottling, maxAlertPerSec, throttleSec }) => ({
        from,
        at,
        alertThrottling,
        maxAlertPerSec,
        throttleSec,
      })),
      idle,
      digest,
      at,
      ...(pruned && { pruned }),
    });
    if (text.length <= MAX_METADATA_BYTES) return text;
    if (limits.length <= 1) throw new OffsetMetadataError('OFFSET_METADATA_TOO_LONG', `${text.length} bytes`);
    limits = limits.slice(1);
  }
}

/** Throws an OffsetMetadataError for anything that `formatOffsetMetadata` does not write. Other versions are read too. */
export function parseOffsetMetadata(text: string): OffsetMetadata {
  try {
    return read(JsonReader.parse(text));
  } catch (cause) {
    if (!(cause instanceof JsonShapeError)) throw cause;
    throw new OffsetMetadataError('MALFORMED_OFFSET_METADATA', cause.message, { cause });
  }
}

/** The limits in force for the record at `offset`; undefined if that lies before the first change listed. */
export function limitsAt(metadata: OffsetMetadata, offset: number): Limits | undefined {
  return metadata.limits.findLast((change) => change.from <= offset);
}

/** Whether this code's fold made the state that the metadata speaks of. */
export function isOwnVersion(metadata: OffsetMetadata): boolean {
  return metadata.v === FOLD_VERSION;
}

function read(json: JsonReader): OffsetMetadata {
  const limits = json.at('limits').list().map(limitsChange);
  if (limits.length === 0) throw new JsonShapeError('limits: expected at least one entry');
  if (limits.some((change, i) => change.from < (limits[i - 1]?.from ?? 0))) {
    throw new JsonShapeError('limits: expected the oldest first');
  }
  const digest = json.at('digest').text();
  if (!/^[0-9a-f]{16}$/.test(digest)) throw new JsonShapeError('digest: expected 16 hex digits');
  const pruned = json.at('pruned');
  return {
    v: json.at('v').integer(1),
    limits,
    idle: json.at('idle').list().map(idleTime),
    digest,
    at: json.at('at').integer(),
    ...(!pruned.missing && { pruned: pruned.flag() }),
  };
}

function limitsChange(json: JsonReader): LimitsChange {
  return {
    from: json.at('from').integer(),
    at: json.at('at').integer(),
    alertThrottling: json.at('alertThrottling').flag(),
    maxAlertPerSec: json.at('maxAlertPerSec').integer(...LIMITS_RANGE.maxAlertPerSec),
    throttleSec: json.at('throttleSec').integer(...LIMITS_RANGE.throttleSec),
  };
}

function idleTime(json: JsonReader): [offset: number, micros: number] {
  const [offset, micros, ...more] = json.list();
  if (offset === undefined || micros === undefined || more.length > 0) {
    throw new JsonShapeError(`${json.path}: expected [offset, microseconds]`);
  }
  return [offset.integer(), micros.integer()];
}
