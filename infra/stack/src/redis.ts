// Redis as the system has it: append-only file, nothing evicted, no password, loopback only.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Command, Component, StartContext } from './component.ts';
import { HOST } from './ports.ts';

export const redis: Component = {
  name: 'redis',
  title: 'Redis',
  ports: ['redis'],
  graceMs: 10_000,
  prepare: (context) => Promise.resolve(prepare(context)),
  probe: (ports) => ping(ports.redis),
};

function prepare({ layout, ports, programs }: StartContext): Command {
  const home = layout.data('redis');
  mkdirSync(home, { recursive: true });
  const config = join(home, 'redis.conf');
  writeFileSync(config, formatRedisConf(ports.redis, home));
  return { file: programs.redis.file, argv0: programs.redis.argv0, args: [config], cwd: home };
}

export function formatRedisConf(port: number, dir: string): string {
  const settings: readonly (readonly [string, string])[] = [
    ['bind', HOST],
    ['port', String(port)],
    ['dir', JSON.stringify(dir)],
    ['daemonize', 'no'],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
    // The append-only file is all there is to keep.
    ['save', '""'],
    // A full server says so; it never drops a checkpoint in silence.
    ['maxmemory', '1gb'],
    ['maxmemory-policy', 'noeviction'],
  ];
  return settings.map(([name, value]) => `${name} ${value}\n`).join('');
}

const PROBE_MS = 3_000;

/** While it loads its data it answers -LOADING. */
function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: HOST, port });
    const end = (error?: Error): void => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.setTimeout(PROBE_MS, () => end(new Error('no answer to PING')));
    socket.once('error', end);
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (answer) => {
      const text = answer.toString('latin1').trim();
      end(text === '+PONG' ? undefined : new Error(`answers ${text}`));
    });
  });
}
