/**
 * Policies as text, compiled and put into maps by the code that the producer runs, and accesses judged by the BPF programs
 * themselves, compiled for the host under the sanitizers; held against the pure matcher. FUZZ_ROUNDS accesses.
 */
import { compileRuleSet, parsePolicies } from '@alert-throttle/policy';
import { afterAll, describe, expect, it } from 'vitest';
import { buildHostPrograms, HostNode, type HostResult } from './host-programs.ts';
import { namesFor, randomOptions, randomPath, randomPolicies } from './random-policies.ts';
import { Random, roundsOfRun, seedOfRun } from './random.ts';
import { problemOf, randomRound, type Round, type World } from './rounds.ts';

const ROUNDS = roundsOfRun('FUZZ_ROUNDS', 100_000);
const ROUNDS_OF_A_SET = 25;
const SETS_OF_A_NODE = 40;
/** Rule sets that are in the maps at once: one must not be seen through another. */
const SETS_AT_ONCE = 5;

const built = buildHostPrograms();
afterAll(() => built?.remove());
const program = built?.program ?? '';
const title = built ? '' : ' (skipped: no C compiler here)';

function randomWorld(random: Random): World & { readonly text: string } {
  const names = namesFor(random);
  const paths = random.list(2, 6, () => randomPath(random, names));
  const text = randomPolicies(random, paths, names);
  const policies = parsePolicies([{ file: 'fuzz.yaml', text }]);
  const ruleSet = compileRuleSet(policies, randomOptions(random));
  return { random, paths, names, ruleSet, text };
}

function secretOf(random: Random): [bigint, bigint] {
  const bytes = random.bytes(16);
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)];
}

describe.skipIf(!built)(`the programs on the host${title}`, { timeout: 1_200_000 }, () => {
  const seed = seedOfRun();

  it(`decide as the matcher, in ${ROUNDS} rounds`, async () => {
    const tally: Tally = { refused: 0, audited: 0, passed: 0, raced: 0 };
    const perNode = ROUNDS_OF_A_SET * SETS_OF_A_NODE;
    // While the programs of one node run, the next one is made up.
    let before: Promise<void> = Promise.resolve();
    for (let node = 0; node * perNode < ROUNDS; node++) {
      const { host, made } = roundsOfNode(
        new Random(seed + node),
        Math.min(perNode, ROUNDS - node * perNode),
      );
      await before;
      before = host.run(program).then((results) => {
        check(`seed ${seed}, node ${node}`, made, results, tally);
      });
    }
    await before;
    console.log(JSON.stringify(tally));
    expect(Math.min(...Object.values(tally))).toBeGreaterThan(ROUNDS / 100);
  });
});

type Tally = Record<'refused' | 'audited' | 'passed' | 'raced', number>;

interface Made {
  readonly round: Round;
  readonly text: string;
}

function check(where: string, made: readonly Made[], results: readonly HostResult[], tally: Tally): void {
  for (const [i, { round, text }] of made.entries()) {
    const result = results[i];
    if (!result) throw new Error('a round without a result');
    const problem = problemOf(round, result);
    if (problem !== undefined) expect.fail(`${where}, round ${i}: ${problem}\n${show(text, round, result)}`);
    count(tally, round, result.result);
  }
}

interface Installed {
  readonly world: ReturnType<typeof randomWorld>;
  readonly number: number;
  readonly remove: () => void;
}

function roundsOfNode(
  random: Random,
  most: number,
): { readonly host: HostNode; readonly made: readonly Made[] } {
  const host = new HostNode(secretOf(random));
  const installed: Installed[] = [];
  const made: Made[] = [];
  while (made.length < most) {
    const world = randomWorld(random);
    const handle = host.ruleSets.install(world.ruleSet);
    const { number } = handle;
    const remove = (): void => {
      host.ruleSets.release(handle);
      if (host.ruleSets.unused(new Set()).includes(number)) host.ruleSets.erase(number);
    };
    installed.push({ world, number, remove });
    if (installed.length > SETS_AT_ONCE) installed.splice(random.below(installed.length), 1)[0]?.remove();
    for (let i = 0; i < ROUNDS_OF_A_SET && made.length < most; i++) {
      const judged = installed[random.below(installed.length)] ?? { world, number };
      const round = randomRound(judged.world);
      host.use(judged.number, round.root);
      host.access(round.access);
      made.push({ round, text: judged.world.text });
    }
  }
  return { host, made };
}

function count(tally: Tally, { access, expected }: Round, result: number): void {
  if (access.renames) tally.raced++;
  if (result !== 0) tally.refused++;
  else if ((expected[0]?.alerts.length ?? 0) > 0) tally.audited++;
  else tally.passed++;
}

function show(text: string, { access, ruleSet, root, expected }: Round, result: HostResult): string {
  const { posture, audited, rules } = ruleSet;
  const lines = rules.map(
    ({ number, kind, match, path, action, source, readOnly, ownerOnly }) =>
      `${number} ${kind} ${match} ${path} ${action} ${source ?? ''} ${readOnly ? 'readOnly' : ''} ${ownerOnly ? 'ownerOnly' : ''}`,
  );
  const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
  const all = { posture, audited, access, root, expected, result };
  return [text, ...lines, JSON.stringify(all, plain, 1)].join('\n');
}
