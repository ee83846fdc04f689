// `alertctl tail`: follows the throttled topic, committed records only, without leaving a trace in Kafka.
//
// kafkajs reads only as member of a group. So the group is one of its own, nothing is ever committed for it, where to
// read is told by seek each time the group assigns the partitions, and at the end the group is deleted.
import { randomUUID } from 'node:crypto';
import { AlertCodec, AlertFormatError, RegistryUnavailableError } from '@alert-throttle/alert';
import { registryOptions } from '@alert-throttle/config';
import { kafkaFailure, type AlertKafka } from '@alert-throttle/kafka';
import type { Admin, Consumer, KafkaMessage } from 'kafkajs';
import { CommandError } from './errors.ts';
import { existingTopic } from './group-offsets.ts';
import { kafkaOf, type Session } from './session.ts';
import { matches, recordJson, recordText, type TailContent, type TailFilter } from './tail-text.ts';

export interface TailOptions extends TailFilter {
  readonly json?: boolean;
  readonly fromBeginning?: boolean;
  /** Ends after so many records that were shown. */
  readonly max?: number;
}

const SESSION_TIMEOUT_MS = 15_000;
const MAX_WAIT_MS = 500;
const REGISTRY_ATTEMPTS = 5;
const REGISTRY_PAUSE_MS = 1_000;

/** Resolves when it shall end: enough records, Ctrl-C, nobody reads any more. Throws KafkaError, RegistryUnavailableError. */
export async function tail(session: Session, options: TailOptions): Promise<void> {
  const kafka = kafkaOf(session, 'alertctl-tail');
  const admin = kafka.admin();
  try {
    await admin.connect();
    await follow(session, options, kafka, admin);
  } catch (error) {
    if (error instanceof RegistryUnavailableError || error instanceof CommandError) throw error;
    throw kafkaFailure(error, kafka.brokers);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function follow(
  session: Session,
  options: TailOptions,
  kafka: AlertKafka,
  admin: Admin,
): Promise<void> {
  const topic = session.config.throttledTopic;
  await existingTopic(admin, topic);
  const positions = await startPositions(admin, topic, options.fromBeginning === true);
  const groupId = `alertctl-tail-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_TIMEOUT_MS,
    maxWaitTimeInMs: MAX_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: { retries: 10, initialRetryTime: 200 },
  });
  const reader = new Reader(session, options, positions);
  try {
    await consumer.connect();
    // Partitions that are added later are read from their beginning.
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    seekOnJoin(consumer, topic, positions);
    const crashed = new Promise<never>((_, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
    });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => reader.show(partition, message),
    });
    await Promise.race([reader.done, crashed]);
  } finally {
    await consumer.disconnect().catch(() => undefined);
    await admin.deleteGroups([groupId]).catch(() => undefined);
  }
}

/** The offset to read next, by partition. */
type Positions = Map<number, bigint>;

async function startPositions(admin: Admin, topic: string, fromBeginning: boolean): Promise<Positions> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, low, high }) => [partition, BigInt(fromBeginning ? low : high)]));
}

/** Also after the group was joined again: nothing is committed that it could go on from. */
function seekOnJoin(consumer: Consumer, topic: string, positions: Positions): void {
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const [partition, offset] of positions)
      consumer.seek({ topic, partition, offset: offset.toString() });
  });
}

/** Shows records until there are enough. */
class Reader {
  /** Rejects with what made reading impossible. */
  readonly done: Promise<void>;
  readonly #session: Session;
  readonly #options: TailOptions;
  readonly #positions: Positions;
  readonly #codec: AlertCodec;
  readonly #end = Promise.withResolvers<undefined>();
  #shown = 0;
  #ended = false;

  constructor(session: Session, options: TailOptions, positions: Positions) {
    this.#session = session;
    this.#options = options;
    this.#positions = positions;
    this.#codec = new AlertCodec(registryOptions(session.config));
    this.done = this.#end.promise;
    const end = (): void => this.#finish();
    if (session.ended.aborted) end();
    session.ended.addEventListener('abort', end, { once: true });
  }

  async show(partition: number, message: KafkaMessage): Promise<void> {
    if (this.#ended) return;
    try {
      await this.#show(partition, message);
    } catch (error) {
      this.#ended = true;
      this.#end.reject(error);
    }
  }

  async #show(partition: number, message: KafkaMessage): Promise<void> {
    const { offset, key, value, timestamp } = message;
    this.#positions.set(partition, BigInt(offset) + 1n);
    const content = await contentOf(this.#codec, value);
    const record = {
      partition,
      offset,
      appendedAtMs: Number(timestamp),
      key: key?.toString('utf8'),
      content,
    };
    if (!matches(record, this.#options) || this.#isEnded()) return;
    await this.#session.out.print(this.#options.json === true ? recordJson(record) : recordText(record));
    if (++this.#shown === this.#options.max) this.#finish();
  }

  #isEnded(): boolean {
    return this.#ended;
  }

  #finish(): void {
    this.#ended = true;
    this.#end.resolve(undefined);
  }
}

/** Anything may be on a topic: what is no alert is shown as such. Throws RegistryUnavailableError. */
export async function contentOf(
  codec: Pick<AlertCodec, 'decode'>,
  value: Buffer | null,
): Promise<TailContent> {
  if (value === null) return { kind: 'containerDeleted' };
  for (let attempt = 1; ; attempt++) {
    try {
      return { kind: 'alert', alert: await codec.decode(value) };
    } catch (error) {
      if (error instanceof AlertFormatError)
        return { kind: 'undecodable', code: error.code, reason: error.message, bytes: value.length };
      if (!(error instanceof RegistryUnavailableError) || attempt === REGISTRY_ATTEMPTS) throw error;
      await new Promise((resume) => setTimeout(resume, REGISTRY_PAUSE_MS));
    }
  }
}
