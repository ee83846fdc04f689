import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Child, ChildFailed } from './child.ts';

const folder = mkdtempSync(join(tmpdir(), 'quickstart-child-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let started = 0;

function start(code: string, args: readonly string[] = []): { child: Child; log: () => string } {
  const script = join(folder, `${++started}.mjs`);
  const logFile = join(folder, `${started}.log`);
  writeFileSync(script, code);
  const child = new Child({
    name: 'service',
    script,
    args,
    env: { ...process.env, GREETING: 'hello' },
    logFile,
  });
  return { child, log: () => readFileSync(logFile, 'utf8') };
}

async function saying(log: () => string, text: string): Promise<void> {
  await expect.poll(log, { timeout: 10_000 }).toContain(text);
}

describe('a child', () => {
  it('gets its arguments, environment and input, and logs into its file', async () => {
    const code = `process.stdin.on('data', (chunk) => console.log(process.env.GREETING, process.argv[2], String(chunk)));`;
    const { child, log } = start(code, ['world']);
    child.stdin.end('input');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(log()).toBe('hello world input\n');
    expect(child.isStopping).toBe(false);
  });

  it('is told to end once, and may finish', async () => {
    const code = `process.on('SIGTERM', () => { console.log('stopping'); process.exit(0); }); setInterval(() => 0, 1000); console.log('up');`;
    const { child, log } = start(code);
    await saying(log, 'up');
    await Promise.all([child.stop(), child.stop()]);
    expect(log()).toBe('up\nstopping\n');
    expect(child.isStopping).toBe(true);
  });

  it('is killed at once where that is asked for', async () => {
    const { child, log } = start(
      `process.on('SIGTERM', () => 0); setInterval(() => 0, 1000); console.log('up');`,
    );
    await saying(log, 'up');
    const stopped = child.stop();
    child.kill();
    await stopped;
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('tells how it ended, with its last words', async () => {
    const { child } = start(`for (let i = 0; i < 100; i++) console.log('line ' + i); process.exitCode = 3;`);
    const error = new ChildFailed(child, await child.exited);
    expect(error.message).toBe('the service ended unexpectedly (exit code 3)');
    expect(child.logTail().split('\n')).toHaveLength(20);
    expect(child.logTail()).toContain('line 99');
  });
});
