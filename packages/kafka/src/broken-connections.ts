// Lets kafkajs 2.2.4 get over a connection that broke in the middle of an answer, or that has gone silent.
//
// It keeps the first part of an answer when a connection ends in the middle of it, and reads the answers of the next
// connection as the rest: none fits its request from then on, every request times out, for ever.
//
// And it goes on using a connection on which an answer has not come in time. Where a firewall or a NAT has forgotten
// the connection, that lasts until the kernel gives up, about a quarter of an hour. Java's client drops it, too.
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

interface Connection {
  socket?: Socket;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  connectionStatus: string;
  readonly requestQueue: { destroy(): void };
  isConnected(): boolean;
  connect(): Promise<unknown>;
  send(request: unknown): Promise<unknown>;
  rejectRequests(error: unknown): void;
}

const PATCHED_VERSION = '2.2.4';
const LENGTH_BYTES = 4;
const patched = new WeakSet<Connection>();

/** Idempotent. Leaves any other version of kafkajs alone. */
export function renewBrokenConnections(): void {
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== PATCHED_VERSION) return;
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: Connection };
  if (patched.has(prototype)) return;
  patched.add(prototype);
  patch(prototype);
}

function patch(prototype: Pick<Connection, 'connect' | 'send'>): void {
  const connect = Object.getOwnPropertyDescriptor(prototype, 'connect')?.value as Connection['connect'];
  const send = Object.getOwnPropertyDescriptor(prototype, 'send')?.value as Connection['send'];
  prototype.connect = function (this: Connection): Promise<unknown> {
    if (!this.isConnected()) {
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = LENGTH_BYTES;
    }
    return connect.call(this);
  };
  prototype.send = async function (this: Connection, request: unknown): Promise<unknown> {
    const { socket } = this;
    try {
      return await send.call(this, request);
    } catch (error) {
      if (isTimeout(error) && socket !== undefined && socket === this.socket) drop(this, socket, error);
      throw error;
    }
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError';
}

/**
 * What else waits for an answer on it is told the same. At once, unlike kafkajs's own `disconnect`: that would end the
 * socket of a connection which somebody else may have made meanwhile.
 */
function drop(connection: Connection, socket: Socket, error: unknown): void {
  connection.connectionStatus = 'disconnected';
  connection.requestQueue.destroy();
  connection.rejectRequests(error);
  socket.destroy();
}
