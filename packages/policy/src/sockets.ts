// Which protocol names of a policy a socket has. One socket has several: a TCP socket is `all`, `stream` and `tcp`.
import type { Protocol } from './names.ts';

/** Numbers of linux/socket.h, linux/net.h and linux/in.h. */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_PACKET = 17;
export const AF_SMC = 43;

/** SOCK_NONBLOCK, SOCK_CLOEXEC and whatever else is put on top of the type. */
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_RDM = 4;
const SOCK_SEQPACKET = 5;
const SOCK_DCCP = 6;
const SOCK_PACKET = 10;

const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_DCCP = 33;
const IPPROTO_ICMPV6 = 58;
const IPPROTO_SCTP = 132;
const IPPROTO_UDPLITE = 136;
const IPPROTO_SMC = 256;
const IPPROTO_MPTCP = 262;

/** The type alone decides on these, in any family. */
const BY_TYPE: ReadonlyMap<number, Protocol> = new Map([
  [SOCK_STREAM, 'stream'],
  [SOCK_DGRAM, 'dgram'],
  [SOCK_RAW, 'raw'],
  [SOCK_RDM, 'rdm'],
  [SOCK_SEQPACKET, 'seqpacket'],
  [SOCK_DCCP, 'dccp'],
  [SOCK_PACKET, 'packet'],
]);

/**
 * SMC and MPTCP sockets fall back to TCP with a peer that knows neither, UDP-Lite reaches the same services as UDP: a rule
 * on tcp or udp that left them out would be one socket(2) away from no rule. The protocol alone decides on these in IPv4 and IPv6, so
 * that a raw socket of that protocol is one too.
 */
const BY_PROTOCOL: ReadonlyMap<number, Protocol> = new Map([
  [IPPROTO_ICMP, 'icmp'],
  [IPPROTO_TCP, 'tcp'],
  [IPPROTO_SMC, 'tcp'],
  [IPPROTO_MPTCP, 'tcp'],
  [IPPROTO_UDP, 'udp'],
  [IPPROTO_UDPLITE, 'udp'],
  [IPPROTO_DCCP, 'dccp'],
  [IPPROTO_ICMPV6, 'icmpv6'],
  [IPPROTO_SCTP, 'sctp'],
]);

/** What protocol 0 stands for in IPv4 and IPv6. */
const BY_DEFAULT: ReadonlyMap<number, Protocol> = new Map([
  [SOCK_STREAM, 'tcp'],
  [SOCK_DGRAM, 'udp'],
  [SOCK_SEQPACKET, 'sctp'],
]);

/** `type` as given to socket(2). The names come without repeats, in no order that means anything. */
export function socketProtocols(family: number, type: number, protocol: number): Protocol[] {
  const names = new Set<Protocol>(['all']);
  const baseType = type & SOCK_TYPE_MASK;
  const byType = BY_TYPE.get(baseType);
  if (byType) names.add(byType);
  if (family === AF_PACKET) names.add('packet');
  if (family === AF_SMC) names.add('tcp');
  if (family === AF_INET || family === AF_INET6) {
    const byProtocol = protocol === 0 ? BY_DEFAULT.get(baseType) : BY_PROTOCOL.get(protocol);
    if (byProtocol) names.add(byProtocol);
  }
  return [...names];
}
