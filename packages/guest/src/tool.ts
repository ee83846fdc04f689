// Runs a program of the host that has to succeed.
import { run, tail } from '@alert-throttle/stack';
import { GuestError } from './errors.ts';

const LINES = 15;

/** What it printed, on both streams; an error with the end of that where it failed. */
export async function tool(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { code, output } = await run(file, args, options);
  if (code !== 0)
    throw new GuestError('TOOL_FAILED', `${file} ${args.join(' ')} failed:\n${tail(output, LINES)}`);
  return output;
}
