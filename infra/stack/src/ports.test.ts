import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { bindable, candidates, choosePorts, HOST, parsePorts } from './ports.ts';

const servers: Server[] = [];

/** Somebody else's server; its port. */
async function occupy(port = 0): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return address.port;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
});

const nothing = { remembered: {}, usual: true, taken: new Set<number>() };

describe('candidates', () => {
  it('are the usual port and its neighbours of the higher tens of thousands', () => {
    expect(candidates('kafka', nothing)).toEqual([9092, 19092, 29092]);
  });

  it('begin with what the stack had before, once', () => {
    expect(candidates('redis', { ...nothing, remembered: { redis: 16379 } })).toEqual([16379, 6379, 26379]);
  });

  it('leave out what is taken', () => {
    expect(candidates('registry', { ...nothing, taken: new Set([8081]) })).toEqual([18081, 28081]);
  });

  it('are only what the stack had, for stacks that leave the usual ports alone', () => {
    expect(candidates('kafka', { ...nothing, usual: false })).toEqual([]);
    expect(candidates('kafka', { ...nothing, usual: false, remembered: { kafka: 4711 } })).toEqual([4711]);
  });
});

describe('choosePorts', () => {
  it('passes over a port that another process has', async () => {
    const taken = await occupy();
    const { redis } = await choosePorts(['redis'], {
      ...nothing,
      usual: false,
      remembered: { redis: taken },
    });
    expect(redis).not.toBe(taken);
    expect(await bindable(redis ?? 0)).toBe(redis);
  });

  it('takes a free port again that the stack had', async () => {
    const port = await bindable(0);
    if (port === undefined) throw new Error('no free port');
    expect(await choosePorts(['kafka'], { ...nothing, remembered: { kafka: port } })).toEqual({
      kafka: port,
    });
  });

  it('gives no port twice', async () => {
    const same = (await bindable(0)) ?? 0;
    const chosen = await choosePorts(['kafka', 'controller', 'registry', 'redis'], {
      ...nothing,
      usual: false,
      remembered: { kafka: same, controller: same, registry: same, redis: same },
    });
    expect(new Set(Object.values(chosen)).size).toBe(4);
  });
});

describe('parsePorts', () => {
  it('reads what was written', () => {
    expect(parsePorts('{"kafka":9092,"redis":6379}')).toEqual({ kafka: 9092, redis: 6379 });
  });

  it.each(['', 'no JSON', '[]', 'null', '{"kafka":"9092","redis":0,"registry":70000,"other":1}'])(
    'takes nothing from %j',
    (text) => {
      expect(parsePorts(text)).toEqual({});
    },
  );
});
