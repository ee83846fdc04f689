/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose access it is: the current task's cgroup, the container that this cgroup belongs to, and its rule set. Nothing
 * that a process can do to itself changes its cgroup.
 */
#ifndef AT_CONTAINER_BPF_H
#define AT_CONTAINER_BPF_H

#include "path.bpf.h"

/* Generation of this set of programs; it decides while `settings.active` is the same. Set before loading. */
const volatile __u32 at_generation = 1;

/* One access and the verdict on it; lies in the frame of the hook. */
struct at_access {
	__u32 slot;          /* of the container */
	__u32 ruleset;
	__u32 rule;          /* verdict: number of the rule, AT_RULE_POSTURE, or 0 */
	__u32 said;          /* rule of the alert that this system call has raised already */
	__u16 operation;
	__u8 kind;
	__u8 action;         /* verdict: enum at_action, or AT_ACTION_NONE */
	__u8 write;
	__u8 owner;
	__u8 flags;          /* AT_EVENT_* */
	__u8 quiet;          /* AT_QUIET_*: alerts that another hook of this system call has raised */
	__u8 on_root;        /* lies on the container's root filesystem */
	__u8 same_root;      /* through a mount whose root is the container's root directory */
	__u8 only_block;     /* only Block rules are asked for here */
	__u8 once;           /* AT_ONCE_*: links of one execve */
	__u32 arg[4];
	struct at_place file;
	struct at_place source; /* the executable that fromSource is compared with; its hash is 0 where there is none */
	struct at_walk walk;
};

#define AT_ACTION_NONE AT_ACTIONS
#define AT_QUIET_AUDIT 1   /* no alerts for what is let through */
#define AT_QUIET_POSTURE 2 /* the posture is not applied */
#define AT_ONCE_FIRST 1
#define AT_ONCE_NEXT 2

static __always_inline struct at_container *at_container_at(__u32 slot)
{
	return bpf_map_lookup_elem(&containers, &slot);
}

static __always_inline struct at_ruleset *at_ruleset_at(__u32 number)
{
	return bpf_map_lookup_elem(&rulesets, &number);
}

static __always_inline bool at_is_active(void)
{
	const struct at_settings *settings = at_settings();

	return settings && settings->active == at_generation;
}

/*
 * A runtime joins the container's cgroup before it enters the container's mounts. Until then it is part of the host: in
 * the host's mount namespace always, in another one as long as the container has not had its first exec.
 */
static __always_inline bool at_is_inside(const struct at_container *container, const struct task_struct *task)
{
	const struct at_settings *settings = at_settings();

	if (container->flags & AT_CONTAINER_STARTING)
		return false;
	return settings && task->nsproxy->mnt_ns->ns.inum != settings->init_mnt_ns;
}

/* The container of the current task; null for tasks of the host. */
static __always_inline struct at_container *at_current_container(__u32 *slot)
{
	const __u64 cgroup = bpf_get_current_cgroup_id();
	const struct at_member *member = bpf_map_lookup_elem(&members, &cgroup);
	struct at_container *container;

	if (!member)
		return 0;
	*slot = member->slot;
	container = at_container_at(member->slot);
	return container && container->container == member->container ? container : 0;
}

/*
 * Begins an access of `kind` by the current task: the rule set, or null where nothing is to be decided. `needs`: at
 * least one of these features must be there, or with `hints` the set must protect ancestors.
 */
static __always_inline const struct at_ruleset *at_begin(struct at_access *a, enum at_kind kind, __u32 needs, bool hints)
{
	const struct at_container *container;
	const struct at_ruleset *set;
	__u64 number;
	__u32 slot;

	container = at_current_container(&slot);
	if (!container)
		return 0;
	number = *(volatile __u64 *)&container->ruleset;
	if (number == ~0ULL || !at_is_active())
		return 0;
	set = at_ruleset_at(number);
	if (!set || (!(set->features[kind] & needs) && !(hints && set->hints)))
		return 0;
	if (!at_is_inside(container, bpf_get_current_task_btf()))
		return 0;
	__builtin_memset(a, 0, sizeof(*a));
	a->slot = slot;
	a->ruleset = number;
	a->walk.ruleset = number;
	a->walk.root_ino = container->root_ino;
	a->kind = kind;
	a->action = AT_ACTION_NONE;
	return set;
}

/* The task whose executable the rules of this kind mean by source. An orphan's parent is whoever adopted it. */
static __always_inline struct file *at_source_file(enum at_kind kind)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return kind == AT_KIND_PROCESS ? task->real_parent->mm->exe_file : task->mm->exe_file;
}

/* Where the source lies; its hash is found when the first path is judged. */
static __always_inline void at_set_source(struct at_access *a, const struct at_ruleset *set)
{
	struct file *exe;

	if (!(set->features[a->kind] & AT_HAS_SOURCE))
		return;
	exe = at_source_file(a->kind);
	a->source.mnt = (__u64)exe->f_path.mnt;
	a->source.dentry = (__u64)exe->f_path.dentry;
}

/* The file that is judged. The container's root filesystem names it a second time. */
static __always_inline void at_set_file(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry)
{
	const struct at_container *container = at_container_at(a->slot);
	struct super_block *sb = mnt->mnt_sb;
	struct dentry *root = mnt->mnt_root;

	a->file.mnt = (__u64)mnt;
	a->file.dentry = (__u64)dentry;
	a->on_root = 0;
	if (!container || !container->root_dev || sb->s_dev != container->root_dev)
		return;
	a->on_root = 1;
	a->same_root = container->root_ino ? root->d_inode->i_ino == container->root_ino : root == sb->s_root;
}

static __always_inline bool at_is_owner(const struct inode *inode)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->cred->fsuid.val == inode->i_uid.val;
}

#endif
