// A schema registry that fails when told to: a proxy in front of the real one.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { testStack } from '@alert-throttle/test-kit';

export class BrokenRegistry {
  /** Answers with this status and nothing of the real registry while set. */
  failWith: number | undefined;
  /** Takes requests and answers none while set. */
  hangs = false;
  /** Ids of which it says, as a registry does, that there are none. */
  readonly denied = new Set<number>();
  /** Only requests of such paths fail. */
  failOn = /^/;
  /** Requests that were not answered as the real registry would have. */
  failures = 0;
  #server: Server | undefined;
  #port = 0;

  static async start(failWith?: number): Promise<BrokenRegistry> {
    const registry = new BrokenRegistry();
    registry.failWith = failWith;
    await registry.comeBack();
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Nobody listens at its address any more. */
  async goAway(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Where it was. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the registry does not listen');
    this.#port = address.port;
    this.#server = server;
  }

  async close(): Promise<void> {
    await this.goAway();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.hangs) {
      this.failures += 1;
      return;
    }
    if (this.failWith !== undefined && this.failOn.test(request.url ?? '')) {
      this.failures += 1;
      response.writeHead(this.failWith, { 'content-type': 'text/plain' }).end('out of order');
      return;
    }
    const id = /^\/schemas\/ids\/(\d+)/.exec(request.url ?? '')?.[1];
    if (id !== undefined && this.denied.has(Number(id))) {
      this.failures += 1;
      response.writeHead(404, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
      response.end('{"error_code":40403,"message":"Schema not found"}');
      return;
    }
    const body = Buffer.concat(parts);
    const real = await fetch(`${testStack().SCHEMA_REGISTRY_URL}${request.url ?? ''}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
      ...(body.length === 0 ? {} : { body }),
    });
    response.writeHead(real.status, { 'content-type': real.headers.get('content-type') ?? '' });
    response.end(Buffer.from(await real.arrayBuffer()));
  }
}
