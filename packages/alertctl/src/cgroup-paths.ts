// Names for the cgroup ids of the throttle map: an id is the inode number of the cgroup's folder.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** From the root of the hierarchy, by id; those that are gone are left out. */
export function cgroupPaths(ids: readonly bigint[], root = ROOT): Map<bigint, string> {
  const wanted = new Set(ids);
  const found = new Map<bigint, string>();
  const look = (path: string): void => {
    if (found.size === wanted.size) return;
    try {
      const id = statSync(join(root, path), { bigint: true }).ino;
      if (wanted.has(id)) found.set(id, path);
      for (const entry of readdirSync(join(root, path), { withFileTypes: true }))
        if (entry.isDirectory()) look(join(path, entry.name));
    } catch {
      // Gone meanwhile, or not mounted here.
    }
  };
  if (wanted.size > 0) look('/');
  return found;
}

/** CLOCK_BOOTTIME, as far as /proc shows it: hundredths of a second. */
export function bootTimeNs(): bigint {
  const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return BigInt(Math.round(seconds * 100)) * 10_000_000n;
}
