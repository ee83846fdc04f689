// When a schema id is taken for unknown: only after the registry's own 404, repeated without another answer between.

import { createServer, type Server } from 'node:http';

import { AlertCodec } from '@alert-throttle/alert';
import { createLogger } from '@alert-throttle/observability';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ManualClock } from '../testing/manual-clock.ts';
import { SchemaDirectory } from './schema-directory.ts';

const ID = 7;
const NOT_FOUND = { status: 404, body: '{"error_code":40403,"message":"Schema not found"}' };
const OUT_OF_ORDER = { status: 500, body: 'out of order' };
const NOT_AN_ALERT = { status: 200, body: '{"schema":"\\"string\\""}' };

let server: Server;
let answer: typeof NOT_FOUND;
let clock: ManualClock;
let directory: SchemaDirectory;
let stop: AbortController;

beforeEach(async () => {
  answer = NOT_FOUND;
  server = createServer((_request, response) => {
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  clock = new ManualClock();
  stop = new AbortController();
  const codec = new AlertCodec({ url: `http://127.0.0.1:${port}` });
  directory = new SchemaDirectory(
    codec,
    clock,
    createLogger({ service: 'test', level: 'silent', format: 'json' }),
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** The registry was asked, and the next attempt waits. */
async function asked(): Promise<void> {
  await vi.waitFor(() => expect(clock.sleeping).toBe(1), { timeout: 20_000 });
}

describe('a schema id', () => {
  it('is unknown after half a minute of 404, and not before', async () => {
    const resolved = directory.resolve(ID);
    await asked();
    clock.advance(29_999);
    await asked();
    expect(directory.isUnknown(ID)).toBe(false);
    clock.advance(1_000);
    await resolved;
    expect(directory.isUnknown(ID)).toBe(true);
  });

  it('is not unknown for two answers of 404 with failures between them', async () => {
    const resolved = directory.resolve(ID);
    await asked();
    answer = OUT_OF_ORDER;
    clock.advance(20_000);
    await asked();
    clock.advance(20_000);
    await asked();
    answer = NOT_FOUND;
    clock.advance(1_000);
    await asked();
    expect(directory.isUnknown(ID)).toBe(false);
    clock.advance(30_000);
    await resolved;
    expect(directory.isUnknown(ID)).toBe(true);
  });

  it('is waited for as long as the registry fails', async () => {
    answer = OUT_OF_ORDER;
    const resolved = directory.resolve(ID);
    for (let attempt = 0; attempt < 5; attempt++) {
      await asked();
      clock.advance(60_000);
    }
    await asked();
    expect(directory.isUnknown(ID)).toBe(false);
    stop.abort();
    await expect(resolved).rejects.toThrow();
  });

  it('of a schema that is no alert is known at once, and told by the reader', async () => {
    answer = NOT_AN_ALERT;
    await directory.resolve(ID);
    expect(directory.isUnknown(ID)).toBe(false);
    expect(() => directory.reader(Buffer.from([0, 0, 0, 0, ID, 0]))).toThrow(/schema/);
  });
});
