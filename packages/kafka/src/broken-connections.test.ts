// kafkajs's own connection against a server that breaks it.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { renewBrokenConnections } from './broken-connections.ts';

interface Connection {
  isConnected(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(protocol: object): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const quiet = { debug: () => undefined, warn: () => undefined, error: () => undefined };
const logger = { namespace: () => quiet };

let server: Server;
let connections: Socket[];
let connection: Connection;

beforeEach(async () => {
  renewBrokenConnections();
  renewBrokenConnections();
  connections = [];
  server = createServer((socket) => connections.push(socket.on('error', () => undefined))).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const Connection = require('kafkajs/src/network/connection') as new (options: object) => Connection;
  const socketFactory = (require('kafkajs/src/network/socketFactory') as () => unknown)();
  connection = new Connection({
    host: '127.0.0.1',
    port,
    logger,
    socketFactory,
    requestTimeout: 200,
    connectionTimeout: 5000,
  });
  await connect();
});
afterEach(async () => {
  await connection.disconnect();
  for (const socket of connections) socket.destroy();
  server.close();
});

async function connect(): Promise<void> {
  const accepted = once(server, 'connection');
  await connection.connect();
  await accepted;
}

function ask(): Promise<unknown> {
  const Encoder = require('kafkajs/src/protocol/encoder') as new () => object;
  const request = {
    apiKey: 3,
    apiVersion: 1,
    apiName: 'Metadata',
    encode: () => Promise.resolve(new Encoder()),
  };
  const response = {
    decode: (payload: Buffer) => Promise.resolve(payload),
    parse: (payload: Buffer) => Promise.resolve(payload.toString()),
  };
  return connection.send({ request, response });
}

/** An answer to the request that comes next on that connection. */
function answerOn(socket: Socket | undefined, text: string): void {
  socket?.once('data', (request: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + text.length);
    socket.write(Buffer.concat([length, request.subarray(8, 12), Buffer.from(text)]));
  });
}

test('given a connection that ended in the middle of an answer, then the next one is understood', async () => {
  connections[0]?.once('data', () => connections[0]?.end(Buffer.from([0, 0, 0, 99, 0, 0])));
  await expect(ask()).rejects.toMatchObject({ name: 'KafkaJSConnectionClosedError' });
  await connect();
  answerOn(connections[1], 'second');
  expect(await ask()).toBe('second');
});

test('given an answer that does not come in time, then the connection is dropped with all that waits on it', async () => {
  const closed = new Promise((resolve) => connections[0]?.resume().once('close', resolve));
  const answers = await Promise.allSettled([ask(), ask()]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(connection.isConnected()).toBe(false);
  await closed;
  await connect();
  answerOn(connections[1], 'second');
  expect(await ask()).toBe('second');
});
