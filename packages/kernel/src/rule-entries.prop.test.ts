// The entries say what the rules say: a reader of entries, as simple as the programs are, names the rule that the pure
// matcher names.
import { createHash } from 'node:crypto';
import {
  ACTIONS,
  capabilityNumber,
  compileRuleSet,
  components,
  KINDS,
  lastName,
  match,
  MATCHES,
  protocolNumber,
  type Access,
  type Match,
  type PolicyRule,
  type RuleSet,
} from '@alert-throttle/policy';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as layout from './layout.ts';
import { digestOf, entriesOf, type Hasher, type RuleEntry, type RuleSetEntries } from './rule-entries.ts';

function digest(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64LE(0);
}

const hasher: Hasher = {
  path: (path) => {
    const names = components(path);
    return { hash: digest(names.join('/')), depth: names.length };
  },
  name: (text) => digest(`name ${text}`),
};

const names = fc.constantFrom('etc', 'a', 'b', 'shadow');
const filePath = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const directory = fc
  .array(names, { maxLength: 3 })
  .map((parts) => (parts.length === 0 ? '/' : `/${parts.join('/')}/`));
const place = fc.oneof(
  fc.record({ kind: fc.constantFrom('process', 'file'), match: fc.constant('exact'), path: filePath }),
  fc.record({ kind: fc.constant('process'), match: fc.constant('execname'), path: names }),
  fc.record({
    kind: fc.constantFrom('process', 'file'),
    match: fc.constantFrom('dir', 'dirRecursive'),
    path: directory,
  }),
  fc.record({
    kind: fc.constant('network'),
    match: fc.constant('protocol'),
    path: fc.constantFrom('tcp', 'all'),
  }),
  fc.record({
    kind: fc.constant('capability'),
    match: fc.constant('capability'),
    path: fc.constantFrom('chown', 'bpf'),
  }),
) as fc.Arbitrary<Pick<PolicyRule, 'kind' | 'match' | 'path'>>;

const rule: fc.Arbitrary<PolicyRule> = fc
  .tuple(
    place,
    fc.option(filePath, { nil: undefined }),
    fc.constantFrom(...ACTIONS),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([where, source, action, readOnly, ownerOnly]) => ({
    ...where,
    ...(source === undefined ? {} : { source }),
    action,
    readOnly: readOnly && where.kind === 'file',
    ownerOnly: ownerOnly && (where.kind === 'file' || where.kind === 'process'),
    severity: '5',
    tags: [],
    message: '',
  }));

const ruleSet: fc.Arbitrary<RuleSet> = fc
  .tuple(fc.array(rule, { maxLength: 12 }), fc.constantFrom('audit' as const, 'block' as const), fc.boolean())
  .map(([rules, posture, audited]) =>
    compileRuleSet(
      [
        {
          name: 'policy',
          namespace: 'default',
          selector: { labels: new Map(), anyOf: [], noneOf: [], containers: [] },
          rules,
        },
      ],
      { postures: { process: posture, file: posture, network: posture, capability: posture }, audited },
    ),
  );

const sourced = { source: fc.option(filePath, { nil: undefined }) };
const access = fc
  .oneof(
    fc.record({ kind: fc.constant('process'), path: filePath, owner: fc.boolean(), ...sourced }),
    fc.record({
      kind: fc.constant('file'),
      path: fc.oneof(filePath, fc.constant('/')),
      write: fc.boolean(),
      owner: fc.boolean(),
      ...sourced,
    }),
    fc.record({ kind: fc.constant('network'), protocols: fc.constant(['all', 'tcp']), ...sourced }),
    fc.record({ kind: fc.constant('capability'), capability: fc.constantFrom('chown', 'bpf'), ...sourced }),
  )
  .map(({ source, ...rest }) => ({
    ...rest,
    ...(source === undefined ? {} : { source }),
  })) as fc.Arbitrary<Access>;

/** The number of the rule that decides, 0: none. */
function decide({ rules, value }: RuleSetEntries, asked: Access): number {
  const kind = KINDS.indexOf(asked.kind);
  const features = value.features[kind] ?? 0;
  const find = (how: Match, hash: bigint, depth: number, sourceHash: bigint): RuleEntry | undefined =>
    rules.find(
      (entry) =>
        entry.kind === kind &&
        entry.match === MATCHES.indexOf(how) &&
        entry.hash === hash &&
        entry.depth === depth &&
        entry.sourceHash === sourceHash,
    );
  const sources = [
    ...(asked.source !== undefined && (features & layout.HAS.source) !== 0
      ? [hasher.path(asked.source).hash || 1n]
      : []),
    ...((features & layout.HAS.noSource) === 0 ? [] : [0n]),
  ];
  for (const source of sources)
    for (const rank of ranks(asked, value, source !== 0n)) {
      const entries = rank.map(([how, hash, depth]) => find(how, hash, depth, source));
      const number = best(entries, asked);
      if (number !== 0) return number;
    }
  return 0;
}

type Key = readonly [Match, bigint, number];

function ranks(asked: Access, value: layout.RuleSetValue, withSource: boolean): readonly (readonly Key[])[] {
  if (asked.kind === 'network')
    return [
      [...asked.protocols.filter((name) => name !== 'all'), 'all' as const].map((name): Key => [
        'protocol',
        BigInt(protocolNumber(name)),
        0,
      ]),
    ];
  if (asked.kind === 'capability') return [[['capability', BigInt(capabilityNumber(asked.capability)), 0]]];
  const { hash, depth } = hasher.path(asked.path);
  const depths = value.dir_depths[asked.kind === 'process' ? 0 : 1]?.[withSource ? 1 : 0] ?? [];
  const at = (level: number): readonly (readonly Key[])[] => {
    const word = depths[Math.floor(level / 64)] ?? 0n;
    if (((word >> BigInt(level % 64)) & 1n) === 0n) return [];
    const ancestor = hasher.path(`/${components(asked.path).slice(0, level).join('/')}`).hash;
    const recursive: Key = ['dirRecursive', ancestor, level];
    return [depth - level <= 1 ? [['dir', ancestor, level], recursive] : [recursive]];
  };
  return [
    [['exact', hash, depth]],
    ...(asked.kind === 'process' ? [[['execname', hasher.name(lastName(asked.path)), 0] as const]] : []),
    ...Array.from({ length: depth + 1 }, (_, i) => at(depth - i)).flat(),
  ];
}

/** By action, then by entry, then by conditions, as the programs look. */
function best(entries: readonly (RuleEntry | undefined)[], asked: Access): number {
  const write = asked.kind === 'file' && asked.write;
  const owner = asked.kind === 'file' || asked.kind === 'process' ? asked.owner : true;
  for (const [action] of ACTIONS.entries())
    for (const entry of entries)
      for (let conditions = 0; conditions < 4; conditions++) {
        const number = entry?.rules[action]?.[conditions] ?? 0;
        const readOnly = (conditions & layout.COND_READ_ONLY) !== 0;
        const ownerOnly = (conditions & layout.COND_OWNER_ONLY) !== 0;
        const inside = (!readOnly || !write) && (!ownerOnly || owner);
        const applies = ACTIONS[action] === 'Allow' ? inside : conditions === 0 || !inside;
        if (number !== 0 && applies) return number;
      }
  return 0;
}

describe('entries of a rule set', () => {
  test('name the rule that the pure matcher names', () => {
    fc.assert(
      fc.property(ruleSet, fc.array(access, { maxLength: 10 }), (rules, accesses) => {
        const entries = entriesOf(rules, hasher);
        for (const asked of accesses)
          expect(decide(entries, asked)).toBe(match(rules, asked).rule?.number ?? 0);
      }),
      { numRuns: 500 },
    );
  });

  test('have one digest in any order, and another one when a rule is missing', () => {
    fc.assert(
      fc.property(ruleSet, (rules) => {
        const entries = entriesOf(rules, hasher);
        const { value } = entries;
        const turned = { value, rules: entries.rules.toReversed(), hints: entries.hints.toReversed() };
        expect(digestOf(turned)).toBe(digestOf(entries));
        if (entries.rules.length > 0)
          expect(digestOf({ ...entries, rules: entries.rules.slice(1) })).not.toBe(digestOf(entries));
        if (entries.hints.length > 0)
          expect(digestOf({ ...entries, hints: entries.hints.slice(1) })).not.toBe(digestOf(entries));
      }),
    );
  });

  test('protect the ancestors of what Block rules name, and nothing else', () => {
    const block: PolicyRule = {
      kind: 'file',
      match: 'exact',
      path: '/etc/keys/host',
      action: 'Block',
      readOnly: false,
      ownerOnly: false,
      severity: '5',
      tags: [],
      message: '',
    };
    const compile = (rules: readonly PolicyRule[]) =>
      entriesOf(
        compileRuleSet(
          [
            {
              name: 'policy',
              namespace: 'default',
              selector: { labels: new Map(), anyOf: [], noneOf: [], containers: [] },
              rules,
            },
          ],
          {
            postures: { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' },
            audited: false,
          },
        ),
        hasher,
      );
    const entries = compile([block]);
    expect(entries.hints.map(({ names }) => names)).toEqual([['etc', 'keys'], ['etc']]);
    expect(entries.value.hints).toBe(1);
    expect(compile([{ ...block, action: 'Audit' }])).toMatchObject({ hints: [], value: { hints: 0 } });
    expect(compile([{ ...block, path: '/secret' }])).toMatchObject({ hints: [], value: { hints: 1 } });
  });
});
