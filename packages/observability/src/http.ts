// Health, readiness and metrics over HTTP: three GET routes, no bodies, short timeouts.
import { ConfigError } from '@alert-throttle/config';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Metrics } from './metrics.ts';

export interface Check {
  readonly ok: boolean;
  readonly detail: Record<string, unknown>;
}

export interface HttpOptions {
  readonly host: string;
  /** As set by the operator: that port and no other; 0 is any free one. `undefined`: the usual one, or any free one. */
  readonly port: number | undefined;
  readonly usualPort?: number;
  readonly metrics: Metrics;
  readonly health: () => Check;
  readonly ready: () => Check;
  readonly logger: HttpLogger;
}

/** What is needed of a logger; pino's is one. */
export interface HttpLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 5_000;
const MAX_CONNECTIONS = 100;

/** Listens. Throws ConfigError, naming HTTP_PORT or HTTP_HOST, where it cannot. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port: wanted, usualPort = 0, logger } = options;
  const app = await listening(options, wanted ?? usualPort, wanted === undefined && usualPort !== 0);
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : (wanted ?? usualPort);
  logger.info(
    { host, port },
    `health and metrics on http://${host.includes(':') ? `[${host}]` : host}:${port}`,
  );
  return { port, close: () => closed(app) };
}

async function listening(options: HttpOptions, port: number, orAnyFree: boolean): Promise<FastifyInstance> {
  const { host, logger } = options;
  const app = routes(options);
  try {
    await app.listen({ host, port });
    return app;
  } catch (error) {
    await closed(app);
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'EADDRINUSE' && orAnyFree) {
      logger.warn(
        { host, port },
        `HTTP_PORT is not set and the usual port ${port} is taken: using any free one`,
      );
      return listening(options, 0, false);
    }
    throw new ConfigError([listenProblem(host, port, code)], { cause: error });
  }
}

function listenProblem(
  host: string,
  port: number,
  code: string,
): { source: string; key: string; message: string } {
  if (code === 'EADDRINUSE')
    return { source: 'settings', key: 'HTTP_PORT', message: `HTTP_PORT: port ${port} on ${host} is in use` };
  if (code === 'EACCES')
    return { source: 'settings', key: 'HTTP_PORT', message: `HTTP_PORT: port ${port} needs more rights` };
  return {
    source: 'settings',
    key: 'HTTP_HOST',
    message: `HTTP_HOST: cannot listen on ${host}:${port} (${code})`,
  };
}

function routes({ metrics, health, ready }: HttpOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: 1,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.removeAllContentTypeParsers();
  app.get('/healthz', (_request, reply) => answer(reply, health()));
  app.get('/readyz', (_request, reply) => answer(reply, ready()));
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  return app;
}

function answer(reply: FastifyReply, { ok, detail }: Check): FastifyReply {
  return reply
    .code(ok ? 200 : 503)
    .header('cache-control', 'no-store')
    .send({ ok, ...detail });
}

async function closed(app: FastifyInstance): Promise<void> {
  await app.close();
}
