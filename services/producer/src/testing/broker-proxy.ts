// A way to the broker that a test can disturb, for one producer; the broker itself notices nothing but lost connections.
//
// It passes whole requests and answers on. Clients go where the broker says it is, so the broker's port is replaced by
// the proxy's in the answers that say so; nothing changes its length by that.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What happens to a produce request: a cut sends part of it; a lost answer leaves the records in the log. */
export type Fate = 'pass' | 'cut' | 'lose answer';

/** `silent`: connections are accepted, and nothing comes back. `refusing`: they are reset at once. */
export type Mode = 'open' | 'silent' | 'refusing';

const PRODUCE = 0;
/** Metadata and FindCoordinator. */
const SAYS_WHERE = [3, 10];

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** Which request an answer belongs to, by its correlation id. */
  readonly asked: Map<number, { readonly apiKey: number; readonly fate: Fate }>;
}

export class BrokerProxy {
  readonly address: string;
  produceRequests = 0;
  /** Resets, cuts and lost answers. */
  faults = 0;
  #mode: Mode = 'open';
  readonly #target: { readonly host: string; readonly port: number };
  readonly #fate: () => Fate;
  readonly #links = new Set<Link>();
  readonly #advertised: Buffer;
  readonly #replacement: Buffer;

  private constructor(server: Server, target: string, fate: () => Fate) {
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    const [host = '', port = ''] = target.split(':');
    this.address = `127.0.0.1:${address.port}`;
    this.#target = { host, port: Number(port) };
    this.#fate = fate;
    this.#advertised = place(host, Number(port));
    this.#replacement = place(host, address.port);
    server.on('connection', (near) => this.#accept(near));
  }

  /** In front of the broker at `target` (host:port), until the test ends. */
  static async start(target: string, fate: () => Fate = () => 'pass'): Promise<BrokerProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new BrokerProxy(server, target, fate);
    onTestFinished(() => {
      proxy.cut();
      server.close();
    });
    return proxy;
  }

  /** Every connection there is goes, too, unless they only fall silent. */
  become(mode: Mode): void {
    if (mode !== this.#mode && mode !== 'open') this.faults += 1;
    this.#mode = mode;
    if (mode !== 'silent') this.cut();
  }

  cut(): void {
    for (const link of this.#links) this.#end(link);
  }

  #accept(near: Socket): void {
    if (this.#mode === 'refusing') {
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const link = { near, far: connect(this.#target.port, this.#target.host), asked: new Map() };
    this.#links.add(link);
    for (const socket of [near, link.far])
      socket.on('error', () => undefined).on('close', () => this.#end(link));
    onFrame(near, (request) => this.#request(link, request));
    onFrame(link.far, (answer) => this.#answer(link, answer));
  }

  #request(link: Link, request: Buffer): void {
    if (this.#mode === 'silent') return;
    const apiKey = request.readInt16BE(4);
    const fate = apiKey === PRODUCE ? this.#fate() : 'pass';
    if (apiKey === PRODUCE) this.produceRequests += 1;
    link.asked.set(request.readInt32BE(8), { apiKey, fate });
    if (fate !== 'pass') this.faults += 1;
    if (fate !== 'cut') link.far.write(request);
    else link.far.write(request.subarray(0, request.length / 2), () => this.#end(link));
  }

  #answer(link: Link, answer: Buffer): void {
    if (this.#mode === 'silent') return;
    const asked = link.asked.get(answer.readInt32BE(4));
    link.asked.delete(answer.readInt32BE(4));
    if (asked?.fate === 'lose answer') {
      this.#end(link);
      return;
    }
    if (asked !== undefined && SAYS_WHERE.includes(asked.apiKey)) this.#redirect(answer);
    link.near.write(answer);
  }

  #redirect(answer: Buffer): void {
    for (let at = answer.indexOf(this.#advertised); at >= 0; at = answer.indexOf(this.#advertised, at + 1))
      this.#replacement.copy(answer, at);
  }

  #end(link: Link): void {
    this.#links.delete(link);
    link.near.destroy();
    link.far.destroy();
  }
}

/** As answers have it: the name of the host, and its port in four bytes. */
function place(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4, host);
  bytes.writeInt32BE(port, host.length);
  return bytes;
}

/** Calls `take` with each whole frame, its length included. */
function onFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      take(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
}
