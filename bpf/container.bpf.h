/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose access it is: the current task's cgroup, the container that this cgroup belongs to, and its rule set. Nothing
 * that a process can do to itself changes its cgroup.
 */
#ifndef AT_CONTAINER_BPF_H
#define AT_CONTAINER_BPF_H

#include "path.bpf.h"

/* One access and the verdict on it; lies in the frame of the hook. */
struct at_access {
	struct at_place file;
	struct at_place source; /* the executable that fromSource is compared with; its hash is 0 where there is none */
	__u32 ruleset;
	__u32 slot;          /* of the container */
	__u32 rule;          /* verdict: number of the rule, AT_RULE_POSTURE, or 0 */
	__u32 said;          /* rule of the alert that this system call has raised already */
	__u32 hit_rule;      /* the rule whose names are being confirmed, and its source's names */
	__u32 hit_source;
	union {
		__u32 arg[2];
		__u16 short_arg[4]; /* of network accesses: struct at_event has a word for each */
	};
	__u16 operation;
	__u16 mode;          /* AT_MODE_* */
	__u8 kind;
	__u8 action;         /* verdict: enum at_action, or AT_ACTION_NONE */
	__u8 write;
	__u8 owner;
	__u8 flags;          /* AT_EVENT_* */
	__u8 stage;          /* enum at_stage */
	__u8 attempt;        /* walks that renames have spoilt */
	__u8 candidate;      /* the next of this pass */
	__u8 hit_action;
	__u8 hit_source_count;
	__u8 first_action;   /* verdict on the first of two names */
	__u8 first_state;
	__u8 raise;          /* an alert is to be raised */
	__u8 silent;         /* another set of programs raises the alerts */
	__u32 first_rule;
	__u32 renames;       /* rename_lock's number when the judgement began; odd: not known */
};

#define AT_MODE_NO_AUDIT 0x1     /* no alerts for what is let through: another hook of this system call raised them */
#define AT_MODE_NO_POSTURE 0x2
#define AT_MODE_ONLY_BLOCK 0x4   /* only Block rules are asked for */
#define AT_MODE_EXEC 0x8         /* a link of an execve, which raises one alert per rule */
#define AT_MODE_ON_ROOT 0x10     /* lies on the container's root filesystem */
#define AT_MODE_SAME_ROOT 0x20   /* seen through a mount whose root is the container's root directory */
#define AT_MODE_SECOND_NAME 0x40 /* judged by its path inside that filesystem */
#define AT_MODE_WITH_SOURCE 0x80 /* the rules with that source are asked */
#define AT_MODE_NO_SOURCE 0x100  /* rules with a source are left out */
#define AT_MODE_HINT 0x200       /* asked is only whether it is an ancestor of a protected path */
#define AT_MODE_NEEDS_PATH 0x800 /* what has no path is refused, although the posture is left out */
#define AT_MODE_DIRECTORY 0x400  /* a directory: no program's name, but a rule on a directory may be on it */

#define AT_ACTION_NONE AT_ACTIONS

static __always_inline struct at_container *at_container_at(__u32 slot)
{
	return bpf_map_lookup_elem(&containers, &slot);
}

static __always_inline struct at_ruleset *at_ruleset_at(__u32 number)
{
	return bpf_map_lookup_elem(&rulesets, &number);
}

/* FAIL_MODE=closed: what cannot be judged is refused, wherever a Block rule might be on it. */
static __always_inline bool at_fails_closed(void)
{
	const struct at_settings *settings = at_settings();

	return settings && *(volatile const __u32 *)&settings->fail_closed;
}

/*
 * A runtime joins the container's cgroup before it enters the container's mounts. Until then it is part of the host: in
 * the host's mount namespace always, in another one as long as the container has not had its first exec.
 */
static __always_inline bool at_is_inside(const struct at_container *container)
{
	return !(container->flags & AT_CONTAINER_STARTING);
}

static __always_inline bool at_is_in_host_mounts(const struct at_settings *settings)
{
	return bpf_get_current_task_btf()->nsproxy->mnt_ns->ns.inum == settings->init_mnt_ns;
}

#define AT_LEVELS_MAX 64 /* of cgroups, down to which a container is looked for */

struct at_ancestry { __u32 slot_and_one; };

static long at_ancestor_step(__u32 index, struct at_ancestry *ancestry)
{
	const __u64 cgroup = bpf_get_current_ancestor_cgroup_id(index + 1);
	const struct at_member *member;
	const struct at_container *container;
	__u32 slot;

	if (!cgroup)
		return 1;
	member = bpf_map_lookup_elem(&members, &cgroup);
	if (!member)
		return 0;
	slot = member->slot;
	container = at_container_at(slot);
	if (container && container->container == member->container)
		ancestry->slot_and_one = slot + 1;
	return 0;
}

static __always_inline bool at_members_missed(void)
{
	__u32 key = 0;
	const __u64 *missed = bpf_map_lookup_elem(&members_missed, &key);

	return missed && *missed;
}

/*
 * The current task's cgroup is no member. If some found no room, one of its ancestors may be: the slot of the nearest,
 * plus 1; else 0. On a frame of its own, that of the hook is full.
 */
__noinline __u32 at_slot_above(void)
{
	struct at_ancestry ancestry = {};

	if (!at_members_missed())
		return 0;
	bpf_loop(AT_LEVELS_MAX, at_ancestor_step, &ancestry, 0);
	return ancestry.slot_and_one;
}

/* The container of the current task; null for tasks of the host. */
static __always_inline struct at_container *at_current_container(__u32 *slot)
{
	const __u64 cgroup = bpf_get_current_cgroup_id();
	const struct at_member *member = bpf_map_lookup_elem(&members, &cgroup);
	struct at_container *container;
	__u32 above;

	if (member) {
		*slot = member->slot;
		container = at_container_at(member->slot);
		if (container && container->container == member->container)
			return container;
		/* Left over from when the container had another slot. */
	}
	above = at_slot_above();
	*slot = above - 1;
	return above ? at_container_at(*slot) : 0;
}

/* The first exec in a mount namespace of its own is the container's: from here on its tasks are judged. */
static __always_inline void at_container_started(void)
{
	const struct at_settings *settings = at_settings();
	struct task_struct *task = bpf_get_current_task_btf();
	struct at_container *container;
	__u32 slot;

	container = at_current_container(&slot);
	if (!container || !(container->flags & AT_CONTAINER_STARTING) || !settings)
		return;
	if (task->nsproxy->mnt_ns->ns.inum != settings->init_mnt_ns)
		__sync_fetch_and_and(&container->flags, ~AT_CONTAINER_STARTING);
}

/* Does the set refuse anything by its path? Then the container must not give other names to files by mounting. */
static __always_inline bool at_refuses_paths(const struct at_ruleset *set)
{
	return set->hints || set->posture[AT_KIND_PROCESS] == AT_POSTURE_BLOCK ||
	       set->posture[AT_KIND_FILE] == AT_POSTURE_BLOCK;
}

/* What makes a rule set care about names although it has no rules of the kind at hand. */
enum at_also {
	AT_ALSO_NOTHING,
	AT_ALSO_PATHS, /* it refuses something by its path */
	AT_ALSO_NAMES, /* or to execute something by its last component */
};

static __always_inline bool at_asks_also(const struct at_ruleset *set, enum at_also also)
{
	if (also == AT_ALSO_NAMES && set->features[AT_KIND_PROCESS] & AT_HAS_BLOCK)
		return true;
	return also != AT_ALSO_NOTHING && at_refuses_paths(set);
}

/*
 * Begins an access of `kind` by the current task: the rule set, or null where nothing is to be decided. `needs`: at
 * least one of these features must be there, or else what `also` asks for.
 */
static __always_inline const struct at_ruleset *at_begin(struct at_access *a, enum at_kind kind, __u32 needs,
							 enum at_also also)
{
	const struct at_settings *settings = at_settings();
	const struct at_container *container;
	const struct at_ruleset *set;
	__u64 number;
	__u32 slot, active;

	/* What nearly all processes outside containers are told by, without a look into any map. */
	if (!settings || at_is_in_host_mounts(settings))
		return 0;
	container = at_current_container(&slot);
	if (!container)
		return 0;
	number = *(volatile __u64 *)&container->ruleset;
	active = *(volatile const __u32 *)&settings->active;
	if (number == ~0ULL || active < at_generation)
		return 0;
	set = at_ruleset_at(number);
	if (!set || (!(set->features[kind] & needs) && !at_asks_also(set, also)))
		return 0;
	if (!at_is_inside(container))
		return 0;
	__builtin_memset(a, 0, sizeof(*a));
	a->slot = slot;
	a->silent = active != at_generation;
	a->ruleset = number;
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

	a->file.within = 0;
	a->file.mnt = (__u64)mnt;
	a->file.dentry = (__u64)dentry;
	a->mode &= ~(AT_MODE_ON_ROOT | AT_MODE_SAME_ROOT | AT_MODE_SECOND_NAME);
	if (!container || !container->root_dev || sb->s_dev != container->root_dev)
		return;
	a->mode |= AT_MODE_ON_ROOT;
	if (container->root_ino ? root->d_inode->i_ino == container->root_ino : root == sb->s_root)
		a->mode |= AT_MODE_SAME_ROOT;
}

/* Does the task own the file? `inode` null: it does not exist yet, and will be the task's. */
static __always_inline bool at_is_owner(const struct inode *inode)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return !inode || task->cred->fsuid.val == inode->i_uid.val;
}

#endif
