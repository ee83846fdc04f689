// Gathers what goes into the spool in one transaction, and gives the alerts their numbers.
//
// The numbers count only once the spool has taken the stage. If it cannot, the alerts of the stage are lost: they use
// up the numbers from `firstSequence` on, and the next stage begins with the record that says so.
import { containerKey, type Alert } from '@alert-throttle/alert';
import { DEAD_LETTER_VALUE_BYTES, refuse, type DeadLetterReason, type Refusal } from './dead-letters.ts';
import type { Line } from './line-splitter.ts';
import { alertsLostEvent, type Loss } from './loss.ts';
import type { Mapped } from './map-alert.ts';
import { recordBytes, type AlertEncoder, type NewRecord } from './record.ts';

/** The throttler refuses larger records. */
export const MAX_ALERT_BYTES = 256 * 1024;

/** In dead letters of records that were no line. */
const NO_LINE = { number: 0, bytes: Buffer.alloc(0), size: 0 };

export interface StageIdentity {
  readonly nodeId: string;
  readonly bootId: string;
  readonly sourceName: string;
}

export class Stage {
  readonly #encoder: AlertEncoder;
  readonly #identity: StageIdentity;
  #records: NewRecord[] = [];
  #bytes = 0;
  #numbered = 0;
  #deadLetters = 0;
  #alreadyLost = 0;
  #firstSequence = 1;
  #announced: Loss | undefined;

  constructor(encoder: AlertEncoder, identity: StageIdentity) {
    this.#encoder = encoder;
    this.#identity = identity;
  }

  get records(): readonly NewRecord[] {
    return this.#records;
  }

  /** As the spool counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Alerts and tombstones, without the announcement of a loss. */
  get numbered(): number {
    return this.#numbered;
  }

  get deadLetters(): number {
    return this.#deadLetters;
  }

  /** Alerts that the source lost, as its records in this stage say. */
  get alreadyLost(): number {
    return this.#alreadyLost;
  }

  get firstSequence(): number {
    return this.#firstSequence;
  }

  get nextSequence(): number {
    return this.#firstSequence + this.#numbered + (this.#announced ? 1 : 0);
  }

  /** The loss that this stage announces. */
  get announced(): Loss | undefined {
    return this.#announced;
  }

  /** Empties the stage. A loss is announced before anything else. */
  begin(firstSequence: number, loss: Loss | undefined, nowMicros: number): void {
    this.#records = [];
    this.#bytes = 0;
    this.#numbered = 0;
    this.#deadLetters = 0;
    this.#alreadyLost = 0;
    this.#firstSequence = firstSequence;
    this.#announced = loss;
    if (loss === undefined) return;
    const { nodeId, bootId } = this.#identity;
    const event = alertsLostEvent(loss, { nodeId, bootId, sequence: firstSequence }, nowMicros);
    this.#push('alertsLost', containerKey(event), this.#encoder.encode(event), null);
  }

  /** Adds what was read: of a line, or a record that the source made. Returns why it became a dead letter, if it did. */
  add(line: Line | undefined, mapped: Mapped): DeadLetterReason | undefined {
    switch (mapped.kind) {
      case 'alert':
        return this.#addAlert(line, mapped.alert);
      case 'tombstone':
        this.#addTombstone(mapped.containerId, mapped.nodeId);
        return undefined;
      case 'refused':
        this.#addDeadLetter(line, mapped);
        return mapped.reason;
    }
  }

  #addAlert(line: Line | undefined, alert: Alert): DeadLetterReason | undefined {
    alert.BootID = this.#identity.bootId;
    alert.Sequence = this.nextSequence;
    const value = this.#encoder.encode(alert);
    if (value.length > MAX_ALERT_BYTES) {
      const refusal = refuse('alert-too-large', `the alert has ${value.length} bytes`);
      this.#addDeadLetter(line, refusal);
      return refusal.reason;
    }
    this.#push('alert', containerKey(alert), value, null);
    this.#numbered += 1;
    this.#alreadyLost += alert.Lost?.LostAlerts ?? 0;
    return undefined;
  }

  #addTombstone(containerId: string, nodeId: string): void {
    const { bootId: BootID } = this.#identity;
    const headers = { NodeID: nodeId, BootID, Sequence: String(this.nextSequence) };
    this.#push('tombstone', containerId, null, JSON.stringify(headers));
    this.#numbered += 1;
  }

  #addDeadLetter(line: Line | undefined, { reason, detail }: Refusal): void {
    const { bytes, number, size } = line ?? NO_LINE;
    const value = bytes.subarray(0, DEAD_LETTER_VALUE_BYTES);
    const headers = {
      reason,
      detail,
      source: this.#identity.sourceName,
      line: String(number),
      size: String(size),
      truncated: String(value.length < size),
      nodeId: this.#identity.nodeId,
    };
    this.#push('deadLetter', `host:${this.#identity.nodeId}`, value, JSON.stringify(headers));
    this.#deadLetters += 1;
  }

  #push(kind: NewRecord['kind'], key: string, value: Uint8Array | null, headers: string | null): void {
    const record = { kind, key, value, headers };
    this.#records.push(record);
    this.#bytes += recordBytes(record);
  }
}
