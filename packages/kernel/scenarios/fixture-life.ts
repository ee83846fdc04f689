// Runs in the guest: the whole life of a set of programs, with the fixture of native/test: loaded, activated, abandoned,
// adopted, replaced, taken down. What it reports is asserted in kernel.kernel.test.ts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { LAYOUT_VERSION, openKernel, type Kernel, type KernelEvent } from '@alert-throttle/kernel';

interface Guest {
  report(name: string, data?: Readonly<Record<string, unknown>>): void;
}

const CGROUP = '/sys/fs/cgroup/fixture';
const PIN_DIR = '/sys/fs/bpf/alert-throttle';
const FIXTURE = '/w/native/build/fixture.bpf.o';
const NEXT_FIXTURE = '/w/native/build/fixture-next.bpf.o';

/** Opens a file so many times from inside the cgroup, by the shell itself: nothing is executed there. */
function tryToOpen(times: number): { opened: number; denied: number } {
  const script = `echo $$ > ${CGROUP}/cgroup.procs; i=0; o=0; d=0
    while [ $i -lt ${times} ]; do if { : < /etc/passwd; } 2>/dev/null; then o=$((o+1)); else d=$((d+1)); fi; i=$((i+1)); done
    echo "$o $d"`;
  const { stdout } = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
  const [opened = -1, denied = -1] = stdout.trim().split(' ').map(Number);
  return { opened, denied };
}

function register(kernel: Kernel): bigint {
  const cgroupId = statSync(CGROUP, { bigint: true }).ino;
  kernel.registerContainer({
    cgroupId,
    profile: 0,
    privileged: false,
    pidNs: 1,
    mntNs: 2,
    rootDev: 3n,
    rootIno: 9n,
    descendants: () => [],
    ruleSet: undefined,
  });
  return cgroupId;
}

/** The first `count` events, in batches as they come; released only if `release`. */
async function take(kernel: Kernel, count: number, release: boolean): Promise<readonly KernelEvent[]> {
  const taken: KernelEvent[] = [];
  await new Promise<void>((resolve) => {
    kernel.start((events, done) => {
      taken.push(...events);
      if (release) done();
      if (taken.length >= count || !release) resolve();
    });
  });
  return taken;
}

function summary(events: readonly KernelEvent[]) {
  const of = (ring: string) => events.filter((event) => event.ring === ring).map((event) => event.number);
  const [enforcement, audit] = [of('enforcement'), of('audit')];
  return {
    enforcement: enforcement.length,
    audit: audit.length,
    first: enforcement[0],
    last: enforcement.at(-1),
    inOrder: enforcement.every((number, i) => number === (enforcement[0] ?? 0) + i),
    types: [...new Set(events.map((event) => event.type))],
    containers: [...new Set(events.map((event) => ('container' in event ? event.container : -1n)))],
  };
}

export default async (guest: Guest): Promise<void> => {
  mkdirSync(CGROUP);
  const sizes = { containers: 8, members: 8, auditRingBytes: 1 << 20, enforcementRingBytes: 1 << 20 };
  const first = openKernel({ object: FIXTURE, sizes });
  const cgroupId = register(first);
  guest.report('loaded', {
    adopted: first.adopted,
    notes: first.notes,
    programs: first.programs(),
    cgroupId,
  });
  guest.report('before activation', tryToOpen(10));
  first.activate();
  guest.report('activated', tryToOpen(1000));
  guest.report('events', summary(await take(first, 2000, true)));
  guest.report('counters', { matched: first.counters().matched });
  first.sweep();
  tryToOpen(5);
  first.close();
  first.close();
  guest.report('abandoned', tryToOpen(10));

  const second = openKernel({ object: FIXTURE });
  guest.report('adopted', { adopted: second.adopted, notes: second.notes, programs: second.programs() });
  guest.report('known containers', { containers: second.containers() });
  guest.report('unreleased', summary(await take(second, 1, false)));
  second.close();

  const third = openKernel({ object: NEXT_FIXTURE, sizes });
  guest.report('upgrading', {
    adopted: third.adopted,
    sets: readdirSync(`${PIN_DIR}/${LAYOUT_VERSION}/sets`).length,
  });
  guest.report('same events', summary(third.poll()));
  guest.report('decided by the old set', tryToOpen(7));
  guest.report('events of the old set', summary(third.poll()));
  third.activate();
  guest.report('decided by the new set', tryToOpen(9));
  guest.report('events of the new set', summary(third.poll()));
  guest.report('upgraded', {
    sets: readdirSync(`${PIN_DIR}/${LAYOUT_VERSION}/sets`).length,
    matched: third.counters().matched,
  });
  third.detach();
  guest.report('detached', { ...tryToOpen(10), pinned: readdirSync('/sys/fs/bpf') });
};
