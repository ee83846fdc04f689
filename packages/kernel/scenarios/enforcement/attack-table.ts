// Carries out the attacks of attack-list.ts: each in a process of its own that came into the container, as root and as uid
// 1000, in a container made of namespaces and in one of runc. Argument: which kind of container.
import { dirname } from 'node:path';
import {
  startContainer,
  startRunc,
  type Container,
  type Guest,
  type Operation,
  type Reply,
  type Workload,
} from '@alert-throttle/guest/inside';
import {
  ATTACKS,
  DEEPEST,
  FILES,
  LONGEST,
  SECRET,
  SPEC,
  TOO_DEEP_FOLDER,
  type Attack,
} from './attack-list.ts';
import { EnforcingNode, isAlert, ruleSetOf } from './node.ts';

export type Kind = 'namespaces' | 'runc';

export default async function attackTable(guest: Guest): Promise<void> {
  await runAttacks(guest, new EnforcingNode(), { spec: SPEC, attacks: ATTACKS });
}

export interface Table {
  /** Of the policy that is attacked. */
  readonly spec: object;
  readonly attacks: readonly Attack[];
  /** Those that leave nothing in its place. */
  readonly last?: readonly Attack[];
}

export async function runAttacks(
  guest: Guest,
  node: EnforcingNode,
  { spec, attacks, last = [] }: Table,
): Promise<void> {
  const kind = guest.args as Kind;
  node.limit(undefined);
  node.kernel.activate();
  const start = kind === 'runc' ? startRunc : startContainer;
  const container = await start('target', { files: FILES, ...node.startOptions('target') });
  await makeDeepFiles(container);
  const before = await descriptorsOfBefore(container);
  node.protect(container, ruleSetOf([spec]));
  const tryAll = async (some: readonly Attack[]): Promise<void> => {
    for (const attack of some)
      for (const uid of [0, 1000]) guest.report('attack', await tried(node, container, attack, uid));
  };
  await tryAll(attacks);
  guest.report('known to be open', await knownOpen(container, before));
  guest.report('files at the end', { config: (await container.do('read', '/etc/config')).data });
  await tryAll(last);
  await container.stop();
  node.forget(container);
  node.detach();
}

async function tried(
  node: EnforcingNode,
  container: Container,
  { name, operations }: Attack,
  uid: number,
): Promise<Record<string, unknown>> {
  const process = await container.enter({ uid });
  node.events();
  const replies: Reply[] = [];
  for (const operation of operations) replies.push(await process.do(...filledIn(operation, replies)));
  const alerts = node.events().filter(isAlert);
  process.process.kill('SIGKILL');
  return {
    ...{ name, uid },
    results: replies.map(resultOf),
    secret: replies.some(({ data }) => data?.includes(SECRET) === true),
    refusals: alerts.filter(({ result }) => result < 0).length,
    passed: alerts.filter(({ result }) => result >= 0).length,
    unreachable: alerts.filter(({ flags }) => flags.unreachable).length,
  };
}

/** `$n` is what operation number n came to. */
function filledIn([name, ...args]: Operation, replies: readonly Reply[]): Operation {
  return [
    name,
    ...args.map((word) => {
      const number = /^\$(\d+)$/.exec(String(word))?.[1];
      return number === undefined ? word : (replies[Number(number)]?.ret ?? -1);
    }),
  ];
}

function resultOf({ ret, error, status }: Reply): string {
  if (ret < 0) return error;
  return status === undefined || status === 0 ? 'done' : `status ${status}`;
}

/** Deeper than the root of the container could be filled from outside, where its folder comes before the paths. */
async function makeDeepFiles(container: Container): Promise<void> {
  const make = async (folder: string, name: string): Promise<void> => {
    const process = await container.enter();
    await process.do('chdir', '/');
    for (const part of folder.split('/').slice(1)) {
      await process.do('mkdir', part);
      await process.do('chdir', part);
    }
    await process.do('create', name);
    await process.do('write', name, SECRET);
    process.process.kill('SIGKILL');
  };
  await make(dirname(DEEPEST), 'key');
  await make(dirname(LONGEST), LONGEST.slice(LONGEST.lastIndexOf('/') + 1));
  await make(TOO_DEEP_FOLDER, 'key');
}

interface Before {
  readonly process: Workload;
  readonly descriptor: number;
}

async function descriptorsOfBefore(container: Container): Promise<Before> {
  const process = await container.enter();
  const { ret } = await process.do('fd_open', '/etc/secret', 'r');
  const copy = await process.do('memfd', '/etc/secret');
  if (ret < 0 || copy.ret < 0) throw new Error('the secret cannot be read before there are rules');
  await process.do('create', '/tmp/copy');
  await process.do('write', '/tmp/copy', SECRET);
  return { process, descriptor: ret };
}

/** What rules about names cannot keep away. The documentation says so; here it is seen to be true. */
async function knownOpen(
  container: Container,
  { process, descriptor }: Before,
): Promise<Record<string, unknown>> {
  const reads = async (...operation: Operation): Promise<boolean> =>
    (await process.do(...operation)).data?.includes(SECRET) === true;
  const found = {
    'descriptor of before': await reads('fd_read', descriptor),
    copy: await reads('read', '/tmp/copy'),
  };
  process.process.kill('SIGKILL');
  return found;
}
