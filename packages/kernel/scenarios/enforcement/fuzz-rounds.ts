// Random policies in a real kernel: each rule set is put in force for one container, whose processes then do many things in
// one go. What each came to, and all alerts in their order, has to be what the pure matcher says. Arguments: seed, rounds.
import { chmodSync, copyFileSync, linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  startContainer,
  type Container,
  type Guest,
  type Operation,
  type Workload,
} from '@alert-throttle/guest/inside';
import type { AlertEvent, RuleSetHandle } from '@alert-throttle/kernel';
import { compileRuleSet, parsePolicies, socketProtocols, type RuleSet } from '@alert-throttle/policy';
import { expectedOfFile, expectedOfValue, type Expected } from '../../src/fuzz/expected.ts';
import {
  ORDINARY,
  pathNear,
  randomOptions,
  randomPath,
  randomPolicies,
} from '../../src/fuzz/random-policies.ts';
import { Random } from '../../src/fuzz/random.ts';
import { EnforcingNode, isAlert } from './node.ts';

const WORKLOAD = '/w/.guest/bin/workload';
const DEPTH = 4;
const ROUNDS_OF_A_SET = 50;
/** As many operations as fit in one line to a workload. */
const ROUNDS_OF_A_LINE = 25;
const PROGRAMS = ['/usr/bin/x', '/usr/bin/y'] as const;
const USERS = [0, 1000] as const;

interface Args {
  readonly seed: number;
  readonly rounds: number;
}

interface Worker {
  readonly workload: Workload;
  readonly source: string;
  readonly uid: number;
}

interface Round {
  readonly operation: Operation;
  readonly expected: Expected;
}

export default async function fuzzRounds(guest: Guest): Promise<void> {
  const { seed, rounds } = guest.args as Args;
  const random = new Random(seed);
  const node = new EnforcingNode({ sizes: { rules: 4096, names: 16_384 } });
  node.limit(undefined);
  node.kernel.activate();
  const { container, workers } = await makeContainer();
  const tally = { rounds: 0, refused: 0, alerts: 0, sets: 0 };
  for (let old: RuleSetHandle | undefined; tally.rounds < rounds; tally.sets++) {
    const { ruleSet, paths, text } = randomSet(random);
    node.protect(container, ruleSet);
    if (old) node.kernel.removeRuleSet(old);
    old = node.handleOf(container);
    node.kernel.sweep();
    node.events();
    for (let done = 0; done < ROUNDS_OF_A_SET; done += ROUNDS_OF_A_LINE) {
      const worker = workers[random.below(workers.length)];
      if (!worker) throw new Error('nobody is there');
      const line = Array.from({ length: ROUNDS_OF_A_LINE }, () =>
        randomRound(random, ruleSet, paths, worker),
      );
      const problem = await tried(node, worker, line);
      if (problem !== undefined) {
        guest.report('problem', { ...tally, problem, text, rules: ruleSet.rules, posture: ruleSet.posture });
        throw new Error(`seed ${seed}, set ${tally.sets}: ${problem}`);
      }
      tally.rounds += line.length;
      tally.refused += line.filter(({ expected }) => expected.result !== 0).length;
      tally.alerts += line.reduce((sum, { expected }) => sum + expected.alerts.length, 0);
    }
  }
  guest.report('fuzz', tally);
  await container.stop();
  node.detach();
}

/** All paths of up to four of the names: folders, and at the bottom programs. */
async function makeContainer(): Promise<{ container: Container; workers: readonly Worker[] }> {
  const container = await startContainer('fuzz', {
    beforeStart: ({ root = '/nowhere' }) => {
      for (const program of PROGRAMS) {
        copyFileSync(WORKLOAD, join(root, program));
        chmodSync(join(root, program), 0o755);
      }
      const first = join(root, 'program');
      copyFileSync(WORKLOAD, first);
      chmodSync(first, 0o777);
      fill(root, first, DEPTH);
    },
  });
  const workers: Worker[] = [];
  for (const source of PROGRAMS)
    for (const uid of USERS)
      workers.push({ workload: await container.enter({ program: source, uid }), source, uid });
  return { container, workers };
}

function fill(folder: string, program: string, levels: number): void {
  for (const name of ORDINARY) {
    const path = join(folder, name);
    if (levels === 1) {
      linkSync(program, path);
    } else {
      mkdirSync(path);
      fill(path, program, levels - 1);
    }
  }
}

function randomSet(random: Random): { ruleSet: RuleSet; paths: readonly string[]; text: string } {
  const paths = random.list(2, 6, () => randomPath(random, ORDINARY));
  const text = randomPolicies(random, paths, ORDINARY).replaceAll('"/bin/', '"/usr/bin/');
  return {
    ruleSet: compileRuleSet(parsePolicies([{ file: 'fuzz.yaml', text }]), randomOptions(random)),
    paths,
    text,
  };
}

function randomRound(
  random: Random,
  ruleSet: RuleSet,
  paths: readonly string[],
  { source, uid }: Worker,
): Round {
  const near = pathNear(random, paths, ORDINARY)
    .split('/')
    .slice(1, DEPTH + 1);
  // Some rules are about deeper paths than there are.
  const parts = near.every((name) => (ORDINARY as readonly string[]).includes(name)) ? near : ['a'];
  const path = `/${parts.join('/')}`;
  const isFile = parts.length === DEPTH;
  const owner = uid === 0;
  const names = { first: path, second: undefined };
  const file = (write: boolean, operation: 'open' | 'chmod'): Expected =>
    expectedOfFile(ruleSet, operation, { kind: 'file', write, owner, source }, names);
  switch (random.below(10)) {
    case 0: {
      const socket = [random.pick([1, 2, 10, 16]), random.pick([1, 2]), 0] as const;
      const protocols = socketProtocols(...socket);
      return {
        operation: ['socket', ...socket],
        expected: expectedOfValue(ruleSet, 'socketCreate', { kind: 'network', protocols, source }),
      };
    }
    case 1:
      return { operation: ['chmod', path, '777'], expected: file(true, 'chmod') };
    case 2:
    case 3:
      if (!isFile) break;
      return {
        operation: ['exec', path],
        expected: expectedOfFile(ruleSet, 'exec', { kind: 'process', owner, source }, names),
      };
    case 4:
    case 5:
    case 6:
      if (!isFile) break;
      return { operation: ['open', path, 'w'], expected: file(true, 'open') };
  }
  return { operation: ['open', path, 'r'], expected: file(false, 'open') };
}

/** Undefined where all is as expected. */
async function tried(
  node: EnforcingNode,
  { workload, uid, source }: Worker,
  line: readonly Round[],
): Promise<string | undefined> {
  const replies = await workload.child(...line.map(({ operation }) => operation));
  for (const [i, { operation, expected }] of line.entries()) {
    const error = replies[i]?.error ?? 'no reply';
    const refused = error === 'EACCES';
    // Who does not own a file may not change its mode, rules or no rules; and not every family has all types of sockets.
    const otherwise = (operation[0] === 'chmod' && uid !== 0) || operation[0] === 'socket';
    const wrong = !refused && error !== '' && !otherwise;
    if (wrong || refused !== (expected.result !== 0))
      return `${operation.join(' ')} of ${source} as ${uid}: ${error}, not ${JSON.stringify(expected)}`;
  }
  const seen = node.events().filter(isAlert).map(shown);
  const wanted = line.flatMap(({ expected }) => expected.alerts.map(shown));
  const at = wanted.findIndex((alert, i) => alert !== seen[i]);
  if (at < 0 && seen.length === wanted.length) return undefined;
  return `alert ${at} of ${source} as ${uid}: ${seen[at] ?? 'none'}, not ${wanted[at] ?? 'one'}; ${seen.length} of ${wanted.length}`;
}

type Shown = Pick<AlertEvent, 'operation' | 'kind' | 'result' | 'rule' | 'resource'>;

function shown({ operation, kind, result, rule, resource }: Shown): string {
  // Sockets have texts of their own elsewhere.
  return [operation, kind, result, rule, kind === 'network' ? '' : resource].join(' ');
}
