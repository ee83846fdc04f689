// Policies and accesses for property tests: few names, so that rules meet each other and the accesses.
import fc from 'fast-check';
import type { Access } from '../match.ts';
import { PROTOCOLS, type Capability } from '../names.ts';
import { socketProtocols } from '../sockets.ts';
import { ACTIONS, type Match, type Policy, type PolicyRule } from '../types.ts';
import type { CompileOptions } from '../compile.ts';

const name = fc.constantFrom('a', 'b', 'ab');
const names = fc.array(name, { minLength: 1, maxLength: 4 });
export const anyFile = names.map((parts) => `/${parts.join('/')}`);
const anyDirectory = fc
  .array(name, { maxLength: 3 })
  .map((parts) => parts.map((part) => `/${part}`).join('') + '/');
const anyExecutable = fc.constantFrom('/bin/x', '/bin/y');
const anyCapability = fc.constantFrom<Capability>('chown', 'net_raw', 'sys_admin');

const about = {
  source: fc.option(anyExecutable, { nil: undefined, freq: 2 }),
  action: fc.constantFrom(...ACTIONS),
  severity: fc.constantFrom('1', '5', '10'),
  tags: fc.subarray(['x', 'y']),
  message: fc.constantFrom('', 'why'),
};

const whole = { readOnly: fc.constant(false), ownerOnly: fc.constant(false) };
interface Target {
  readonly match: fc.Arbitrary<Match>;
  readonly path: fc.Arbitrary<string>;
}

const onPath: Target = { match: fc.constant('exact'), path: anyFile };
const onDirectory: Target = { match: fc.constantFrom('dir', 'dirRecursive'), path: anyDirectory };
const onName: Target = { match: fc.constant('execname'), path: name };

const anyWrittenRule = fc.oneof(
  ...[onPath, onDirectory, onName].map((target) =>
    fc.record({
      kind: fc.constant('process' as const),
      ...target,
      ...about,
      ...whole,
      ownerOnly: fc.boolean(),
    }),
  ),
  ...[onPath, onDirectory].map((target) =>
    fc.record({
      kind: fc.constant('file' as const),
      ...target,
      ...about,
      readOnly: fc.boolean(),
      ownerOnly: fc.boolean(),
    }),
  ),
  fc.record({
    kind: fc.constant('network' as const),
    match: fc.constant('protocol' as const),
    path: fc.constantFrom(...PROTOCOLS),
    ...about,
    ...whole,
  }),
  fc.record({
    kind: fc.constant('capability' as const),
    match: fc.constant('capability' as const),
    path: anyCapability,
    ...about,
    ...whole,
  }),
);

export const anyRule: fc.Arbitrary<PolicyRule> = anyWrittenRule.map(({ source, ...rule }) =>
  source === undefined ? rule : { ...rule, source },
);

export function policy(policyName: string, rules: readonly PolicyRule[]): Policy {
  const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };
  return { name: policyName, namespace: 'space', selector, rules };
}

export const anyPolicies: fc.Arbitrary<Policy[]> = fc
  .array(fc.array(anyRule, { maxLength: 8 }), { maxLength: 4 })
  .map((policies) => policies.map((rules, i) => policy(`policy-${i}`, rules)));

const anyPosture = fc.constantFrom('audit' as const, 'block' as const);
export const anyOptions: fc.Arbitrary<CompileOptions> = fc.record({
  postures: fc.record({ process: anyPosture, file: anyPosture, network: anyPosture, capability: anyPosture }),
  audited: fc.boolean(),
});

const anySocket = fc
  .tuple(
    fc.constantFrom(1, 2, 10, 16, 17, 43),
    fc.integer({ min: 1, max: 10 }),
    fc.constantFrom(0, 1, 6, 17, 33, 58, 132, 262),
  )
  .map((socket) => socketProtocols(...socket));

const anyWrittenAccess = fc.oneof(
  fc.record({ kind: fc.constant('process' as const), path: anyFile, owner: fc.boolean() }),
  fc.record({
    kind: fc.constant('file' as const),
    path: fc.oneof({ weight: 9, arbitrary: anyFile }, { weight: 1, arbitrary: fc.constant('/') }),
    write: fc.boolean(),
    owner: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('network' as const), protocols: anySocket }),
  fc.record({ kind: fc.constant('capability' as const), capability: anyCapability }),
);

export const anyAccess: fc.Arbitrary<Access> = fc
  .tuple(anyWrittenAccess, fc.option(anyExecutable, { nil: undefined }))
  .map(([access, source]) => (source === undefined ? access : { ...access, source }));
