/** The names of sockets, over all that socket(2) takes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROTOCOLS } from './names.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_SMC, socketProtocols } from './sockets.ts';

const AF_UNIX = 1;
const AF_NETLINK = 16;
const STREAM = 1;
const DGRAM = 2;
const RAW = 3;
const SOCK_FLAGS = 0o2004000;

describe('socketProtocols', () => {
  it.each([
    ['TCP by default', AF_INET, STREAM, 0, 'all stream tcp'],
    ['TCP in IPv6', AF_INET6, STREAM, 6, 'all stream tcp'],
    ['TCP with flags', AF_INET, STREAM | SOCK_FLAGS, 0, 'all stream tcp'],
    ['MPTCP', AF_INET, STREAM, 262, 'all stream tcp'],
    ['SMC as a protocol', AF_INET, STREAM, 256, 'all stream tcp'],
    ['SMC as a family', AF_SMC, STREAM, 0, 'all stream tcp'],
    ['raw TCP', AF_INET, RAW, 6, 'all raw tcp'],
    ['UDP by default', AF_INET6, DGRAM, 0, 'all dgram udp'],
    ['UDP-Lite', AF_INET, DGRAM, 136, 'all dgram udp'],
    ['ping', AF_INET, DGRAM, 1, 'all dgram icmp'],
    ['ICMP', AF_INET, RAW, 1, 'all icmp raw'],
    ['ICMPv6', AF_INET6, RAW, 58, 'all icmpv6 raw'],
    ['anything raw', AF_INET, RAW, 255, 'all raw'],
    ['raw without a protocol', AF_INET, RAW, 0, 'all raw'],
    ['SCTP, one to one', AF_INET, STREAM, 132, 'all sctp stream'],
    ['SCTP, one to many', AF_INET, 5, 0, 'all sctp seqpacket'],
    ['DCCP', AF_INET, 6, 33, 'all dccp'],
    ['RDM', AF_INET, 4, 0, 'all rdm'],
    ['frames', AF_PACKET, RAW, 768, 'all packet raw'],
    ['frames without headers', AF_PACKET, DGRAM, 768, 'all dgram packet'],
    ['frames of old', AF_PACKET, 10, 768, 'all packet'],
    ['unix', AF_UNIX, STREAM, 0, 'all stream'],
    ['unix datagrams', AF_UNIX, DGRAM, 0, 'all dgram'],
    ['unix packets', AF_UNIX, 5, 0, 'all seqpacket'],
    ['netlink', AF_NETLINK, RAW, 0, 'all raw'],
    ['netlink, a protocol with the number of TCP', AF_NETLINK, DGRAM, 6, 'all dgram'],
    ['a type that nobody knows', AF_INET, 9, 0, 'all'],
  ])('%s', (_, family, type, protocol, expected) => {
    expect(socketProtocols(family, type, protocol).sort().join(' ')).toBe(expected);
  });

  it('names every socket, once each, with names of policies', () => {
    const any = fc.integer({ min: 0, max: 0x7fffffff });
    fc.assert(
      fc.property(any, any, any, (family, type, protocol) => {
        const names = socketProtocols(family, type, protocol);
        expect(new Set(names).size).toBe(names.length);
        expect(names).toContain('all');
        expect(names.every((name) => PROTOCOLS.includes(name))).toBe(true);
      }),
    );
  });
});
