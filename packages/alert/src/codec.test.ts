/** The codec where no registry answers as it should. What a real registry answers: codec.int.test.ts. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import { AlertCodec } from './codec.ts';
import { AlertFormatError, RegistryUnavailableError } from './errors.ts';
import { schemaIdOf } from './wire.ts';

const servers: Server[] = [];

/** Something that is no schema registry, at a free port. */
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Host and port at which nobody listens any more. */
async function closedAddress(): Promise<string> {
  const url = await listen(() => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return new URL(url).host;
}

function answer(status: number, body: string): RequestListener {
  return (_, response) => response.writeHead(status).end(body);
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('a codec without a registry', () => {
  it('does not encode before it is registered', () => {
    expect(() => new AlertCodec({ url: 'http://127.0.0.1:1' }).encode(makeAlert())).toThrow('register()');
  });

  it('has no reader yet', () => {
    const codec = new AlertCodec({ url: 'http://127.0.0.1:1' });
    expect(codec.reader(Buffer.from([0, 0, 0, 0, 9, 1]))).toBeUndefined();
    expect(() => codec.reader(Buffer.from([1, 0, 0, 0, 9, 1]))).toThrow(AlertFormatError);
    expect(() => codec.reader(Buffer.from([0, 0, 0]))).toThrow(AlertFormatError);
  });

  it('says which registry did not answer, and keeps the credentials to itself', async () => {
    const address = await closedAddress();
    const url = `http://user:hunter2@${address}/apis/ccompat/v7/`;
    const codec = new AlertCodec({ url, password: 's3cret' });
    const attempts = [codec.fetch(1), codec.register('t'), codec.decode(Buffer.from([0, 0, 0, 0, 1, 0]))];
    for (const attempt of await Promise.allSettled(attempts)) {
      const error: unknown = attempt.status === 'rejected' ? attempt.reason : undefined;
      expect(error).toBeInstanceOf(RegistryUnavailableError);
      const { message } = error as RegistryUnavailableError;
      expect(message).toContain(`http://${address}/apis/ccompat/v7:`);
      expect(message).toContain('ECONNREFUSED');
      expect(message).not.toMatch(/hunter2|s3cret|user|status/);
    }
  });

  it.each([
    ['a server error', 500, '{"error_code":50001,"message":"Error in the backend"}'],
    ['a refusal', 401, '{"error_code":401,"message":"Unauthorized"}'],
    ["a proxy's 404", 404, '<html>not found</html>'],
    ['the 404 of a wrong path', 404, '{"error_code":404,"message":"HTTP 404 Not Found"}'],
    ["a proxy's page", 200, '<html>log in</html>'],
    ['an answer without a schema', 200, '{"id":1}'],
    ['nothing', 204, ''],
  ])('takes %s for no answer', async (_, status, body) => {
    const codec = new AlertCodec({ url: await listen(answer(status, body)) });
    await expect(codec.fetch(1)).rejects.toThrow(RegistryUnavailableError);
    await expect(codec.register('t')).rejects.toThrow(RegistryUnavailableError);
  });

  it('waits a bounded time for an answer that does not come, or not to its end', async () => {
    const silent = new AlertCodec({ url: await listen(() => undefined) });
    const endless = new AlertCodec({
      url: await listen((_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(' '), 100);
        response.on('close', () => clearInterval(timer));
      }),
    });
    await Promise.all(
      [silent, endless].flatMap((codec) => [
        expect(codec.fetch(1)).rejects.toThrow(RegistryUnavailableError),
        expect(codec.register('t')).rejects.toThrow(RegistryUnavailableError),
      ]),
    );
  }, 20_000);

  it('sends one request for all who ask for one schema at the same time, and asks again after a failure', async () => {
    let requests = 0;
    const url = await listen((_, response) => {
      requests++;
      response.writeHead(500).end();
    });
    const codec = new AlertCodec({ url });
    const attempts = Array.from({ length: 20 }, () => codec.fetch(7));
    await Promise.allSettled(attempts);
    expect(requests).toBe(1);
    await expect(codec.fetch(7)).rejects.toThrow(RegistryUnavailableError);
    expect(requests).toBe(2);
  });

  it('asks nobody for an id that no registry can have given', async () => {
    expect(await new AlertCodec({ url: 'http://127.0.0.1:1' }).fetch(2 ** 31)).toBe('not-found');
  });

  it('uses basic auth', async () => {
    const seen = new Set<string | undefined>();
    const url = await listen((request, response) => {
      seen.add(request.headers.authorization);
      response.writeHead(404).end();
    });
    const codecs = [
      new AlertCodec({ url, username: 'user', password: 'p:ä' }),
      new AlertCodec({ url: url.replace('//', '//user:p%3A%C3%A4@') }),
    ];
    for (const codec of codecs) await Promise.allSettled([codec.fetch(1), codec.register('t')]);
    expect([...seen]).toEqual([`Basic ${Buffer.from('user:p:ä').toString('base64')}`]);
  });

  it('takes https', async () => {
    await expect(new AlertCodec({ url: 'https://127.0.0.1:1' }).fetch(1)).rejects.toThrow(
      'https://127.0.0.1:1',
    );
  });
});

describe('schemaIdOf', () => {
  it('reads the id after the magic byte, or says what is wrong', () => {
    expect(schemaIdOf(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))).toBe(2 ** 32 - 1);
    expect(() => schemaIdOf(Buffer.alloc(0))).toThrow(
      expect.objectContaining({ code: 'TRUNCATED' }) as Error,
    );
    expect(() => schemaIdOf(Buffer.alloc(4))).toThrow(
      expect.objectContaining({ code: 'TRUNCATED' }) as Error,
    );
    expect(() => schemaIdOf(Buffer.from('{"a"'))).toThrow(
      expect.objectContaining({ code: 'NO_MAGIC_BYTE' }) as Error,
    );
  });
});
