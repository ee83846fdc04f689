// Policies as text and paths that meet them: few names, so that rules meet each other; and names and depths at the edges
// of what the programs take: 255 bytes, 4095 bytes, 128 components, the ends of the blocks that names are hashed in.
import { PROTOCOLS, type CompileOptions } from '@alert-throttle/policy';
import type { Random } from './random.ts';

export type Names = readonly [string, ...string[]];

export const ORDINARY: Names = ['a', 'b', 'ab', 'c'];
/** Blocks are of 32 bytes, names of up to 255. */
const EDGES: Names = [31, 32, 33, 64, 254, 255].map((length) => 'n'.repeat(length)) as unknown as Names;
const ODD: Names = ['größe', 'with blank', '#', '- x: [y]', '"', '..a', '\u{1f512}', '\n'];

export const SOURCES = ['/bin/x', '/bin/y', '/usr/lib/a/b'] as const;
export const CAPABILITY_NAMES = ['chown', 'net_raw', 'sys_admin'] as const;
const MAX_BYTES = 4095;

/** Names of which the paths of one set of policies are made. */
export function namesFor(random: Random): Names {
  if (random.chance(3)) return [...ORDINARY, random.pick(EDGES), random.pick(ODD)];
  return ORDINARY;
}

export function randomPath(random: Random, names: Names): string {
  if (random.chance(40)) return deepPath(random);
  return `/${random.list(1, 4, () => random.pick(names)).join('/')}`;
}

/** As many components, or as many bytes, as a path may have; or a few less. */
function deepPath(random: Random): string {
  if (random.chance(2))
    return `/${Array.from({ length: 128 - random.below(3) }, () => random.pick(['a', 'b'])).join('/')}`;
  let path = '';
  while (path.length + 256 <= MAX_BYTES) path += `/${'n'.repeat(255)}`;
  const left = MAX_BYTES - path.length - 1 - random.below(3);
  return left > 0 ? `${path}/${'n'.repeat(left)}` : path;
}

function randomDirectory(random: Random, path: string): string {
  const names = path.split('/').slice(1);
  // With the slash at its end, a directory of 4095 bytes is one byte too long for a rule.
  const most = Buffer.byteLength(path) < MAX_BYTES ? names.length : names.length - 1;
  const depth = random.below(most + 1);
  return depth === 0 ? '/' : `/${names.slice(0, depth).join('/')}/`;
}

const ACTIONS = ['Block', 'Audit', 'Allow'] as const;

interface Spec {
  readonly [section: string]: unknown;
}

/** The spec of one policy. */
function randomSpec(random: Random, paths: readonly string[], names: Names): Spec {
  const path = (): string => paths[random.below(paths.length)] ?? '/a';
  const about = (): object => ({
    ...(random.chance(3) ? { action: random.pick(ACTIONS) } : {}),
    ...(random.chance(3) ? { severity: 1 + random.below(10) } : {}),
    ...(random.chance(3) ? { fromSource: random.list(1, 2, () => ({ path: random.pick(SOURCES) })) } : {}),
  });
  const owner = (): object => (random.chance(3) ? { ownerOnly: random.chance(2) } : {});
  const reading = (): object => (random.chance(3) ? { readOnly: random.chance(2) } : {});
  const directory = (): object => ({
    dir: randomDirectory(random, path()),
    ...(random.chance(2) ? { recursive: random.chance(2) } : {}),
  });
  const process = {
    matchPaths: random.list(0, 3, () => ({
      ...(random.chance(3) ? { execname: random.pick(names) } : { path: path() }),
      ...owner(),
      ...about(),
    })),
    matchDirectories: random.list(0, 2, () => ({ ...directory(), ...owner(), ...about() })),
  };
  const file = {
    matchPaths: random.list(0, 3, () => ({ path: path(), ...owner(), ...reading(), ...about() })),
    matchDirectories: random.list(0, 3, () => ({ ...directory(), ...owner(), ...reading(), ...about() })),
  };
  const network = {
    matchProtocols: random.list(1, 3, () => ({ protocol: random.pick(PROTOCOLS), ...about() })),
  };
  const capabilities = {
    matchCapabilities: random.list(1, 2, () => ({ capability: random.pick(CAPABILITY_NAMES), ...about() })),
  };
  return {
    selector: { matchLabels: { app: 'fuzz' } },
    ...(random.chance(5) ? {} : { process }),
    ...(random.chance(5) ? {} : { file }),
    ...(random.chance(3) ? { network } : {}),
    ...(random.chance(4) ? { capabilities } : {}),
    action: random.pick(ACTIONS),
  };
}

/** A file with some policies about these paths. */
export function randomPolicies(random: Random, paths: readonly string[], names: Names): string {
  return random
    .list(1, 3, () => randomSpec(random, paths, names))
    .map((spec, i) =>
      yaml(
        {
          apiVersion: 'security.kubearmor.com/v1',
          kind: 'KubeArmorPolicy',
          metadata: { name: `policy-${i}`, namespace: 'fuzz' },
          spec,
        },
        '',
      ),
    )
    .join('---\n');
}

/** Block style, with scalars as JSON writes them, which is YAML. */
function yaml(value: unknown, indent: string): string {
  if (Array.isArray(value))
    return value.length === 0
      ? ' []\n'
      : `\n${value.map((item) => `${indent}-${nested(item, `${indent}  `)}`).join('')}`;
  if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}\n`;
  const lines = Object.entries(value).map(
    ([key, inner]) => `${indent}${key}:${nested(inner, `${indent}  `)}`,
  );
  return lines.length === 0 ? ' {}\n' : `${indent === '' ? '' : '\n'}${lines.join('')}`;
}

function nested(value: unknown, indent: string): string {
  return yaml(value, indent);
}

export function randomOptions(random: Random): CompileOptions {
  const posture = (): 'audit' | 'block' => random.pick(['audit', 'block']);
  return {
    postures: { process: posture(), file: posture(), network: posture(), capability: posture() },
    audited: random.chance(6),
  };
}

/** A path of the rules, or one beside it, above it, or below it. */
export function pathNear(random: Random, paths: readonly string[], names: Names): string {
  const path = paths[random.below(paths.length)] ?? '/a';
  const cut = path.slice(0, path.lastIndexOf('/'));
  switch (random.below(6)) {
    case 0:
      return cut === '' ? path : cut;
    case 1:
      return fitting(`${path}/${random.pick(names)}`, path);
    case 2:
      return fitting(`${cut}/${random.pick(names)}`, path);
    case 3:
      return fitting(`${path}/${random.pick(names)}/${random.pick(names)}`, path);
    default:
      return path;
  }
}

function fitting(path: string, otherwise: string): string {
  return Buffer.byteLength(path) <= MAX_BYTES && path.split('/').length <= 129 ? path : otherwise;
}
