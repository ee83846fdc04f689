// Runs in the guest: rule sets and containers in real maps, with the fixture of native/test. What is shared, what is
// refused whole, what is found again by the next producer, and that nothing is left in the end.
import { loadBinding } from '@alert-throttle/native';
import {
  KernelError,
  LAYOUT_VERSION,
  detachKernel,
  inspectKernel,
  openKernel,
  type Kernel,
} from '@alert-throttle/kernel';
import { compileRuleSet, type PolicyRule, type RuleSet } from '@alert-throttle/policy';

interface Guest {
  report(name: string, data?: Readonly<Record<string, unknown>>): void;
}

const FIXTURE = '/w/native/build/fixture.bpf.o';
const MAPS = `/sys/fs/bpf/alert-throttle/${LAYOUT_VERSION}/maps`;
// A container may have a sixteenth of the members beside itself.
const SIZES = { containers: 2, members: 48, rulesets: 2, rules: 6, names: 12 };

function ruleSet(...paths: readonly string[]): RuleSet {
  const rules = paths.map((path): PolicyRule => ({
    ...{ kind: 'file', match: 'exact', path, action: 'Block', readOnly: false, ownerOnly: false },
    ...{ severity: '5', tags: [], message: '' },
  }));
  const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };
  return compileRuleSet([{ name: 'p', namespace: 'd', selector, rules }], {
    postures: { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' },
    audited: false,
  });
}

const A = ruleSet('/etc/shadow', '/etc/passwd');
const B = ruleSet('/etc/shadow', '/root/.ssh/id');
const TOO_MANY = ruleSet('/a', '/b', '/c', '/d', '/e', '/f', '/g');

/** How many entries the maps hold; of arrays, those whose first word is not zero. */
function used(): Record<string, number> {
  const binding = loadBinding();
  const counts = ['rules', 'hints', 'members', 'containers'].map((map): [string, number] => {
    const handle = binding.openPinned(`${MAPS}/${map}`);
    const { values, count } = binding.entries(handle, 0);
    handle.close();
    const first = Array.from({ length: count }, (_, i) =>
      values.readBigUInt64LE(i * (values.length / count)),
    );
    return [map, map === 'containers' ? first.filter((word) => word !== 0n).length : count];
  });
  return Object.fromEntries(counts);
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'no error';
  } catch (error) {
    return error instanceof KernelError ? error.code : String(error);
  }
}

function register(
  kernel: Kernel,
  cgroupId: bigint,
  set: RuleSet,
  lists: readonly (readonly bigint[])[] = [],
): void {
  const handle = kernel.installRuleSet(set);
  const left = [...lists];
  const descendants = () => left.shift() ?? [];
  kernel.registerContainer({
    ...{
      cgroupId,
      descendants,
      ruleSet: handle,
      profile: 1,
      privileged: true,
      pidNs: 2,
      mntNs: 3,
      rootDev: 4n,
      rootIno: 0n,
    },
  });
  // The container has it.
  kernel.removeRuleSet(handle);
}

export default (guest: Guest): void => {
  const kernel = openKernel({ object: FIXTURE, sizes: SIZES });
  const [one, two] = [kernel.installRuleSet(A), kernel.installRuleSet(A)];
  guest.report('shared', { equal: one.number === two.number, used: used() });
  kernel.removeRuleSet(one);
  kernel.sweep();
  guest.report('held by one', used());
  guest.report('refused', {
    rules: codeOf(() => kernel.installRuleSet(TOO_MANY)),
    names: codeOf(() => kernel.installRuleSet(ruleSet('/1/2/3/4/5/6/7/8/9/10'))),
    used: used(),
  });
  register(kernel, 1001n, A, [[1002n, 1003n], [1003n, 1004n], [1004n]]);
  kernel.removeRuleSet(two);
  kernel.sweep();
  guest.report('held by a container', used());
  register(kernel, 2001n, B);
  guest.report('no room', {
    containers: codeOf(() => register(kernel, 3001n, B)),
    members: codeOf(() => register(kernel, 2001n, B, [[2002n, 2003n, 2004n, 2005n]])),
    rulesets: codeOf(() => kernel.installRuleSet(ruleSet('/x'))),
    used: used(),
  });
  kernel.activate();
  kernel.setLimits(1, { alertThrottling: true, maxAlertPerSec: 3, throttleSec: 7 });
  const view = inspectKernel();
  guest.report('seen by others', {
    limits: view.limits(1),
    attached: view.programs().map(({ name, attached }) => [name, attached]),
    counters: view.counters(),
    second: codeOf(() => openKernel({ object: FIXTURE })),
    detach: codeOf(() => detachKernel()),
  });
  view.close();
  kernel.close();

  const next = openKernel({ object: FIXTURE, sizes: SIZES });
  const again = next.installRuleSet(B);
  guest.report('found again', {
    adopted: next.adopted,
    containers: next.containers(),
    same: next.containers().find(({ cgroupId }) => cgroupId === 2001n)?.ruleSetDigest === again.digest,
    used: used(),
    limits: next.limits(1),
  });
  next.setRuleSet(1001n, again);
  next.sweep();
  guest.report('switched', used());
  next.removeContainer(1001n);
  guest.report('removed', { used: used(), twice: codeOf(() => next.removeContainer(1001n)) });
  next.removeContainer(2001n);
  next.removeRuleSet(again);
  next.sweep();
  guest.report('empty', used());
  register(next, 3001n, A);
  guest.report('used again', used());
  next.close();
  guest.report('detached', {
    first: detachKernel(),
    second: detachKernel(),
    inspect: codeOf(() => inspectKernel()),
  });
};
