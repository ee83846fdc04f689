// One round of the fuzz: an access made up, and what it has to come to.
import { capabilityNumber, socketProtocols, type RuleSet } from '@alert-throttle/policy';
import {
  expectedOfFile,
  expectedOfMove,
  expectedOfValue,
  refusesAnything,
  type Asked,
  type Expected,
} from './expected.ts';
import {
  NOBODY,
  STEPS_OF_A_RENAME,
  type HostAccess,
  type HostRename,
  type HostResult,
} from './host-programs.ts';
import { CAPABILITY_NAMES, pathNear, SOURCES, type Names } from './random-policies.ts';
import type { Random } from './random.ts';
import type { AlertEvent } from '../events.ts';

export interface Round {
  readonly access: HostAccess;
  readonly ruleSet: RuleSet;
  /** Device and inode of the container's root, as they are registered. */
  readonly root: { readonly dev: bigint; readonly ino: bigint };
  /** One for each moment at which the access may count as made: more than one where something is renamed meanwhile. */
  readonly expected: readonly Expected[];
}

export interface World {
  readonly random: Random;
  readonly paths: readonly string[];
  readonly names: Names;
  readonly ruleSet: RuleSet;
}

const USERS = [0, 1000] as const;

export function randomRound(world: World): Round {
  const { random } = world;
  const which = random.below(20);
  if (which < 12) return fileRound(world);
  if (which < 14) return racedRound(world);
  if (which < 17) return moveRound(world);
  return which < 19 ? socketRound(world) : capabilityRound(world);
}

function common({ random }: World): Pick<HostAccess, 'uid' | 'owner' | 'source'> {
  const source = random.chance(4) ? undefined : random.pick([...SOURCES, '/bin', '/bin/x/y']);
  return { uid: random.pick(USERS), owner: random.pick(USERS), source };
}

const OPERATIONS = {
  open: 'open',
  exec: 'exec',
  unlink: 'unlink',
  mkdir: 'mkdir',
  receive: 'receive',
} as const;
type FileHook = keyof typeof OPERATIONS;

interface FileParts {
  readonly hook: FileHook;
  readonly flags: HostAccess['flags'];
  readonly asked: Asked;
  readonly base: Pick<HostAccess, 'uid' | 'owner' | 'source'>;
}

function fileParts(world: World): FileParts {
  const { random } = world;
  const hook = random.pick<FileHook>(['open', 'open', 'open', 'exec', 'exec', 'unlink', 'mkdir', 'receive']);
  const base = common(world);
  const owner = hook === 'mkdir' ? NOBODY : base.owner;
  const changes = hook === 'unlink' || hook === 'mkdir';
  const opens = hook === 'open' || hook === 'receive';
  const flags = [
    ...(opens && random.chance(2) ? (['write'] as const) : []),
    ...(hook === 'open' && random.chance(6) ? (['trunc'] as const) : []),
  ];
  const sourced = base.source === undefined ? {} : { source: base.source };
  const owns = owner === NOBODY || owner === base.uid;
  const asked: Asked =
    hook === 'exec'
      ? { kind: 'process', owner: owns, ...sourced }
      : { kind: 'file', owner: owns, write: changes || flags.length > 0, ...sourced };
  return { hook, flags: random.chance(2) ? [...flags, 'calm'] : flags, asked, base: { ...base, owner } };
}

/** Seen through other file systems, through a second mount of the container's own, or through none at all. */
function fileRound(world: World): Round {
  const { random, ruleSet, paths, names } = world;
  const { hook, flags, asked, base } = fileParts(world);
  const path = random.chance(60) && hook === 'open' ? '/' : pathNear(random, paths, names);
  const depth = path === '/' ? 0 : path.split('/').length - 1;
  const root = { dev: random.pick([0n, 1n, 1n]), ino: random.pick([0n, 77n]) };
  // What is made or removed is a name in a folder, and never what is mounted on it.
  const deepest = hook === 'unlink' || hook === 'mkdir' ? depth - 1 : depth;
  const mounted = (): number => 1 + random.below(deepest);
  const crossings = deepest < 1 || random.chance(2) ? [] : random.list(0, 2, mounted);
  const bound =
    deepest > 0 && random.chance(4)
      ? { folder: random.chance(5) ? '/' : pathNear(random, paths, names), at: mounted() }
      : undefined;
  const detached = random.chance(12);
  const access: HostAccess = {
    ...{ hook, path, crossings, ...base },
    ...(bound ? { bound } : {}),
    flags: detached ? [...flags, 'detached'] : flags,
  };
  const inside = insideRoot(path, depth, crossings, bound);
  const second = root.dev === 0n ? undefined : inside;
  const tooLong = second !== undefined && !fits(second);
  const seen = { first: detached ? undefined : path, second: tooLong ? undefined : second };
  // Where nothing is mounted the executable is not either.
  const who = detached ? { ...asked, source: undefined } : asked;
  const expected = expectedOfFile(ruleSet, OPERATIONS[hook], who, seen);
  return { access, ruleSet, root, expected: [expected] };
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= 4095 && path.split('/').length <= 129;
}

/** The path inside the container's root file system; undefined where the file lies on another one. */
function insideRoot(
  path: string,
  depth: number,
  crossings: readonly number[],
  bound: HostAccess['bound'],
): string | undefined {
  if (!bound) return crossings.some((at) => at <= depth) ? undefined : path;
  const rest = path.split('/').slice(bound.at + 1);
  const folder = bound.folder === '/' ? '' : bound.folder;
  return rest.length === 0 ? bound.folder : `${folder}/${rest.join('/')}`;
}

/** Components are renamed while the programs look: each verdict is that of a moment, or the path is none. */
function racedRound(world: World): Round {
  const { random, ruleSet, paths, names } = world;
  const { hook, flags, asked, base } = fileParts(world);
  const path = pathNear(random, paths, names);
  const versions = [path];
  let now = random.below(40);
  const renames = random.list(1, 4, (): HostRename => {
    const parts = (versions.at(-1) ?? path).split('/');
    const component = random.below(parts.length - 1);
    const name = random.pick(names);
    parts[component + 1] = name;
    versions.push(parts.join('/'));
    const at = Array.from(
      { length: STEPS_OF_A_RENAME },
      () => (now += random.below(random.pick([3, 20, 120]))),
    );
    return { component, name, at };
  });
  const access: HostAccess = { hook, path, flags, renames, ...base };
  const expected = versions.map((first) =>
    expectedOfFile(ruleSet, OPERATIONS[hook], asked, {
      first: fits(first) ? first : undefined,
      second: undefined,
    }),
  );
  return { access, ruleSet, root: { dev: 0n, ino: 0n }, expected };
}

function moveRound(world: World): Round {
  const { random, ruleSet, paths, names } = world;
  const hook = random.pick(['rename', 'link'] as const);
  const { uid, owner, source } = common(world);
  const directory = hook === 'rename' && random.chance(2);
  const [from, to] = [pathNear(random, paths, names), pathNear(random, paths, names)];
  const otherOwner = hook === 'rename' && random.chance(2) ? random.pick(USERS) : undefined;
  const flags = [
    ...(directory ? (['directory'] as const) : []),
    ...(random.chance(2) ? (['calm'] as const) : []),
  ];
  const access: HostAccess = {
    ...{ hook, flags, uid, owner, source, path: from, other: to },
    ...(otherOwner === undefined ? {} : { otherOwner }),
  };
  const expected = expectedOfMove(ruleSet, hook, { from, to, directory, owner, otherOwner, uid, source });
  return { access, ruleSet, root: { dev: 0n, ino: 0n }, expected: [expected] };
}

function socketRound(world: World): Round {
  const { random, ruleSet } = world;
  const base = common(world);
  const family = random.pick([1, 2, 10, 16, 17, 43]);
  const type = (1 + random.below(11)) | (random.chance(3) ? 0o2004000 : 0);
  const protocol = random.pick([0, 1, 6, 17, 33, 58, 132, 136, 256, 262, 5]);
  const sourced = base.source === undefined ? {} : { source: base.source };
  const protocols = socketProtocols(family, type, protocol);
  const expected = expectedOfValue(ruleSet, 'socketCreate', { kind: 'network', protocols, ...sourced });
  const access: HostAccess = {
    hook: 'socket',
    flags: [],
    path: '/',
    args: [family, type, protocol],
    ...base,
  };
  return { access, ruleSet, root: { dev: 0n, ino: 0n }, expected: [expected] };
}

function capabilityRound(world: World): Round {
  const { random, ruleSet } = world;
  const base = common(world);
  const capability = random.pick([...CAPABILITY_NAMES, 'sys_ptrace'] as const);
  const sourced = base.source === undefined ? {} : { source: base.source };
  const expected = expectedOfValue(ruleSet, 'capable', { kind: 'capability', capability, ...sourced });
  const args = [capabilityNumber(capability)];
  return {
    access: { hook: 'capable', flags: [], path: '/', args, ...base },
    ruleSet,
    root: { dev: 0n, ino: 0n },
    expected: [expected],
  };
}

/** Undefined where the programs did what they have to; else what is wrong. */
export function problemOf({ access, ruleSet, expected }: Round, result: HostResult): string | undefined {
  const all = result.events.filter((event) => event.type === 'alert');
  if (all.length < result.events.length) return 'an event that is no alert';
  const alerts = isMove(access) ? all.filter((alert, i) => !isRepeated(alert, all.slice(0, i))) : all;
  const raced = access.renames !== undefined;
  const moments = raced ? expected.slice(0, result.renamesBegun + 1) : expected;
  if (raced && isGivenUp(ruleSet, access, result, alerts)) return undefined;
  if (moments.some((moment) => isSame(moment, result.result, alerts, raced))) return undefined;
  return 'another verdict';
}

function isMove({ hook }: HostAccess): boolean {
  return hook === 'rename' || hook === 'link';
}

/**
 * The programs remember one rule of which a system call has raised an alert. Where two names are judged and another rule
 * comes in between, a rule that refuses nothing is told of twice.
 */
function isRepeated({ rule, result }: AlertEvent, before: readonly AlertEvent[]): boolean {
  return result === 0 && before.slice(0, -1).some((alert) => alert.rule === rule);
}

function isSame(expected: Expected, result: number, alerts: readonly AlertEvent[], raced: boolean): boolean {
  return (
    expected.result === result &&
    expected.alerts.length === alerts.length &&
    expected.alerts.every((alert, i) => {
      const seen = alerts[i];
      if (!seen) return false;
      const told = alert.unreachable || raced || alert.kind === 'network' || alert.kind === 'capability';
      return (
        (told || seen.resource === alert.resource) &&
        seen.rule === alert.rule &&
        seen.kind === alert.kind &&
        seen.operation === alert.operation &&
        seen.result === alert.result &&
        seen.flags.unreachable === alert.unreachable
      );
    })
  );
}

/** Renamed too often: refused as without a path, or let through where nothing of the kind is refused. */
function isGivenUp(
  ruleSet: RuleSet,
  { hook }: HostAccess,
  { result }: HostResult,
  alerts: readonly AlertEvent[],
): boolean {
  const kind = hook === 'exec' ? 'process' : 'file';
  const [alert] = alerts;
  if (!refusesAnything(ruleSet, kind)) return result === 0 && alerts.length === 0;
  return (
    alert?.flags.unreachable === true && alert.result === result && result === (ruleSet.audited ? 0 : -13)
  );
}
