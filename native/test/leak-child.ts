// Opens and closes a BPF object, and loads and unloads the addon, over and over, without the kernel's bpf(2). Prints what
// the process held before and after. A process of its own, so that nobody else's memory is counted, also for the sanitizers.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Binding } from '@alert-throttle/native';

const [addon = '', object = '', rounds = '', loads = ''] = process.argv.slice(2);

/** What happens first belongs to the first time: pools, caches, compiled code. */
const WARM_UP = 100;

export interface Held {
  readonly descriptors: number;
  readonly residentKb: number;
}

function held(): Held {
  (globalThis as { readonly gc?: () => void }).gc?.();
  const resident = /^VmRSS:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return { descriptors: readdirSync('/proc/self/fd').length, residentKb: Number(resident) };
}

function failing(run: () => unknown): void {
  try {
    run();
  } catch {
    return;
  }
  throw new Error('it did not fail');
}

/** All that can be done with an object that is not loaded, errors included. */
function open(binding: Binding): void {
  const file = new binding.ObjectFile(object);
  file.setMaxEntries('rules', 77);
  file.setConstant('at_generation', 7);
  if (file.maps().length === 0 || file.programs().length === 0) throw new Error('an empty object');
  failing(() => file.map('nothing'));
  file.close();
  failing(() => new binding.ObjectFile('/absent.o'));
  binding.lockFolder(tmpdir()).close();
  binding.resolveInRoot(process.pid, '/usr/bin');
}

/** Its environment ends with an object left open, and with it the addon. */
const LOAD = `
const { ObjectFile } = process.getBuiltinModule('module').createRequire('/')(${JSON.stringify(addon)});
globalThis.left = new ObjectFile(${JSON.stringify(object)});`;

async function load(): Promise<void> {
  await new Promise((resolve, reject) => {
    new Worker(LOAD, { eval: true }).on('exit', resolve).on('error', reject);
  });
}

/** One after the other, so that each time nobody else holds the addon. */
async function loadTimes(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await load();
}

// First, before this thread holds the addon, too.
await loadTimes(Math.min(WARM_UP, Number(loads)));
const beforeLoads = held();
await loadTimes(Number(loads));
const afterLoads = held();

const binding = createRequire(import.meta.url)(addon) as Binding;
for (let i = 0; i < WARM_UP; i++) open(binding);
const beforeRounds = held();
for (let i = 0; i < Number(rounds); i++) open(binding);
const afterRounds = held();

console.log(
  JSON.stringify({
    loading: { before: beforeLoads, after: afterLoads },
    opening: { before: beforeRounds, after: afterRounds },
  }),
);
