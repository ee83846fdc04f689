// Vitest's global setup of the kernel tests: makes what they share before two workers want it at once, or says at once
// what is missing.
import { provideParts } from '../run-guest.ts';
import { KERNELS } from '../kernels.ts';

export default async function setup(): Promise<void> {
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  for (const kernel of KERNELS) await provideParts({ kernel, log });
}
