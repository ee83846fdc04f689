// One alert of the raw topic as the fold takes it. A folder has one such object, filled anew for each record: a fresh
// one, with a closure for its details, would be most of what a dropped alert leaves to the garbage collector.

import type { AlertReader, LeadingFields } from '@alert-throttle/alert';
import { type AlertSeen, type CrossingDetails, crossingDetails } from '@alert-throttle/throttle';

export class SeenAlert implements AlertSeen {
  readonly partition: number;
  containerKey = '';
  offset = 0;
  #reader: AlertReader | undefined;
  #value: Buffer | undefined;
  #leading: LeadingFields | undefined;

  constructor(partition: number) {
    this.partition = partition;
  }

  set(reader: AlertReader, value: Buffer, leading: LeadingFields, containerKey: string): void {
    this.#reader = reader;
    this.#value = value;
    this.#leading = leading;
    this.containerKey = containerKey;
  }

  /** So that the last record of a fetch does not keep all of it alive. */
  forget(): void {
    this.#reader = undefined;
    this.#value = undefined;
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
    if (this.#reader === undefined || this.#value === undefined) throw new Error('no alert was read');
    return crossingDetails(this.#reader.decode(this.#value));
  }
}

/** Whether the bytes are that text; almost always ASCII, where no string need be made of them. */
export function isText(bytes: Buffer, text: string): boolean {
  const { length } = text;
  if (bytes.length !== length) return bytes.toString() === text;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] as number;
    if (byte !== text.charCodeAt(at) || byte > 0x7f) return bytes.toString() === text;
  }
  return true;
}
