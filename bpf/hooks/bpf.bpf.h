/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps processes of containers away from our maps, programs and links, however privileged they are, and reports each
 * attempt. What is ours is known by address: a map is one of this object, a program uses the map `settings`, a link
 * holds such a program. A task that is not registered as a container's is the host's, whose business all of it is.
 */
#ifndef AT_HOOKS_BPF_BPF_H
#define AT_HOOKS_BPF_BPF_H

#include "../alert.bpf.h"

#define AT_USED_MAPS_MAX 64

/* The id of a link is not its address: user space enters those of ours here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} own_links SEC(".maps");

static __always_inline bool at_is_our_map(const void *map)
{
	return map == &settings || map == &rulesets || map == &rules || map == &names || map == &hints ||
	       map == &members || map == &members_missed || map == &containers || map == &counters || map == &kubearmor_alert_throttle ||
	       map == &enforcement_ring || map == &audit_ring || map == &ring_states || map == &ring_accounts ||
	       map == &ring_account_common || map == &overflow_windows || map == &overflow_members ||
	       map == &window_requests || map == &throttle_before || map == &births || map == &scratch || map == &execs ||
	       map == &own_links;
}

struct at_used_maps {
	__u64 maps;  /* struct bpf_map *[] */
	__u32 count;
	__u32 ours;
};

static long at_used_map_step(__u32 index, struct at_used_maps *used)
{
	__u64 map = 0;

	if (index >= used->count)
		return 1;
	bpf_probe_read_kernel(&map, sizeof(map), (void *)(used->maps + index * sizeof(map)));
	used->ours = map == (__u64)&settings;
	return used->ours;
}

static __always_inline bool at_is_our_program(struct bpf_prog *prog)
{
	struct bpf_prog_aux *aux = 0;
	struct at_used_maps used = {};

	bpf_core_read(&aux, sizeof(aux), &prog->aux);
	if (!aux)
		return false;
	bpf_core_read(&used.count, sizeof(used.count), &aux->used_map_cnt);
	bpf_core_read(&used.maps, sizeof(used.maps), &aux->used_maps);
	bpf_loop(AT_USED_MAPS_MAX, at_used_map_step, &used, 0);
	return used.ours;
}

/* Refuses, and reports the attempt; `what`: 1 map, 2 program, 3 link. */
static __always_inline int at_refuse_tampering(const struct at_container *container, __u32 what)
{
	struct at_admission admission = {};
	struct at_slot *slot;

	at_count(AT_COUNTER_TAMPERING, 1);
	if (!at_is_active())
		return -EACCES;
	/* Anyone may try, as often as they like: without the throttle that would fill the ring that alerts of others need. */
	admission.container = container->container;
	admission.profile = container->profile;
	admission.now_ns = bpf_ktime_get_boot_ns();
	admission.rule = AT_RULE_POSTURE;
	admission.operation = AT_OP_BPF;
	if (!at_window_admit(&admission))
		return -EACCES;
	slot = at_new_event(AT_RING_ENFORCEMENT, AT_EVENT_TAMPERING, admission.container, admission.now_ns);
	if (!slot) {
		at_count_unsent(AT_RING_ENFORCEMENT, admission.container);
		return -EACCES;
	}
	slot->event.head.operation = AT_OP_BPF;
	slot->event.result = -EACCES;
	slot->event.arg[0] = what;
	at_describe_task(&slot->event);
	at_add_task_texts(slot);
	at_send(slot, AT_RING_ENFORCEMENT);
	return -EACCES;
}

static __always_inline struct at_container *at_intruder(void)
{
	__u32 slot;

	return at_active() >= at_generation ? at_current_container(&slot) : 0;
}

SEC("lsm/bpf_map")
int BPF_PROG(at_bpf_map, struct bpf_map *map, fmode_t mode, int ret)
{
	const struct at_container *container;

	if (ret)
		return ret;
	container = at_intruder();
	return container && at_is_our_map(map) ? at_refuse_tampering(container, 1) : 0;
}

SEC("lsm/bpf_prog")
int BPF_PROG(at_bpf_prog, struct bpf_prog *prog, int ret)
{
	const struct at_container *container;

	if (ret)
		return ret;
	container = at_intruder();
	return container && at_is_our_program(prog) ? at_refuse_tampering(container, 2) : 0;
}

SEC("lsm/bpf")
int BPF_PROG(at_bpf, int command, union bpf_attr *attr, unsigned int size, int ret)
{
	const struct at_container *container;
	__u32 id = 0;

	if (ret)
		return ret;
	if (command != BPF_LINK_GET_FD_BY_ID)
		return 0;
	container = at_intruder();
	if (!container)
		return 0;
	bpf_probe_read_kernel(&id, sizeof(id), attr);
	return bpf_map_lookup_elem(&own_links, &id) ? at_refuse_tampering(container, 3) : 0;
}

/* Pinned in a BPF filesystem, they are files: to remove one detaches a program. */
static __always_inline bool at_is_our_pin(const struct dentry *dentry)
{
	const struct inode *inode = dentry->d_inode;
	struct bpf_prog *prog = 0;
	void *object;

	if (!inode || inode->i_sb->s_magic != BPF_FS_MAGIC || !S_ISREG(inode->i_mode))
		return false;
	object = inode->i_private;
	if (at_is_our_map(object) || at_is_our_program(object))
		return true;
	bpf_core_read(&prog, sizeof(prog), &((struct bpf_link *)object)->prog);
	return prog && at_is_our_program(prog);
}

static __always_inline int at_decide_pin(const struct dentry *dentry)
{
	const struct at_container *container;

	if (dentry->d_sb->s_magic != BPF_FS_MAGIC)
		return 0;
	container = at_intruder();
	return container && at_is_our_pin(dentry) ? at_refuse_tampering(container, 3) : 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(at_inode_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : at_decide_pin(dentry);
}

/* A rename replaces what bears the new name, and what has another name is not found again. */
SEC("lsm/inode_rename")
int BPF_PROG(at_inode_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry, int ret)
{
	if (!ret)
		ret = at_decide_pin(old_dentry);
	return ret ? ret : at_decide_pin(new_dentry);
}

#endif
