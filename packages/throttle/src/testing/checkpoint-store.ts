/** The checkpoint as Redis would hold it: a hash of fields and a sorted set of what is throttled. */
import { parseWindowField } from '../checkpoint-format.ts';
import type { CheckpointChanges } from '../state-changes.ts';

export class CheckpointStore {
  readonly fields = new Map<string, string>();
  readonly throttled = new Map<string, number>();

  /** Throws where a change deletes what is not there: it would be a change too many. */
  apply(changes: CheckpointChanges): void {
    for (const field of changes.del) if (!this.fields.delete(field)) throw new Error(`no field ${field}`);
    for (const key of changes.throttledDel)
      if (!this.throttled.delete(key)) throw new Error(`not listed: ${key}`);
    for (const [field, value] of changes.set) this.fields.set(field, value);
    for (const [key, end] of changes.throttledSet) this.throttled.set(key, end);
  }

  replace(changes: CheckpointChanges): void {
    this.fields.clear();
    this.throttled.clear();
    this.apply(changes);
  }

  /** What the sorted set should hold, worked out from the fields. */
  openIntervals(): Map<string, number> {
    const open = new Map<string, number>();
    for (const [field, value] of this.fields) {
      const window = parseWindowField(field, value);
      if (window?.interval === undefined || window.interval.dropped === 0) continue;
      open.set(window.containerKey, window.interval.throttledUntilMicros / 1_000_000);
    }
    return open;
  }
}
