// Runs a helper program to its end: Maven, apt-get, mke2fs, Kafka's formatter. Servers are started elsewhere.
import { spawn } from 'node:child_process';

export interface Result {
  readonly code: number | null;
  /** Both streams as they came; only the end of it where there was a lot. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

const KEEP = 64 * 1024;

/** Never rejects because of an exit code. Rejects where the program cannot be started, or the signal aborts it. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    // A group of its own, so that what a wrapper script such as mvn started ends with it.
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let output = '';
    let rest = '';
    const take = (chunk: string): void => {
      output = (output + chunk).slice(-KEEP);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach((line) => options.onLine?.(line));
    };
    const abort = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', reject);
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted) reject(options.signal.reason as Error);
      else resolve({ code, output });
    });
  });
}

/** The last lines of a text, for an error message. */
export function tail(text: string, lines: number): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
