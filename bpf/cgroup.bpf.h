/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cgroups come and go: one below a container's belongs to that container from its first moment, before any task is in
 * it. User space hears of all the others, so that a container is known from the kernel and not by looking round.
 */
#ifndef AT_CGROUP_BPF_H
#define AT_CGROUP_BPF_H

#include "event.bpf.h"

#define AT_DEFAULT_HIERARCHY 0 /* cgroup v2; ids of other hierarchies are numbers of their own */

static __always_inline struct at_slot *at_new_cgroup_event(enum at_event_type type, __u64 id)
{
	struct at_slot *slot = at_new_event(AT_RING_ENFORCEMENT, type, id, bpf_ktime_get_boot_ns());

	if (slot)
		at_describe_task(&slot->event);
	return slot;
}

static __always_inline int at_send_cgroup_event(struct at_slot *slot, const char *path)
{
	long length;

	length = bpf_probe_read_kernel_str(slot->text, AT_PATH_MAX + 1, path);
	if (length > 0 && length <= AT_PATH_MAX + 1) {
		slot->event.text_length[AT_TEXT_RESOURCE] = length - 1;
		slot->used = length - 1;
	}
	return at_send(slot, AT_RING_ENFORCEMENT);
}

/*
 * May the container have one more member? What it makes must not take the room of others: beyond its share, its cgroups
 * are found by their ancestors, which takes longer and is as good.
 */
static __always_inline bool at_has_share(const struct at_member *member)
{
	struct at_container *container = at_container_at(member->slot);

	if (!container || container->container != member->container)
		return false;
	if ((__s32)__sync_fetch_and_add(&container->children, 1) < (__s32)container->children_max)
		return true;
	__sync_fetch_and_add(&container->children, -1);
	return false;
}

static __always_inline void at_give_share_back(const struct at_member *member)
{
	struct at_container *container = at_container_at(member->slot);

	if (container && container->container == member->container)
		__sync_fetch_and_add(&container->children, -1);
}

/* A cgroup below a container's is the container's. False where the parent is no container's. */
static __always_inline bool at_inherit(__u64 parent, __u64 id)
{
	const struct at_member *member = bpf_map_lookup_elem(&members, &parent);
	struct at_member own;
	__u64 missed = 1;
	__u32 key = 0;
	long error;

	if (!member)
		return false;
	own = *member;
	if (at_has_share(&own)) {
		error = bpf_map_update_elem(&members, &id, &own, BPF_NOEXIST);
		if (!error)
			return true;
		at_give_share_back(&own);
		if (error == -EEXIST)
			return true;
	}
	bpf_map_update_elem(&members_missed, &key, &missed, BPF_ANY);
	return true;
}

/*
 * Some cgroups of containers are no members: what a container's task makes or removes counts as one of these. Nobody is
 * told of cgroups below a container's, or it could fill the ring with them.
 */
static __always_inline bool at_is_made_in_container(void)
{
	__u32 slot;

	return at_members_missed() && at_current_container(&slot);
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(at_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	const __u64 id = cgroup->kn->id;
	const __u64 parent = cgroup->self.parent->cgroup->kn->id;
	struct at_slot *slot;

	if (cgroup->root->hierarchy_id != AT_DEFAULT_HIERARCHY)
		return 0;
	/* Active or not: containers are registered before the set is active, and are given cgroups in between. */
	if (at_inherit(parent, id) || !at_is_active() || at_is_made_in_container())
		return 0;
	slot = at_new_cgroup_event(AT_EVENT_CGROUP_CREATED, id);
	if (!slot)
		return at_count_unsent(AT_RING_ENFORCEMENT, 0);
	slot->event.arg[0] = parent;
	slot->event.arg[1] = parent >> 32;
	return at_send_cgroup_event(slot, path);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(at_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	const __u64 id = cgroup->kn->id;
	const struct at_member *member;
	struct at_slot *slot;

	if (cgroup->root->hierarchy_id != AT_DEFAULT_HIERARCHY)
		return 0;
	member = bpf_map_lookup_elem(&members, &id);
	if (member && member->container != id) {
		at_give_share_back(member);
		bpf_map_delete_elem(&members, &id);
		return 0;
	}
	if (!at_is_active())
		return 0;
	if (member) {
		at_window_container_removed(id);
		bpf_map_delete_elem(&members, &id);
	} else if (at_is_made_in_container()) {
		return 0;
	}
	slot = at_new_cgroup_event(AT_EVENT_CGROUP_REMOVED, id);
	if (!slot)
		return at_count_unsent(AT_RING_ENFORCEMENT, 0);
	return at_send_cgroup_event(slot, path);
}

#endif
