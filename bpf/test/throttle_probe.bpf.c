// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The throttle without policies, for throttle_probe.c: the name of the file that is opened says which container's alert
 * it is, so that a test plays any number of containers with plain processes.
 *
 *   at-b07  a Block alert of container 7: refused
 *   at-a07  an Audit alert of container 7
 *   at-r07  the cgroup of container 7 is removed
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifdef PROBE_RACES
static long probe_spin(__u32 index, void *context)
{
	return 0;
}

/* One time in eight, about as long as a few decisions take. */
static __noinline int probe_wait(void)
{
	if (!(bpf_get_prandom_u32() & 7))
		bpf_loop(2000, probe_spin, NULL, 0);
	return 0;
}

#define AT_RACE_POINT() probe_wait()
#endif

#include "window.bpf.h"

#define EACCES 13

struct qstr {
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct dentry {
	struct qstr d_name;
} __attribute__((preserve_access_index));

struct path {
	struct dentry *dentry;
} __attribute__((preserve_access_index));

struct file {
	struct path f_path;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct probe_alert {
	struct at_event_head head;
	__u64 body[4];
};

static __noinline int probe_emit(enum at_ring ring, __u64 container)
{
	struct probe_alert alert = { .head = { .type = AT_EVENT_ALERT, .container = container } };

	alert.head.time_ns = bpf_ktime_get_boot_ns();
	return ring == AT_RING_AUDIT ? at_ring_emit(AT_RING_AUDIT, &alert.head, sizeof(alert), container)
				     : at_ring_emit(AT_RING_ENFORCEMENT, &alert.head, sizeof(alert), container);
}

static __noinline int probe_block(__u64 container)
{
	struct at_admission admission = {
		.container = container,
		.now_ns = bpf_ktime_get_boot_ns(),
		.rule = 1 + (__u32)container,
		.operation = AT_OP_OPEN,
	};

	if (at_window_admit(&admission))
		probe_emit(AT_RING_ENFORCEMENT, container);
	return -EACCES;
}

SEC("lsm/file_open")
int BPF_PROG(probe_open, struct file *file, int ret)
{
	char name[8] = {};
	__u64 container;

	if (ret)
		return ret;
	if (bpf_probe_read_kernel_str(name, sizeof(name), file->f_path.dentry->d_name.name) != 7)
		return 0;
	if (name[0] != 'a' || name[1] != 't' || name[2] != '-')
		return 0;
	container = (name[4] - '0') * 10 + (name[5] - '0');
	if (name[3] == 'b')
		return probe_block(container);
	if (name[3] == 'a')
		probe_emit(AT_RING_AUDIT, container);
	if (name[3] == 'r')
		at_window_container_removed(container);
	return 0;
}
