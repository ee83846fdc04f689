// The C programs that act inside containers: compiled here, statically, so that they run on any root.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cached, digest, type Log } from './cache.ts';
import { tool } from './tool.ts';

const SOURCES = join(import.meta.dirname, '..', 'workload');

/** Each is made of `<name>.c` and `<name>-*.c`. */
const PROGRAMS = ['workload', 'launch', 'relay'] as const;

export interface WorkloadOptions {
  readonly gcc: string;
  readonly log: Log;
}

/** The folder of the programs. */
export async function provideWorkload({ gcc, log }: WorkloadOptions): Promise<string> {
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  const key = digest([import.meta.filename, ...sources].flatMap((file) => [file, readFileSync(file)]));
  return await cached({
    kind: 'workload',
    key,
    log,
    make: async (into) => {
      const flags = ['-std=gnu11', '-O2', '-static', '-Wall', '-Wextra', '-Werror', '-pthread'];
      for (const program of PROGRAMS) {
        const files = sources.filter((file) => new RegExp(`^${program}(?:-.*)?\\.c$`).test(basename(file)));
        await tool(gcc, [...flags, '-I', SOURCES, '-o', join(into, program), ...files]);
      }
    },
  });
}
