// On overlayfs, under runc: an access that copies a file up from the layer below, by which the file system opens, makes and
// renames files of its own, is one access. So are executions and renames, refused and watched.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  DYNAMIC_PROGRAM,
  startRunc,
  type Guest,
  type Operation,
  type RuncContainer,
} from '@alert-throttle/guest/inside';
import type { RuleSet } from '@alert-throttle/policy';
import { EnforcingNode, isAlert, NO_POSTURES, ruleSetOf } from './node.ts';

/** Files of the layer below: each is tried first, and copied up, by one of these. */
export const COPIES: readonly (readonly [path: string, operation: Operation])[] = [
  ['/etc/passwd', ['open', '/etc/passwd', 'w']],
  ['/etc/group', ['chmod', '/etc/group', '600']],
  ['/etc/hosts', ['truncate', '/etc/hosts', 3]],
  ['/etc/shadow', ['rename', '/etc/shadow', '/etc/renamed']],
];

/** How often one thing is done where it is refused, and where it goes through. */
export const TIMES = { refused: 200, watched: 20 };

const named = {
  file: { matchDirectories: [{ dir: '/etc/', recursive: true }] },
  process: { matchPaths: [{ path: DYNAMIC_PROGRAM }] },
};

/** In the last, an access by the file system that were judged would be refused: its layers are in no folder of the list. */
const RULES: Readonly<Record<string, RuleSet>> = {
  refused: ruleSetOf([{ ...named, action: 'Block' }]),
  watched: ruleSetOf([{ ...named, action: 'Audit' }]),
  listed: ruleSetOf(
    [
      {
        file: {
          matchDirectories: [
            { dir: '/' },
            ...['/usr/', '/etc/', '/proc/', '/dev/', '/sys/'].map((dir) => ({ dir, recursive: true })),
          ],
        },
        action: 'Allow',
      },
    ],
    { postures: { ...NO_POSTURES, file: 'block' } },
  ),
};

export default async function layers(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  node.kernel.activate();
  for (const [name, ruleSet] of Object.entries(RULES)) {
    node.limit(undefined);
    const container = await startRunc(`layers-${name}`, {
      beforeStart: (created) => node.protect(created, ruleSet, true),
    });
    node.events();
    const copies = [];
    for (const [path, operation] of COPIES) {
      const before = isAbove(container, path);
      const seen = await told(node, container, operation);
      copies.push({ before, ...seen, after: isAbove(container, path) });
    }
    const program = await told(node, container, ['exec', DYNAMIC_PROGRAM, '--help']);
    const after = await told(node, container, ['open', '/etc/group', 'w']);
    guest.report(`layers: ${name}`, { copies, program, after });
    if (name === 'refused') await refusedManyTimes(guest, node, container);
    if (name === 'watched') await watchedManyTimes(guest, node, container);
    await container.stop();
    node.forget(container);
  }
  node.detach();
}

/** Whether the layer of the container has something of that name: the file, or in its place that it is gone. */
function isAbove({ root }: RuncContainer, path: string): boolean {
  return existsSync(join(dirname(root ?? ''), 'upper', path));
}

async function told(node: EnforcingNode, container: RuncContainer, operation: Operation): Promise<object> {
  const before = node.kernel.counters();
  const { ret, error } = await container.do(...operation);
  const alerts = node.events().filter(isAlert);
  const { matched, auditEmitted } = node.kernel.counters();
  return {
    outcome: ret < 0 ? error : 'done',
    alerts: alerts.map((event) => `${event.operation} ${event.resource}`),
    counted: [Number(matched - before.matched), Number(auditEmitted - before.auditEmitted)],
  };
}

async function refusedManyTimes(guest: Guest, node: EnforcingNode, container: RuncContainer): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: 3600 });
  const before = node.kernel.counters();
  const outcomes = [];
  for (const operation of [
    ['become', DYNAMIC_PROGRAM] as const,
    ['rename', '/etc/group', '/tmp/group'] as const,
  ])
    outcomes.push((await container.do('hammer', TIMES.refused, ...operation)).failed);
  const after = node.kernel.counters();
  const of = (name: 'matched' | 'emitted' | 'lost' | 'dropped') => Number(after[name] - before[name]);
  const entry = node.kernel.throttleMap().find((one) => one.container === container.cgroup.id);
  guest.report('layers: refused many times', {
    outcomes,
    ...{ matched: of('matched'), emitted: of('emitted'), lost: of('lost'), dropped: of('dropped') },
    byOperation: entry?.intervals.map(({ droppedByOperation }) => droppedByOperation),
    alerts: node.events().filter(isAlert).length,
  });
}

async function watchedManyTimes(guest: Guest, node: EnforcingNode, container: RuncContainer): Promise<void> {
  const before = node.kernel.counters();
  const { good } = await container.do('hammer', TIMES.watched, 'exec', DYNAMIC_PROGRAM, '--help');
  let renamed = 0;
  for (let index = 0; index < TIMES.watched; index++) {
    const { ret } = await container.do('rename', `/etc/group${index || ''}`, `/etc/group${index + 1}`);
    if (ret === 0) renamed++;
  }
  const { auditEmitted, auditLost } = node.kernel.counters();
  guest.report('layers: watched many times', {
    ...{ good, renamed },
    emitted: Number(auditEmitted - before.auditEmitted),
    lost: Number(auditLost - before.auditLost),
    alerts: node
      .events()
      .filter(isAlert)
      .map((event) => event.operation),
  });
}
