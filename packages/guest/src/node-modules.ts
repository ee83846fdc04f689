// Which third-party packages go into the guest: those that npm would install for production, at the root.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** Paths under the checkout, `node_modules/avsc`; optional ones that this platform has not are left out. */
export function productionPackages(root: string): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { link, dev, devOptional }]) => {
      const wanted = link !== true && dev !== true && devOptional !== true;
      return wanted && path.startsWith('node_modules/') && existsSync(join(root, path));
    })
    .map(([path]) => path);
}
