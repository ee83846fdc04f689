// Cgroups of version 2: what a container is to the kernel side.
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './wait.ts';

export const CGROUPS = '/sys/fs/cgroup';

export interface Cgroup {
  readonly path: string;
  /** The number that the kernel knows it by; not used again before the next boot. */
  readonly id: bigint;
}

/** Makes it, with those above it. */
export function makeCgroup(name: string): Cgroup {
  const path = join(CGROUPS, name);
  mkdirSync(path, { recursive: true });
  return cgroupAt(path);
}

export function cgroupAt(path: string): Cgroup {
  return { path, id: statSync(path, { bigint: true }).ino };
}

/** Ends every process in it and below, and takes it away. */
export async function removeCgroup({ path }: Cgroup): Promise<void> {
  if (!existsSync(path)) return;
  writeFileSync(join(path, 'cgroup.kill'), '1');
  await until(`the removal of ${path}`, () => {
    try {
      removeTree(path);
      return true;
    } catch {
      // Its processes are still on their way out.
      return false;
    }
  });
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}
