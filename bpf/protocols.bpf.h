/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The policy schema's names for the protocols of a socket; the same whoever refuses it. */
#ifndef AT_PROTOCOLS_BPF_H
#define AT_PROTOCOLS_BPF_H

#include "kernel.h"
#include "layout.h"

#define AT_BIT(protocol) (1ULL << AT_PROTOCOL_##protocol)

/* The types of sockets that have a name, in every family. */
static __always_inline __u64 at_protocols_of_type(__u32 type)
{
	switch (type) {
	case 1: return AT_BIT(STREAM);
	case 2: return AT_BIT(DGRAM);
	case 3: return AT_BIT(RAW);
	case 4: return AT_BIT(RDM);
	case 5: return AT_BIT(SEQPACKET);
	case 6: return AT_BIT(DCCP);
	case 10: return AT_BIT(PACKET);
	}
	return 0;
}

/* The protocols of the internet families; 0 is what the type takes by default. */
static __always_inline __u64 at_protocols_of_number(__u32 type, __u32 protocol)
{
	switch (protocol) {
	case 0: return type == 1 ? AT_BIT(TCP) : type == 2 ? AT_BIT(UDP) : type == 5 ? AT_BIT(SCTP) : 0;
	case 1: return AT_BIT(ICMP);
	case 6: case 256: case 262: return AT_BIT(TCP); /* with SMC, which falls back to it, and MPTCP */
	case 17: case 136: return AT_BIT(UDP);          /* with UDP-Lite */
	case 33: return AT_BIT(DCCP);
	case 58: return AT_BIT(ICMPV6);
	case 132: return AT_BIT(SCTP);
	}
	return 0;
}

static __always_inline __u64 at_protocols(__u32 family, __u32 type, __u32 protocol)
{
	__u64 protocols = AT_BIT(ALL) | at_protocols_of_type(type);

	if (family == AF_INET || family == AF_INET6)
		protocols |= at_protocols_of_number(type, protocol);
	else if (family == AF_PACKET)
		protocols |= AT_BIT(PACKET);
	else if (family == AF_SMC)
		protocols |= AT_BIT(TCP);
	return protocols;
}

#endif
