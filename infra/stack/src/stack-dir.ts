// Which folder is meant where none is named.
import { join, resolve } from 'node:path';

/** Of this checkout, so that two checkouts have a stack each. */
export const DEFAULT_STACK_DIR = join(import.meta.dirname, '..', '..', '..', '.stack');

/** `STACK_DIR`, or the folder of this checkout. */
export function stackDir(env: NodeJS.ProcessEnv): string {
  const named = env['STACK_DIR'];
  return named === undefined || named === '' ? DEFAULT_STACK_DIR : resolve(named);
}
