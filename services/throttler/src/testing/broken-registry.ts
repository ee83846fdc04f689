// A schema registry that fails when told to: a proxy in front of the real one.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { testStack } from '@alert-throttle/test-kit';

export class BrokenRegistry {
  /** Answers with this status and nothing of the real registry while set. */
  failWith: number | undefined;
  /** Only requests of such paths fail. */
  failOn = /^/;
  /** Requests that were answered with a failure. */
  failures = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(failWith?: number): Promise<BrokenRegistry> {
    const registry = new BrokenRegistry();
    registry.failWith = failWith;
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the registry does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.failWith !== undefined && this.failOn.test(request.url ?? '')) {
      this.failures += 1;
      response.writeHead(this.failWith, { 'content-type': 'text/plain' }).end('out of order');
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
