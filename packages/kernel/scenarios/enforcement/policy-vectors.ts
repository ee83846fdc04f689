// The conformance vectors of the verdict, carried out in containers: what each step came to, and which alerts it raised.
// Arguments: beginnings of names of groups; all of them without.
import { writeFileSync } from 'node:fs';
import { policiesFor, compileRuleSet, type RuleSet } from '@alert-throttle/policy';
import {
  operationOf,
  policiesOf,
  posturesOf,
  vectorGroups,
  type PolicyVector,
  type VectorStep,
} from '@alert-throttle/policy/vectors';
import {
  startContainer,
  type Container,
  type Guest,
  type Operation,
  type Reply,
  type Workload,
} from '@alert-throttle/guest/inside';
import { EnforcingNode, isAlert } from './node.ts';
import { makeStage, type Stage } from './stage.ts';

/** The longest name of a vector is longer than a folder's name may be. */
let vectorsRun = 0;
let nextPort = 20_000;

export default async function policyVectors(guest: Guest): Promise<void> {
  await runVectors(guest, new EnforcingNode());
}

export async function runVectors(guest: Guest, node: EnforcingNode): Promise<void> {
  // Else nobody may make the sockets of ping.
  writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
  node.limit(undefined);
  node.kernel.activate();
  guest.report('programs', { programs: node.kernel.programs() });
  const wanted = guest.args === null ? [''] : (guest.args as string[]);
  for (const group of vectorGroups.filter(({ name }) => wanted.some((begin) => name.startsWith(begin))))
    for (const vector of group.vectors)
      guest.report('vector', {
        group: group.name,
        vector: vector.name,
        ...(await runVector(node, vector)),
      });
  node.detach();
}

interface Actor {
  readonly container: Container;
  readonly stage: Stage;
  /** Processes by program and user; they run since before there were policies. */
  readonly workers: ReadonlyMap<string, Pick<Workload, 'do' | 'child'>>;
}

async function runVector(node: EnforcingNode, vector: PolicyVector): Promise<object> {
  const refusals = Object.keys(vector.containers).flatMap((name) => {
    const ruleSet = ruleSetFor(vector, name);
    return ruleSet === undefined ? [] : node.refusals(ruleSet);
  });
  if (refusals.length > 0) return { refusals, steps: [] };
  const actors = new Map<string, Actor>();
  const number = vectorsRun++;
  for (const [name] of Object.entries(vector.containers))
    actors.set(
      name,
      await makeActor(
        node,
        `${number}-${name}`,
        vector.steps.filter((step) => step.container === name),
      ),
    );
  const prepared = [];
  for (const step of vector.steps) prepared.push(await prepare(step, actorOf(actors, step)));

  for (const [name, { container }] of actors) {
    const ruleSet = ruleSetFor(vector, name);
    if (ruleSet === undefined) node.watch(container);
    else node.protect(container, ruleSet);
  }
  node.events();
  const steps: object[] = [];
  for (const [index, step] of vector.steps.entries()) {
    const { stage } = actorOf(actors, step);
    const operation = prepared[index] ?? operationFor(step, stage);
    const [reply] = await workerOf(actorOf(actors, step), step).child(operation);
    const alerts = node.events().filter(isAlert);
    steps.push({ ...outcome(reply), alerts: alerts.map((alert) => node.describe(alert)) });
  }
  for (const { container, stage } of actors.values()) {
    await container.stop();
    node.forget(container);
    await stage.remove();
  }
  node.kernel.sweep();
  return { steps };
}

function outcome(reply: Reply | undefined): { ret: number | undefined; error: string | undefined } {
  return { ret: reply?.ret, error: reply?.error };
}

function ruleSetFor(vector: PolicyVector, name: string): RuleSet | undefined {
  const container = vector.containers[name];
  if (container === undefined) throw new Error(`no such container: ${name}`);
  const policies = policiesFor(policiesOf(vector), container);
  const options = { postures: posturesOf(vector), audited: vector.audited };
  return policies.length === 0 ? undefined : compileRuleSet(policies, options);
}

function actorOf(actors: ReadonlyMap<string, Actor>, step: VectorStep): Actor {
  const actor = actors.get(step.container);
  if (actor === undefined) throw new Error(`no such container: ${step.container}`);
  return actor;
}

const FIRST = '/bin/worker 0';

async function makeActor(node: EnforcingNode, name: string, steps: readonly VectorStep[]): Promise<Actor> {
  const stage = await makeStage(name);
  const root = { folder: stage.folder };
  const container = await startContainer(name, {
    ...{ root, program: '/bin/worker' },
    ...node.startOptions(name),
  });
  const workers = new Map<string, Pick<Workload, 'do' | 'child'>>([[FIRST, container]]);
  for (const { source, uid } of steps) {
    const key = `${source} ${uid}`;
    if (!workers.has(key)) workers.set(key, await container.enter({ program: source, uid }));
  }
  return { container, stage, workers };
}

function workerOf({ workers }: Actor, { source, uid }: VectorStep): Pick<Workload, 'do' | 'child'> {
  const worker = workers.get(`${source} ${uid}`);
  if (worker === undefined) throw new Error(`nobody runs ${source} as ${uid}`);
  return worker;
}

/** What has to exist before there are policies: sockets. The operation on them, where there is one. */
async function prepare(step: VectorStep, actor: Actor): Promise<Operation | undefined> {
  if (step.do !== 'connect' && step.do !== 'accept') return undefined;
  const operation = operationOf(step);
  if (!('family' in operation)) throw new Error(`no socket in ${JSON.stringify(step)}`);
  const worker = workerOf(actor, step);
  const make = async (): Promise<number> => {
    const { ret } = await worker.do('fd_socket', operation.family, operation.type, operation.protocol);
    if (ret < 0) throw new Error(`no socket for ${JSON.stringify(step)}`);
    return ret;
  };
  const port = nextPort++;
  const address = step.family === 'unix' ? `/tmp/socket-${port}` : '127.0.0.1';
  const listener = await make();
  await worker.do('fd_bind', listener, address, port);
  if (operation.type !== 2) await worker.do('fd_listen_on', listener);
  const other = await make();
  if (step.do === 'connect') return ['fd_connect', other, address, port];
  // It is accepted by the kernel already, and waits to be fetched.
  await worker.do('fd_connect', other, address, port);
  return ['fd_accept', listener];
}

function operationFor(step: VectorStep, stage: Stage): Operation {
  switch (step.do) {
    case 'open':
      return ['open', step.path, step.flags];
    case 'rename':
    case 'link':
      return [step.do, step.from, step.to];
    case 'symlink':
      return ['symlink', '/nowhere', step.path];
    case 'chmod':
      return ['chmod', step.path, stage.modeOf(step.path).toString(8)];
    case 'chown':
      return ['chown', step.path, stage.ownerOf(step.path), -1];
    case 'truncate':
      return ['truncate', step.path, 0];
    case 'exec':
    case 'create':
    case 'unlink':
    case 'mkdir':
    case 'rmdir':
      return [step.do, step.path];
    case 'capability':
      return ['capability', step.capability];
    default: {
      const operation = operationOf(step);
      if (!('family' in operation)) throw new Error(`no socket in ${JSON.stringify(step)}`);
      return ['socket', operation.family, operation.type, operation.protocol];
    }
  }
}
