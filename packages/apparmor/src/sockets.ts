// What a profile can say about sockets: their family and their type, never their protocol.
import { socketProtocols, type CompiledRule, type Protocol, type RuleSet } from '@alert-throttle/policy';

const AF_PACKET = 17;
const INTERNET = [2, 10];
const SOCK_DCCP = 6;
const SOCK_PACKET = 10;

/** linux/net.h; the names are the policy schema's and AppArmor's. */
const TYPES: ReadonlyMap<string, number> = new Map([
  ['stream', 1],
  ['dgram', 2],
  ['raw', 3],
  ['rdm', 4],
  ['seqpacket', 5],
]);

/** The families that the names of protocols tell apart, and one of the others. */
const FAMILIES = [1, 2, 10, 16, AF_PACKET, 43, 99];
const PROTOCOLS = [0, 1, 6, 17, 33, 58, 132, 136, 255, 256, 262];

export interface Socket {
  readonly family: number;
  readonly type: number;
  readonly protocols: readonly Protocol[];
}

/** One of each kind of socket that rules can tell apart. */
export const SOCKETS: readonly Socket[] = FAMILIES.flatMap((family) =>
  typesOf(family).flatMap((type) =>
    PROTOCOLS.map((protocol) => ({ family, type, protocols: socketProtocols(family, type, protocol) })),
  ),
);

/** DCCP has a type of its own, in two families. */
function typesOf(family: number): number[] {
  return [...TYPES.values(), ...(INTERNET.includes(family) ? [SOCK_DCCP] : [])];
}

/** What follows `network` in the rules of a profile that mean these names; names that it has no words for are left out. */
export function networkWords(rules: readonly CompiledRule[]): string[] {
  const names = new Set(rules.map(({ path }) => path));
  if (names.has('all')) return [''];
  return [...names].filter((name) => TYPES.has(name) || name === 'packet').map((name) => ` ${name}`);
}

/** Whether rules of a profile made of these names are about the socket. */
export function coversSocket(rules: readonly CompiledRule[], { family, type }: Socket): boolean {
  return rules.some(
    ({ path }) => path === 'all' || TYPES.get(path) === type || (path === 'packet' && isPacket(family, type)),
  );
}

/** The kernel has made family AF_PACKET of the old type SOCK_PACKET before it asks anybody. */
function isPacket(family: number, type: number): boolean {
  return family === AF_PACKET || type === SOCK_PACKET;
}

export function socketRules(ruleSet: RuleSet, action: CompiledRule['action']): CompiledRule[] {
  return ruleSet.rules.filter((rule) => rule.kind === 'network' && rule.action === action);
}
