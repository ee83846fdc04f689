/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules on sockets and capabilities, and mounts, which would give files other names. */
#ifndef AT_APPARMOR_OTHER_BPF_H
#define AT_APPARMOR_OTHER_BPF_H

#include "judge.bpf.h"

static __always_inline int at_judged_socket(__u32 family, __u32 type, __u32 protocol, __u32 port_and_operation, int ret)
{
	struct at_access a;

	if (at_judge_socket(&a, family, type, protocol, port_and_operation))
		at_account_for(&a, ret);
	return 0;
}

SEC("fexit/apparmor_socket_create")
int BPF_PROG(at_refused_socket_create, int family, int type, int protocol, int kern, int ret)
{
	return ret < 0 && !kern ? at_judged_socket(family, type, protocol, AT_OP_SOCKET_CREATE, ret) : 0;
}

SEC("fexit/security_socket_create")
int BPF_PROG(at_passed_socket_create, int family, int type, int protocol, int kern, int ret)
{
	return !ret && !kern ? at_judged_socket(family, type, protocol, AT_OP_SOCKET_CREATE, 0) : 0;
}

static __always_inline int at_judged_connect(struct socket *sock, struct sockaddr *address, int length, int ret)
{
	const struct sock *sk = sock->sk;
	__u16 family = 0;
	__u8 port[2] = {};

	if (!sk)
		return 0;
	/* Both internet families have the port at the same place. */
	bpf_probe_read_kernel(&family, sizeof(family), address);
	if (length >= 4 && (family == AF_INET || family == AF_INET6))
		bpf_probe_read_kernel(port, sizeof(port), (void *)address + 2);
	return at_judged_socket(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol,
				AT_OP_SOCKET_CONNECT | port[0] << 24 | port[1] << 16, ret);
}

SEC("fexit/apparmor_socket_connect")
int BPF_PROG(at_refused_socket_connect, struct socket *sock, struct sockaddr *address, int length, int ret)
{
	return ret < 0 ? at_judged_connect(sock, address, length, ret) : 0;
}

SEC("fexit/security_socket_connect")
int BPF_PROG(at_passed_socket_connect, struct socket *sock, struct sockaddr *address, int length, int ret)
{
	return ret ? 0 : at_judged_connect(sock, address, length, 0);
}

static __always_inline int at_judged_accept(struct socket *sock, int ret)
{
	const struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	return at_judged_socket(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol,
				AT_OP_SOCKET_ACCEPT | (__u32)sk->__sk_common.skc_num << 16, ret);
}

SEC("fexit/apparmor_socket_accept")
int BPF_PROG(at_refused_socket_accept, struct socket *sock, struct socket *newsock, int ret)
{
	return ret < 0 ? at_judged_accept(sock, ret) : 0;
}

SEC("fexit/security_socket_accept")
int BPF_PROG(at_passed_socket_accept, struct socket *sock, struct socket *newsock, int ret)
{
	return ret ? 0 : at_judged_accept(sock, 0);
}

/* AppArmor is asked only about capabilities that the task has. */
static __always_inline int at_judged_capability(int capability, unsigned int options, int ret)
{
	struct at_access a;

	if (at_judge_capability(&a, capability, options))
		at_account_for(&a, ret);
	return 0;
}

SEC("fexit/apparmor_capable")
int BPF_PROG(at_refused_capable, const struct cred *cred, struct user_namespace *ns, int capability,
	     unsigned int options, int ret)
{
	return ret < 0 ? at_judged_capability(capability, options, ret) : 0;
}

SEC("fexit/security_capable")
int BPF_PROG(at_passed_capable, const struct cred *cred, struct user_namespace *ns, int capability,
	     unsigned int options, int ret)
{
	return ret ? 0 : at_judged_capability(capability, options, 0);
}

/* Profiles of containers with path rules refuse mounts, unless the container is privileged. */
static __always_inline int at_refused_mounting(const struct path *target, __u32 operation, int ret)
{
	const struct at_container *container;
	const struct at_ruleset *set;
	struct at_access a;

	set = at_begin(&a, AT_KIND_FILE, 0, AT_ALSO_PATHS);
	if (!set)
		return 0;
	container = at_container_at(a.slot);
	if (!container || container->flags & AT_CONTAINER_PRIVILEGED)
		return 0;
	at_set_source(&a, set);
	a.write = 1;
	a.operation = operation;
	at_set_file(&a, target->mnt, target->dentry);
	a.action = AT_ACTION_BLOCK;
	a.rule = AT_RULE_POSTURE;
	at_account_for(&a, ret);
	return 0;
}

SEC("fexit/apparmor_sb_mount")
int BPF_PROG(at_refused_mount, const char *device, const struct path *path, const char *type, unsigned long flags,
	     void *data, int ret)
{
	return ret < 0 ? at_refused_mounting(path, AT_OP_MOUNT, ret) : 0;
}

/* From 6.9 on. */
SEC("fexit/apparmor_move_mount")
int BPF_PROG(at_refused_move_mount, const struct path *from, const struct path *to, int ret)
{
	return ret < 0 ? at_refused_mounting(to, AT_OP_MOVE_MOUNT, ret) : 0;
}

SEC("fexit/apparmor_sb_pivotroot")
int BPF_PROG(at_refused_pivotroot, const struct path *old_path, const struct path *new_path, int ret)
{
	return ret < 0 ? at_refused_mounting(new_path, AT_OP_PIVOT_ROOT, ret) : 0;
}

#endif
