// What a profile allows, asked of the automaton that the kernel would be given, against the verdict of the rules that it
// was made of: for rules that meet each other, and for names full of what the language of profiles has a meaning for.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CAPABILITIES,
  capabilityNumber,
  compileRuleSet,
  match,
  PROTOCOLS,
  type Policy,
  type PolicyRule,
  type RuleSet,
} from '@alert-throttle/policy';
import { inexpressible } from './expressible.ts';
import { compileProfile } from './parser.ts';
import { profileOf } from './profile.ts';
import { SOCKETS } from './sockets.ts';
import { CompiledProfile } from './testing/compiled-profile.ts';

const RUNS = 40;

const signs = [
  '*',
  '**',
  '?',
  '[ab]',
  '[^a]',
  '{a,b}',
  '{,a}',
  '"',
  "'",
  ' ',
  '\n',
  '\t',
  '\\',
  '\\n',
  '\\*',
  '^',
];
const others = [
  '@{HOME}',
  '#',
  ',',
  ';',
  '$',
  '|',
  '(',
  ')',
  '<',
  '>',
  '=',
  '!',
  '%',
  '&',
  '\u00e4',
  '\u{1f600}',
];
const name = fc
  .array(fc.constantFrom('a', 'b', ...signs, ...others, '\u0001', '\u007f', ' r,', '-> x'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''))
  .filter((text) => text !== '.' && text !== '..');
const file = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const directory = fc
  .array(name, { maxLength: 2 })
  .map((names) => `${names.map((one) => `/${one}`).join('')}/`);

const plain = { severity: fc.constant('1'), tags: fc.constant([]), message: fc.constant('') };
const action = fc.constantFrom('Block' as const, 'Block' as const, 'Audit' as const, 'Allow' as const);
const onPath = fc.oneof(
  fc.record({ match: fc.constant('exact' as const), path: file }),
  fc.record({ match: fc.constantFrom('dir' as const, 'dirRecursive' as const), path: directory }),
);
const narrowed = { readOnly: fc.boolean(), ownerOnly: fc.boolean() };
const whole = { readOnly: fc.constant(false), ownerOnly: fc.constant(false) };
const anyRule: fc.Arbitrary<PolicyRule> = fc
  .oneof(
    fc.tuple(onPath, fc.record({ kind: fc.constant('file' as const), action, ...narrowed, ...plain })),
    fc.tuple(
      fc.oneof(onPath, fc.record({ match: fc.constant('execname' as const), path: name })),
      fc.record({
        kind: fc.constant('process' as const),
        action,
        ...whole,
        ownerOnly: fc.boolean(),
        ...plain,
      }),
    ),
    fc.tuple(
      fc.record({ match: fc.constant('protocol' as const), path: fc.constantFrom(...PROTOCOLS) }),
      fc.record({ kind: fc.constant('network' as const), action, ...whole, ...plain }),
    ),
    fc.tuple(
      fc.record({ match: fc.constant('capability' as const), path: fc.constantFrom(...CAPABILITIES) }),
      fc.record({ kind: fc.constant('capability' as const), action, ...whole, ...plain }),
    ),
  )
  .map(([target, rest]) => ({ ...target, ...rest }));

const posture = fc.constantFrom('audit' as const, 'block' as const);
const anyRuleSet = fc
  .record({
    rules: fc.array(anyRule, { minLength: 1, maxLength: 6 }),
    postures: fc.record({ process: posture, file: posture, network: posture, capability: posture }),
  })
  .map(({ rules, postures }) => {
    const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };
    const policy: Policy = { name: 'p', namespace: 'n', selector, rules };
    return compileRuleSet([policy], { postures, audited: false });
  });

/** The paths of the rules, what lies around them, and what a pattern in them would reach. */
function pathsAround(ruleSet: RuleSet, more: readonly string[]): Set<string> {
  const found = new Set(more);
  for (const { path, match: how } of ruleSet.rules) {
    if (how === 'protocol' || how === 'capability') continue;
    const base = how === 'execname' ? `/${path}` : path.replace(/\/$/, '');
    for (const one of [base, `${base}/a`, `${base}/a/b`, `${base}x`, `/a${base}`]) found.add(one);
    found.add(base.replaceAll(/[*?^\\"'{}[\],@]/g, 'a'));
    found.add(base.replaceAll('\\', ''));
    found.add(base.replaceAll(/[ \n\t].*$/g, ''));
    if (base.includes('/')) found.add(base.slice(0, base.lastIndexOf('/')));
  }
  found.delete('');
  return found;
}

const isPath = (path: string): boolean =>
  path.startsWith('/') && !path.includes('//') && (path === '/' || !path.endsWith('/'));

describe('a profile', () => {
  it('refuses what the rules refuse, and nothing else', () => {
    fc.assert(
      fc.property(anyRuleSet, fc.array(file, { minLength: 3, maxLength: 10 }), (ruleSet, more) => {
        fc.pre(inexpressible(ruleSet).length === 0);
        const profile = new CompiledProfile(compileProfile(profileOf(ruleSet, { name: 'x' })));
        for (const path of pathsAround(ruleSet, more))
          if (isPath(path)) for (const owner of [true, false]) comparePath(ruleSet, profile, path, owner);
        for (const { family, type, protocols } of SOCKETS) {
          if (family === 99) continue;
          const refused = match(ruleSet, { kind: 'network', protocols }).result === 'block';
          expect(profile.allowsSocket(family, type), `socket ${family} ${type}`).toBe(!refused);
        }
        for (const capability of CAPABILITIES) {
          const refused = match(ruleSet, { kind: 'capability', capability }).result === 'block';
          expect(profile.allowsCapability(capabilityNumber(capability)), capability).toBe(!refused);
        }
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});

function comparePath(ruleSet: RuleSet, profile: CompiledProfile, path: string, owner: boolean): void {
  const reads = match(ruleSet, { kind: 'file', path, write: false, owner }).result !== 'block';
  const writes = match(ruleSet, { kind: 'file', path, write: true, owner }).result !== 'block';
  const runs = match(ruleSet, { kind: 'process', path, owner }).result !== 'block';
  // As a file, and as a directory.
  for (const spelt of path === '/' ? ['/'] : [path, `${path}/`]) {
    const what = `${JSON.stringify(spelt)}, owner ${String(owner)}`;
    expect(profile.allows(spelt, 'r', owner), `read ${what}`).toBe(reads);
    expect(profile.allows(spelt, 'w', owner), `write ${what}`).toBe(writes);
  }
  // A directory is not executed, and the root is one.
  if (path === '/') return;
  expect(profile.allows(path, 'x', owner), `execute ${path}`).toBe(runs);
  expect(profile.allowsLink(path, '/tmp/x', owner), `link at ${path}`).toBe(writes);
}
