// A proxy in front of a Kafka broker that cuts, delays, swallows and contradicts: whole frames, so that a test can
// say what is to become of one request.

import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { errorAnswer, type ErrorName, type KafkaRequest, parseRequest } from './kafka-wire.ts';

/** What becomes of one request. */
export type Fate =
  | 'passes'
  /** The connection is reset, and the broker never sees the request. */
  | 'cut'
  /** The broker carries it out, and the connection is reset before the answer, or in the middle of it. */
  | 'lost'
  | 'torn'
  /** Answered as if it had been carried out; the broker never sees it. */
  | 'feigned'
  /** Answered with an error; the broker never sees it. */
  | { readonly refused: ErrorName }
  /** The broker carries it out, and yet the answer is an error. */
  | { readonly contradicted: ErrorName };

/** What becomes of everything. Held frames are delivered at last, even for a client that has given up. */
export type Weather = 'fair' | 'swallowing' | 'holding';

const LENGTH_BYTES = 4;

export class KafkaProxy {
  readonly port: number;
  /** Decides on each request; what it does not let pass counts as a fault. */
  judge: (request: KafkaRequest) => Fate = () => 'passes';
  /** Waited before each frame, either way. */
  delayMs: () => number = () => 0;
  /** How many requests did not pass. */
  faults = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: { readonly host: string; readonly port: number } | undefined;
  #weather: Weather = 'fair';
  #clearing = Promise.withResolvers<undefined>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#connect(client));
  }

  /** Listens; without a target it closes what connects. */
  static async start(): Promise<KafkaProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new KafkaProxy(server);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** host:port */
  set target(address: string | undefined) {
    const [host, port] = (address ?? '').split(':');
    this.#target = host && port ? { host, port: Number(port) } : undefined;
  }

  get weather(): Weather {
    return this.#weather;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    if (weather !== 'fair') return;
    // Bytes are missing on these: no use in going on with them.
    for (const link of this.#links) if (link.swallowed) link.reset();
    this.#clearing.resolve(undefined);
    this.#clearing = Promise.withResolvers();
  }

  /** Resolves in fair weather. */
  async clear(): Promise<void> {
    while (this.#weather === 'holding') await this.#clearing.promise;
  }

  /** Resets all connections; returns how many there were. */
  cutAll(): number {
    const links = [...this.#links];
    for (const link of links) link.reset();
    return links.length;
  }

  /** The connections that there are swallow everything from now on, as behind a firewall that forgot them. */
  deafen(): number {
    for (const link of this.#links) link.swallowed = true;
    return this.#links.size;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#target = undefined;
    this.cutAll();
    this.weather = 'fair';
    await once(this.#server, 'close').catch(() => undefined);
  }

  #connect(client: Socket): void {
    if (this.#target === undefined) {
      client.resetAndDestroy();
      return;
    }
    const link = new Link(this, client, createConnection({ ...this.#target, noDelay: true }));
    this.#links.add(link);
    void link.ended.then(() => this.#links.delete(link));
  }
}

interface Awaited {
  readonly request: KafkaRequest;
  readonly fate: Fate;
}

/** One client's connection and the broker's that belongs to it. */
class Link {
  readonly ended: Promise<unknown>;
  swallowed = false;
  readonly #proxy: KafkaProxy;
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #awaited = new Map<number, Awaited>();

  constructor(proxy: KafkaProxy, client: Socket, broker: Socket) {
    this.#proxy = proxy;
    this.#client = client;
    this.#broker = broker;
    const closed = [client, broker].map(
      (socket) => new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve)),
    );
    this.ended = Promise.all(closed);
    this.#carry(client, broker, (frame) => this.#onRequest(frame));
    this.#carry(broker, client, (frame) => this.#onAnswer(frame));
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#broker.resetAndDestroy();
  }

  /** Frame after frame, each when its time has come; the end of one side is that of the other, after all frames. */
  #carry(from: Socket, to: Socket, deliver: (frame: Buffer) => void): void {
    let rest = Buffer.alloc(0);
    let queue: Promise<unknown> = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= LENGTH_BYTES && rest.length >= LENGTH_BYTES + rest.readInt32BE(0)) {
        const frame = rest.subarray(0, LENGTH_BYTES + rest.readInt32BE(0));
        rest = rest.subarray(frame.length);
        queue = queue.then(() => this.#inTime(() => deliver(frame)));
      }
    });
    from.once('close', () => void queue.then(() => to.destroySoon()));
  }

  async #inTime(deliver: () => void): Promise<void> {
    const delayMs = this.#proxy.delayMs();
    if (delayMs > 0) await sleep(delayMs);
    await this.#proxy.clear();
    if (this.#proxy.weather === 'swallowing') this.swallowed = true;
    else if (!this.swallowed) deliver();
  }

  #onRequest(frame: Buffer): void {
    const request = parseRequest(frame.subarray(LENGTH_BYTES));
    const fate = request.api === undefined ? 'passes' : this.#proxy.judge(request);
    if (fate !== 'passes') this.#proxy.faults += 1;
    if (fate === 'cut') {
      this.reset();
    } else if (fate === 'feigned') {
      this.#client.write(errorAnswer(request, 'NONE'));
    } else if (typeof fate === 'object' && 'refused' in fate) {
      this.#client.write(errorAnswer(request, fate.refused));
    } else {
      if (fate !== 'passes') this.#awaited.set(request.correlationId, { request, fate });
      this.#broker.write(frame);
    }
  }

  #onAnswer(frame: Buffer): void {
    const correlationId = frame.readInt32BE(LENGTH_BYTES);
    const { request, fate } = this.#awaited.get(correlationId) ?? {};
    this.#awaited.delete(correlationId);
    if (fate === 'lost') {
      this.reset();
    } else if (fate === 'torn') {
      this.#client.write(frame.subarray(0, frame.length / 2), () => this.reset());
    } else if (request !== undefined && typeof fate === 'object' && 'contradicted' in fate) {
      this.#client.write(errorAnswer(request, fate.contradicted));
    } else {
      this.#client.write(frame);
    }
  }
}
