/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network rules: sockets made, connected and accepted, by the policy schema's names for protocols. */
#ifndef AT_HOOKS_NETWORK_BPF_H
#define AT_HOOKS_NETWORK_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

static __always_inline int at_decide_socket(__u32 family, __u32 type, __u32 protocol, __u32 port_and_operation)
{
	struct at_access a;

	if (!at_judge_socket(&a, family, type, protocol, port_and_operation))
		return 0;
	return at_conclude_and_raise(&a);
}

SEC("lsm/socket_create")
int BPF_PROG(at_socket_create, int family, int type, int protocol, int kern, int ret)
{
	if (ret)
		return ret;
	return kern ? 0 : at_decide_socket(family, type, protocol, AT_OP_SOCKET_CREATE);
}

SEC("lsm/socket_connect")
int BPF_PROG(at_socket_connect, struct socket *sock, struct sockaddr *address, int length, int ret)
{
	const struct sock *sk;
	__u16 family = 0;
	__u8 port[2] = {};

	if (ret)
		return ret;
	sk = sock->sk;
	if (!sk)
		return 0;
	/* Both internet families have the port at the same place. */
	bpf_probe_read_kernel(&family, sizeof(family), address);
	if (length >= 4 && (family == AF_INET || family == AF_INET6))
		bpf_probe_read_kernel(port, sizeof(port), (void *)address + 2);
	return at_decide_socket(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol,
				AT_OP_SOCKET_CONNECT | port[0] << 24 | port[1] << 16);
}

SEC("lsm/socket_accept")
int BPF_PROG(at_socket_accept, struct socket *sock, struct socket *newsock, int ret)
{
	const struct sock *sk;

	if (ret)
		return ret;
	sk = sock->sk;
	if (!sk)
		return 0;
	return at_decide_socket(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol,
				AT_OP_SOCKET_ACCEPT | (__u32)sk->__sk_common.skc_num << 16);
}

#endif
