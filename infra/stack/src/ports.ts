// Which ports the servers of a stack get: those that it had, else the usual ones, else others, but only free ones.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

export const HOST = '127.0.0.1';

export const PORT_NAMES = ['kafka', 'controller', 'registry', 'redis'] as const;
export type PortName = (typeof PORT_NAMES)[number];
export type Ports = Readonly<Record<PortName, number>>;

const USUAL: Ports = { kafka: 9092, controller: 9093, registry: 8081, redis: 6379 };

/** Beyond the usual port: easy to recognise, and below the range from which Linux takes ports for clients. */
const STEPS = [0, 10_000, 20_000];

export interface PortWishes {
  /** What the stack had when it was up before. */
  readonly remembered: Partial<Ports>;
  /** False for stacks of tests, which leave the usual ports to people. */
  readonly usual: boolean;
  /** Ports that are spoken for, or have just been tried in vain. */
  readonly taken: ReadonlySet<number>;
}

/** Ports worth trying, best first; after them any free one will do. */
export function candidates(name: PortName, { remembered, usual, taken }: PortWishes): number[] {
  const before = remembered[name];
  const wished = [
    ...(before === undefined ? [] : [before]),
    ...(usual ? STEPS.map((step) => USUAL[name] + step) : []),
  ];
  return [...new Set(wished)].filter((port) => !taken.has(port));
}

/** A free port for each name, no two alike. Another process may still take one before its server does. */
export async function choosePorts(names: readonly PortName[], wishes: PortWishes): Promise<Partial<Ports>> {
  const taken = new Set(wishes.taken);
  const chosen: Partial<Record<PortName, number>> = {};
  for (const name of names) {
    const port = await choosePort(name, { ...wishes, taken });
    taken.add(port);
    chosen[name] = port;
  }
  return chosen;
}

async function choosePort(name: PortName, wishes: PortWishes): Promise<number> {
  for (const port of candidates(name, wishes)) if ((await bindable(port)) !== undefined) return port;
  for (;;) {
    const port = await bindable(0);
    if (port === undefined) throw new Error(`no free port on ${HOST}`);
    if (!wishes.taken.has(port)) return port;
  }
}

/** The port, if a server could have it now; 0 asks for any. */
export function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: HOST, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}

export function readPorts(path: string): Partial<Ports> {
  return existsSync(path) ? parsePorts(readFileSync(path, 'utf8')) : {};
}

/** What is not a port in the file counts as not there. */
export function parsePorts(text: string): Partial<Ports> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  const known = value as Partial<Record<string, unknown>>;
  return Object.fromEntries(
    PORT_NAMES.map((name) => [name, known[name]]).filter(
      ([, port]) => typeof port === 'number' && port > 0 && port < 65_536,
    ),
  ) as Partial<Ports>;
}

export function writePorts(path: string, ports: Partial<Ports>): void {
  writeFileSync(path, `${JSON.stringify(ports, undefined, 2)}\n`);
}
