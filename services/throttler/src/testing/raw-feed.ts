// Writes the raw topic as a producer would, and also what no producer of ours would ever write.

import { randomUUID } from 'node:crypto';

import { type Alert, type AlertCodec, containerKey } from '@alert-throttle/alert';
import { type AlertKafka, partitionFor } from '@alert-throttle/kafka';
import { sampleAlert } from '@alert-throttle/test-kit';
import type { IHeaders, Producer } from 'kafkajs';

/** One record as it is to lie in the raw topic. */
export interface RawMessage {
  readonly partition: number;
  readonly key: Buffer | string | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
}

export interface Sent extends RawMessage {
  readonly offset: number;
}

export interface RawFeedOptions {
  readonly kafka: AlertKafka;
  readonly topic: string;
  readonly partitions: number;
  /** Registered for a topic, so that it encodes. */
  readonly codec: AlertCodec;
}

/** What is sent in one request has one append time per partition: no time passes within it. */
const MAX_MESSAGES_PER_SEND = 2000;

export class RawFeed {
  readonly bootID = randomUUID();
  readonly #options: RawFeedOptions;
  #producer: Producer;
  #connected: Promise<void> | undefined;
  #sequence = 0;

  constructor(options: RawFeedOptions) {
    this.#options = options;
    this.#producer = this.#makeProducer();
  }

  #makeProducer(): Producer {
    return this.#options.kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  }

  /** After a failure: with a new producer, since kafkajs would go on with the old one's sequence numbers. */
  async reconnect(): Promise<void> {
    await this.close().catch(() => undefined);
    this.#producer = this.#makeProducer();
    this.#connected = undefined;
  }

  /** An eligible alert with the next sequence number; any field may be given. */
  alert(fields: Partial<Alert> = {}): Alert {
    this.#sequence += 1;
    return sampleAlert({ BootID: this.bootID, Sequence: this.#sequence, ...fields });
  }

  message(alert: Alert): RawMessage {
    const key = containerKey(alert);
    return { key, value: this.#options.codec.encode(alert), partition: this.partitionOf(key) };
  }

  partitionOf(key: string): number {
    return partitionFor(key, this.#options.partitions);
  }

  /** A container id of 64 hexadecimal digits whose records lie in that partition; another one for each `index`. */
  containerIn(partition: number, index: number): string {
    for (let attempt = 0, found = 0; ; attempt++) {
      const id = attempt.toString(16).padStart(64, 'd');
      if (this.partitionOf(id) === partition && found++ === index) return id;
    }
  }

  /** Alerts in this order. */
  send(alerts: readonly Alert[]): Promise<Sent[]> {
    return this.sendRaw(alerts.map((alert) => this.message(alert)));
  }

  tombstone(containerId: string, headers?: IHeaders): Promise<Sent[]> {
    const message = { key: containerId, value: null, partition: this.partitionOf(containerId) };
    return this.sendRaw([headers === undefined ? message : { ...message, headers }]);
  }

  async sendRaw(messages: readonly RawMessage[]): Promise<Sent[]> {
    this.#connected ??= this.#producer.connect();
    await this.#connected;
    const sent: Sent[] = [];
    for (let from = 0; from < messages.length; from += MAX_MESSAGES_PER_SEND) {
      sent.push(...(await this.#sendSome(messages.slice(from, from + MAX_MESSAGES_PER_SEND))));
    }
    return sent;
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  async #sendSome(messages: readonly RawMessage[]): Promise<Sent[]> {
    const acknowledged = await this.#producer.send({
      topic: this.#options.topic,
      acks: -1,
      messages: messages.map((message) => ({ ...message })),
    });
    const next = new Map(acknowledged.map((one) => [one.partition, Number(one.baseOffset)]));
    return messages.map((message) => {
      const offset = next.get(message.partition) ?? -1;
      next.set(message.partition, offset + 1);
      return { ...message, offset };
    });
  }
}
