/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mounts give files other names. In a container whose rules refuse something by path they are refused, unless it is
 * privileged; and nobody there mounts over what is protected or over its ancestors.
 */
#ifndef AT_HOOKS_MOUNT_BPF_H
#define AT_HOOKS_MOUNT_BPF_H

#include "../alert.bpf.h"

static __always_inline int at_decide_mount(struct path *target, __u32 operation)
{
	const struct at_container *container;
	const struct at_ruleset *set;
	struct at_access a;
	int result;

	set = at_begin(&a, AT_KIND_FILE, 0, true);
	if (!set)
		return 0;
	at_set_source(&a, set);
	a.write = 1;
	a.mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_POSTURE;
	result = at_decide_file(&a, target->mnt, target->dentry, operation);
	if (!result)
		result = at_decide_hint(&a, target->mnt, target->dentry, operation);
	if (result)
		return result;
	container = at_container_at(a.slot);
	if (container && container->flags & AT_CONTAINER_PRIVILEGED) {
		at_count(AT_COUNTER_MOUNTS_ALLOWED, 1);
		return 0;
	}
	a.flags = 0;
	a.action = AT_ACTION_BLOCK;
	a.rule = AT_RULE_POSTURE;
	a.mode = 0;
	return a.said ? 0 : at_conclude_and_raise(&a);
}

SEC("lsm/sb_mount")
int BPF_PROG(at_sb_mount, const char *device, struct path *path, const char *type, unsigned long flags, void *data,
	     int ret)
{
	if (ret)
		return ret;
	/* Other options of a mount, or whether it is shared, leave names as they are. */
	if (flags & MS_REMOUNT || (!(flags & MS_BIND) && flags & MS_PROPAGATION))
		return 0;
	return at_decide_mount(path, AT_OP_MOUNT);
}

SEC("lsm/move_mount")
int BPF_PROG(at_move_mount, struct path *from, struct path *to, int ret)
{
	return ret ? ret : at_decide_mount(to, AT_OP_MOVE_MOUNT);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(at_sb_pivotroot, struct path *old_path, struct path *new_path, int ret)
{
	return ret ? ret : at_decide_mount(new_path, AT_OP_PIVOT_ROOT);
}

#endif
