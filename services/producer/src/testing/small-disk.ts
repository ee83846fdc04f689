// A disk of a few megabytes, for one test: a tmpfs that only processes see that are started by way of it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

export interface SmallDisk {
  readonly folder: string;
  /** For `via` of runService. */
  readonly via: readonly [string, ...string[]];
  /** Bytes that are free. */
  free(): number;
}

/** With the rights of root, or as a user who may have a namespace where he has them. */
const WAYS = [
  { unshare: ['-m'], nsenter: ['-m'] },
  { unshare: ['-U', '-r', '-m'], nsenter: ['-U', '--preserve-credentials', '-m'] },
];

export async function smallDisk(bytes: number): Promise<SmallDisk> {
  const folder = temporaryFolder();
  const problems: string[] = [];
  for (const { unshare, nsenter } of WAYS) {
    // It ends when its standard input does, so with this process at the latest, and the disk with it.
    const script = 'mount -t tmpfs -o size="$1",mode=0777 tmpfs "$2" && echo ready && exec cat';
    const holder = spawn('unshare', [...unshare, 'sh', '-c', script, 'sh', String(bytes), folder]);
    holder.stdin.on('error', () => undefined);
    holder.on('error', () => undefined);
    const closed = once(holder, 'close').catch(() => undefined);
    const ready = once(holder.stdout, 'data').then(() => true);
    let problem = '';
    holder.stderr.on('data', (text: Buffer) => (problem += text.toString()));
    if ((await Promise.race([ready, closed])) !== true || holder.pid === undefined) {
      problems.push(problem.trim());
      continue;
    }
    onTestFinished(async () => {
      holder.stdin.end();
      await closed;
    });
    const via = ['nsenter', '-t', String(holder.pid), ...nsenter, '--'] as const;
    return { folder, via, free: () => freeBytes(via, folder) };
  }
  throw new Error(
    `this test mounts a small disk, which root may, and users where namespaces are allowed: ${problems.join('; ')}`,
  );
}

function freeBytes([program, ...args]: readonly [string, ...string[]], folder: string): number {
  const { stdout } = spawnSync(program, [...args, 'stat', '-f', '-c', '%a %S', folder], { encoding: 'utf8' });
  const [blocks = NaN, size = NaN] = stdout.trim().split(' ').map(Number);
  return blocks * size;
}
