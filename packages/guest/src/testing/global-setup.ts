// Vitest's global setup of the kernel tests: makes what they share before two workers want it at once, or says at once
// what is missing.
import {
  addon,
  APPARMOR_OBJECT,
  APPARMOR_SOURCE,
  bpfObject,
  findToolchain,
  make,
  type Missing,
} from '@alert-throttle/native/build';
import { provide, type Need } from '@alert-throttle/stack';
import type { Log } from '../cache.ts';
import { KERNELS } from '../kernels.ts';
import { provideParts } from '../run-guest.ts';

export default async function setup(): Promise<void> {
  const log: Log = (line) => void process.stdout.write(`${line}\n`);
  await provideBuild(log);
  for (const kernel of KERNELS) await provideParts({ kernel, log });
}

/** The programs and the addon as the sources are now. */
async function provideBuild(log: Log): Promise<void> {
  const needs = findToolchain().missing.map((one) => [one.what, needOf(one)] as const);
  await provide(Object.fromEntries(needs), { log });
  const { found } = findToolchain();
  if (found === undefined) return;
  const objects = [bpfObject(found), bpfObject(found, APPARMOR_SOURCE, APPARMOR_OBJECT)];
  for (const product of [...objects, addon(found, false)])
    if (await make(product)) log(`Built ${product.output}`);
}

function needOf({ what, debianPackage }: Missing): Need<true> {
  return {
    what,
    packages: [debianPackage],
    find: () => (findToolchain().missing.some((one) => one.what === what) ? undefined : true),
  };
}
