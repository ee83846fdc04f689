import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  identify,
  isAlive,
  listeners,
  listensOn,
  parsePidFile,
  parseStat,
  readPidFile,
  requireLinux,
  stopGroup,
  writePidFile,
  type ProcessId,
} from './process-id.ts';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'process-id-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A process that leads its own group, once it has printed a line. */
async function start(script: string): Promise<ProcessId> {
  const child = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const id = identify(child.pid ?? 0);
  if (id === undefined) throw new Error('it did not start');
  return id;
}

function self(): ProcessId {
  const id = identify(process.pid);
  if (id === undefined) throw new Error('this process has no identity');
  return id;
}

describe('the identity of a process', () => {
  it('is found in /proc, also with a name made to confuse', () => {
    const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ');
    expect(parseStat(`42 (a) S 1 (b) Z) R ${rest}`)).toEqual({ state: 'R', startTicks: '22' });
  });

  it('is that of a living process only', async () => {
    const id = await start('echo; exec sleep 60');
    expect(isAlive(id)).toBe(true);
    await stopGroup(id, 10_000);
    expect(isAlive(id)).toBe(false);
    expect(identify(id.pid)).toBeUndefined();
  });

  it('is not that of a process that got the same pid later, or after a reboot', () => {
    const id = self();
    expect(isAlive(id)).toBe(true);
    expect(isAlive({ ...id, startTicks: '1' })).toBe(false);
    expect(isAlive({ ...id, bootId: 'another' })).toBe(false);
  });
});

describe('pid files', () => {
  it('name a process for as long as it lives', async () => {
    const path = join(folder, 'run', 'x.pid');
    const id = await start('echo; exec sleep 60');
    writePidFile(path, id);
    expect(readPidFile(path)).toEqual(id);
    await stopGroup(id, 10_000);
    expect(readPidFile(path)).toBeUndefined();
  });

  it('name nobody where the pid belongs to somebody else now', () => {
    const path = join(folder, 'x.pid');
    writePidFile(path, { ...self(), startTicks: '1' });
    expect(readPidFile(path)).toBeUndefined();
  });

  it('name nobody where there is none', () => {
    expect(readPidFile(join(folder, 'none.pid'))).toBeUndefined();
  });

  it.each([
    '',
    '{',
    '4711',
    'null',
    '{"pid":"1","startTicks":"1","bootId":"b"}',
    '{"pid":0,"startTicks":"1","bootId":"b"}',
    '{"pid":-1,"startTicks":"1","bootId":"b"}',
    '{"pid":1,"startTicks":"1","bootId":"b"}',
    '{"pid":77.5,"startTicks":"1","bootId":"b"}',
    '{"pid":77,"startTicks":1,"bootId":"b"}',
    '{"pid":77,"startTicks":"1"}',
  ])('name nobody where they hold %j', (text) => {
    writeFileSync(join(folder, 'x.pid'), text);
    expect(parsePidFile(text)).toBeUndefined();
    expect(readPidFile(join(folder, 'x.pid'))).toBeUndefined();
  });
});

describe('stopGroup', () => {
  it('ends what the process started, too', async () => {
    const path = join(folder, 'child');
    const id = await start(`sleep 60 & echo $! > ${path}; echo; wait`);
    const child = identify(Number(readFileSync(path, 'utf8')));
    expect(await stopGroup(id, 10_000)).toBe('stopped');
    expect(child !== undefined && isAlive(child)).toBe(false);
  });

  it('kills what does not want to end', async () => {
    const id = await start("trap '' TERM; echo; while :; do sleep 1; done");
    expect(await stopGroup(id, 100)).toBe('killed');
    expect(isAlive(id)).toBe(false);
  });

  it('leaves a process alone that only has the same pid', async () => {
    const id = await start('echo; exec sleep 60');
    expect(await stopGroup({ ...id, startTicks: '1' }, 10_000)).toBe('stopped');
    expect(isAlive(id)).toBe(true);
  });
});

describe('listensOn', () => {
  it('tells a port of this process from one of nobody, or of somebody else', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const other = await start('echo; exec sleep 60');
    expect(listensOn(self(), port)).toBe(true);
    expect(listensOn(other, port)).toBe(false);
    await new Promise((closed) => server.close(closed));
    expect(listensOn(self(), port)).toBe(false);
  });

  it('takes only sockets that listen', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100',
      '   1: 0100007F:2384 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100',
      '   2: 0100007F:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100',
    ].join('\n');
    expect(listeners(table, 9092)).toEqual(['111']);
  });
});

describe('requireLinux', () => {
  it('points to the containers elsewhere', () => {
    expect(() => requireLinux('darwin')).toThrow(/compose\.yaml/);
    expect(() => requireLinux('linux')).not.toThrow();
  });
});
