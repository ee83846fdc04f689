// Runs in the guest: loading, adopting, reading and taking down, over and over. Descriptors, BPF objects and memory must
// not grow. Run also with the sanitized addon.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openKernel } from '@alert-throttle/kernel';

interface Guest {
  readonly args: unknown;
  report(name: string, data?: Readonly<Record<string, unknown>>): void;
}

/** Tenths of a second. */
const SETTLE_ROUNDS = 200;
/** More than malloc keeps of what was freed, and half of what the test allows. */
const GROWTH_KB = 50_000;
const OBJECT = '/w/native/build/fixture.bpf.o';

/** What JavaScript does not use any more holds memory until V8 looks for it. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Of the whole kernel: nobody else uses BPF in this guest. */
function bpfObjects(kind: 'prog' | 'map' | 'link'): number {
  return (JSON.parse(execFileSync('bpftool', ['-j', kind, 'list'], { encoding: 'utf8' })) as unknown[])
    .length;
}

type State = ReturnType<typeof state>;

/** What is closed goes when the kernel's and V8's deferred work is done: a leak is what stays, however long one waits. */
async function settled(good: (now: State) => boolean): Promise<State> {
  for (let i = 0; ; i++) {
    collectGarbage();
    await setTimeout(100);
    const now = state();
    if ((i >= 5 && good(now)) || i === SETTLE_ROUNDS) return now;
  }
}

function state() {
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: Number(/^Threads:\s*(\d+)/m.exec(status)?.[1]),
    residentKb: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]),
    programs: bpfObjects('prog'),
    maps: bpfObjects('map'),
    links: bpfObjects('link'),
  };
}

export default async (guest: Guest): Promise<void> => {
  const { rounds } = guest.args as { readonly rounds: number };
  const options = {
    object: OBJECT,
    ...(process.env['ADDON'] === undefined ? {} : { addon: process.env['ADDON'] }),
  };
  const round = async (i: number): Promise<void> => {
    const first = openKernel(options);
    first.activate();
    first.start((_, release) => release());
    first.sweep();
    first.close();
    const adopted = openKernel(options);
    if (!adopted.adopted) throw new Error('not adopted');
    adopted.poll();
    if (i % 2 === 0) await setTimeout(1);
    adopted.detach();
  };
  for (let i = 0; i < 3; i++) await round(i);
  const none = ({ programs, maps, links }: State): boolean => programs + maps + links === 0;
  const before = await settled(none);
  guest.report('before', before);
  for (let i = 0; i < rounds; i++) {
    console.log('round', i, performance.now());
    await round(i);
  }
  guest.report(
    'after',
    await settled(
      (now) => none(now) && now.threads === before.threads && now.residentKb < before.residentKb + GROWTH_KB,
    ),
  );
  // Left open: the environment's end must stop the thread and free everything.
  const left = openKernel(options);
  left.start(() => undefined);
};
