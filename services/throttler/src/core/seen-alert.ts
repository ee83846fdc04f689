// One alert of the raw topic as the fold takes it. A folder has one such object, filled anew for each record: a fresh
// one, with a closure for its details, would be most of what a dropped alert leaves to the garbage collector.

import type { AlertReader, LeadingFields } from '@alert-throttle/alert';
import { type AlertSeen, type CrossingDetails, crossingDetails } from '@alert-throttle/throttle';

import type { RawRecords } from '../ports.ts';

export class SeenAlert implements AlertSeen {
  readonly partition: number;
  containerKey = '';
  offset = 0;
  #index = 0;
  #reader: AlertReader | undefined;
  #records: RawRecords | undefined;
  #leading: LeadingFields | undefined;

  constructor(partition: number) {
    this.partition = partition;
  }

  set(
    reader: AlertReader,
    records: RawRecords,
    index: number,
    leading: LeadingFields,
    containerKey: string,
  ): void {
    this.#reader = reader;
    this.#records = records;
    this.#index = index;
    this.#leading = leading;
    this.containerKey = containerKey;
    this.offset = records.offset(index);
  }

  /** So that the last record of a fetch does not keep all of it alive. */
  forget(): void {
    this.#reader = undefined;
    this.#records = undefined;
  }

  /** Throws before the first `set`. */
  get leading(): LeadingFields {
    if (this.#leading === undefined) throw new Error('no alert was read');
    return this.#leading;
  }

  get eventTimeMicros(): number {
    return this.leading.EventTimeMicros;
  }

  get policy(): string {
    return this.leading.PolicyName;
  }

  get operation(): string {
    return this.leading.Operation;
  }

  details(): CrossingDetails {
    const value = this.#records?.record(this.#index).value ?? undefined;
    if (this.#reader === undefined || value === undefined) throw new Error('no alert was read');
    return crossingDetails(this.#reader.decode(value));
  }
}
