// Runs one scenario of the job, in a process of its own: what one does to itself is gone before the next.
import { readFileSync } from 'node:fs';
import { guestOf, writeLine, type Scenario } from './guest.ts';

interface Job {
  readonly scenarios: readonly { readonly file: string; readonly name: string; readonly args: unknown }[];
}

const job = JSON.parse(readFileSync('/w/.guest/job.json', 'utf8')) as Job;
const scenario = job.scenarios[Number(process.argv[2])];
if (scenario === undefined) throw new Error(`the job has no scenario ${process.argv[2] ?? ''}`);
const { file, name, args } = scenario;

function fail(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`scenario ${name} failed: ${text}\n`);
  writeLine(name, 'failed', { error: text });
  process.exit(1);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
// A promise that can never be settled empties the event loop, and Node would just leave.
process.on('exit', (code) => {
  if (code === 13)
    writeLine(name, 'failed', { error: 'it awaits something that nothing can settle any more' });
});

try {
  const { default: run } = (await import(file)) as { default?: unknown };
  if (run !== undefined) {
    if (typeof run !== 'function') throw new Error(`${file} has no function as its default export`);
    await (run as Scenario)(guestOf(name, args));
  }
  writeLine(name, 'ended', {});
  // Whatever it left open, such as the pipes of a container, does not keep the guest.
  process.exit(0);
} catch (error) {
  fail(error);
}
