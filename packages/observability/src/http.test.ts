// Real sockets on 127.0.0.1.
import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { startHttp, type Check, type HttpOptions, type HttpServer } from './http.ts';
import { Metrics } from './metrics.ts';

const logger = { info: () => undefined, warn: () => undefined };
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function started(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const check = (): Check => ({ ok: true, detail: {} });
  const server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    metrics: new Metrics('test'),
    health: check,
    ready: check,
    logger,
    ...options,
  });
  open.push(server);
  return server;
}

async function taken(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  open.push(server);
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, server };
}

describe('routes', () => {
  test('given checks, then they answer 200 or 503 with their detail', async () => {
    const ready = (): Check => ({ ok: false, detail: { partitions: { 0: 'replaying' } } });
    const { port } = await started({ ready });
    const health = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect([health.status, await health.json()]).toEqual([200, { ok: true }]);
    const notReady = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect([notReady.status, await notReady.json()]).toEqual([
      503,
      { ok: false, partitions: { 0: 'replaying' } },
    ]);
  });

  test('given metrics, then they are shown with prefix, labels and the service', async () => {
    const metrics = new Metrics('throttler');
    metrics.counter('alerts_in_total', 'Alerts read.', ['partition']).inc({ partition: '3' }, 5);
    metrics.gauge('redis_degraded', 'Redis is away.').set(1);
    metrics.histogram('commit_seconds', 'Commits.').observe(0.02);
    const { port } = await started({ metrics });
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(text).toContain('alert_throttle_alerts_in_total{partition="3",service="throttler"} 5');
    expect(text).toContain('alert_throttle_redis_degraded{service="throttler"} 1');
    expect(text).toContain('alert_throttle_commit_seconds_bucket{le="0.025",service="throttler"} 1');
    expect(text).toContain('process_cpu_seconds_total');
  });

  test('given another path, method or a body, then it is refused and the server goes on', async () => {
    const { port } = await started();
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/healthz`, { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(404);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('the port', () => {
  test('given one that is set and taken, then the error names HTTP_PORT and the exit status is 78', async () => {
    const { port } = await taken();
    await expect(started({ port })).rejects.toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
    await expect(started({ port })).rejects.toThrow(`HTTP_PORT: port ${port} on 127.0.0.1 is in use`);
  });

  test('given none, and the usual one taken, then any free one is used', async () => {
    const { port } = await taken();
    const server = await started({ port: undefined, usualPort: port });
    expect(server.port).not.toBe(port);
    expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
  });

  test('given none, and the usual one free, then that is used', async () => {
    const { port, server } = await taken();
    await new Promise((done) => server.close(done));
    expect((await started({ port: undefined, usualPort: port })).port).toBe(port);
  });

  test('given an address that is not ours, then the error names HTTP_HOST', async () => {
    await expect(started({ host: '192.0.2.1' })).rejects.toThrow('HTTP_HOST');
  });
});
