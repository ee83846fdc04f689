// A TCP proxy in front of a Redis that cuts connections where a test says: after so many bytes of what is written to
// it, or in place of its next answer, so that what was asked for is done and nobody hears of it.

import { connect, createServer, type Server, type Socket } from 'node:net';

export class CutConnection {
  /** How many times it has cut. */
  cuts = 0;
  /** Cuts as soon as so many bytes have gone to Redis, by all connections; then it lets everything through again. */
  afterBytes = Infinity;
  /** Cuts when Redis answers next; then it lets everything through again. */
  insteadOfAnswer = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const redis = connect(port, host);
      for (const socket of [client, redis]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          redis.destroy();
        });
      }
      const cut = (): void => {
        this.cuts += 1;
        this.afterBytes = Infinity;
        this.insteadOfAnswer = false;
        client.removeAllListeners('data').destroy();
        redis.removeAllListeners('data').end();
      };
      client.on('data', (bytes) => {
        redis.write(bytes.subarray(0, this.afterBytes));
        this.afterBytes -= bytes.length;
        if (this.afterBytes <= 0) cut();
      });
      redis.on('data', (bytes) => {
        if (this.insteadOfAnswer) cut();
        else client.write(bytes);
      });
    });
  }

  static async to(url: string): Promise<CutConnection> {
    const { hostname, port } = new URL(url);
    const proxy = new CutConnection(hostname, Number(port));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the proxy does not listen');
    return address.port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
