/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the verdict to what the access gets: posture, alert, and the functions that hooks decide with. */
#ifndef AT_ALERT_BPF_H
#define AT_ALERT_BPF_H

#include "event.bpf.h"

/* The time of the alert, if it may go out; 0: it is throttled. Only refusals are throttled here. */
__noinline __u64 at_admit(struct at_access *a, int result)
{
	const struct at_container *container;
	struct at_admission admission = {};

	if (!a)
		return 0;
	/* The key lies in the struct because the frame of this function is full: the throttle's own lie below it. */
	admission.profile = a->slot;
	container = bpf_map_lookup_elem(&containers, &admission.profile);
	if (!container)
		return 0;
	admission.now_ns = bpf_ktime_get_boot_ns();
	if (!result)
		return admission.now_ns;
	admission.container = container->container;
	admission.profile = container->profile;
	admission.rule = a->rule;
	admission.operation = a->operation;
	return at_window_admit(&admission) ? admission.now_ns : 0;
}

static __always_inline void at_copy_args(struct at_event *event, const struct at_access *a)
{
	if (a->kind == AT_KIND_NETWORK) {
		for (int i = 0; i < 4; i++)
			event->arg[i] = a->short_arg[i];
	} else {
		event->arg[0] = a->arg[0];
		event->arg[1] = a->arg[1];
	}
}

/* Sends the alert about an access; `result`: what it got. */
__noinline int at_raise(struct at_access *a, int result, __u64 now)
{
	const __u32 ring = result ? AT_RING_ENFORCEMENT : AT_RING_AUDIT;
	const struct at_container *container;
	struct at_slot *slot;

	if (!a)
		return 0;
	container = at_container_at(a->slot);
	if (!container)
		return 0;
	slot = at_new_event(ring, AT_EVENT_ALERT, container->container, now);
	if (!slot)
		return at_count_unsent(ring, container->container);
	slot->event.head.operation = a->operation;
	slot->event.result = result;
	slot->event.rule = a->rule;
	slot->event.flags = a->flags | (a->write ? AT_EVENT_WRITE : 0);
	slot->event.kind = a->kind;
	at_copy_args(&slot->event, a);
	at_describe_task(&slot->event);
	slot->root_ino = container->root_ino;
	slot->place = a->file;
	at_add_path(slot, AT_TEXT_RESOURCE);
	at_add_task_texts(slot);
	return at_send(slot, ring);
}

/*
 * Rules of which one execve has raised an alert, by thread. A script and its interpreter are links of one system call;
 * the first link begins anew.
 */
#define AT_LINKS 4
struct at_exec {
	__u32 rules[AT_LINKS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct at_exec);
} execs SEC(".maps");

static __always_inline void at_forget_exec(void)
{
	__u32 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&execs, &thread);
}

/* Has this execve raised an alert of the rule? Notes that it does now. */
static __noinline bool at_exec_said(__u32 rule)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct at_exec fresh = {};
	struct at_exec *exec;

	exec = bpf_map_lookup_elem(&execs, &thread);
	if (!exec) {
		fresh.rules[0] = rule;
		bpf_map_update_elem(&execs, &thread, &fresh, BPF_ANY);
		return false;
	}
	for (int i = 0; i < AT_LINKS; i++) {
		if (exec->rules[i] == rule)
			return true;
		if (!exec->rules[i]) {
			exec->rules[i] = rule;
			return false;
		}
	}
	return false;
}

/*
 * No rule was found to match, but the path is not known: can a Block rule be on it? Of what a process holds already, and
 * of what it maps, only with FAIL_MODE=closed; memory without a name is no file that a rule could be on.
 */
static __always_inline bool at_may_be_blocked(const struct at_access *a, __u32 features)
{
	if (a->mode & AT_MODE_NEEDS_PATH)
		return true;
	if (!(features & AT_HAS_BLOCK))
		return false;
	return !(a->mode & AT_MODE_NO_POSTURE) || (a->file.state != AT_WALK_INTERNAL && at_fails_closed());
}

/* Applies the posture to the verdict of the rules: what the access gets, 0 or an error. `a->raise`: with an alert. */
__noinline int at_conclude(struct at_access *a)
{
	const struct at_ruleset *set;
	__u32 posture;
	int result = 0;

	if (!a)
		return 0;
	a->raise = 0;
	set = at_set_of(a);
	if (!set)
		return 0;
	posture = a->mode & AT_MODE_NO_POSTURE ? AT_POSTURE_NONE : set->posture[a->kind & 3];
	if (a->flags & AT_EVENT_UNREACHABLE && a->action == AT_ACTION_NONE) {
		if (!at_may_be_blocked(a, set->features[a->kind & 3])) {
			at_count(AT_COUNTER_UNREACHABLE_ALLOWED, 1);
			return 0;
		}
		a->action = AT_ACTION_BLOCK;
		a->rule = AT_RULE_POSTURE;
		at_count(AT_COUNTER_UNREACHABLE_REFUSED, 1);
	}
	if (a->action == AT_ACTION_NONE && posture != AT_POSTURE_NONE) {
		a->action = posture == AT_POSTURE_BLOCK ? AT_ACTION_BLOCK : AT_ACTION_AUDIT;
		a->rule = AT_RULE_POSTURE;
	}
	if (a->action >= AT_ACTION_ALLOW || (a->mode & AT_MODE_ONLY_BLOCK && a->action != AT_ACTION_BLOCK))
		return 0;
	if (a->action == AT_ACTION_BLOCK) {
		if (set->audited)
			a->flags |= AT_EVENT_AUDITED;
		else
			result = a->kind == AT_KIND_CAPABILITY ? -EPERM : -EACCES;
	}
	if (!result) {
		if (a->mode & AT_MODE_NO_AUDIT || a->said == a->rule)
			return 0;
		if (a->mode & AT_MODE_EXEC && at_exec_said(a->rule))
			return 0;
	}
	/* One program refuses: after it no other is asked, of whichever set it is. What passes all of them see. */
	a->raise = result || !a->silent;
	a->said = a->rule;
	return result;
}

/* Raises the alert that the verdict calls for, unless it is throttled. `result`: what the access got. */
static __always_inline void at_raise_admitted(struct at_access *a, int result)
{
	__u64 now;

	if (!a->raise)
		return;
	now = at_admit(a, result);
	if (now)
		at_raise(a, result, now);
}

static __always_inline int at_conclude_and_raise(struct at_access *a)
{
	const int result = at_conclude(a);

	at_raise_admitted(a, result);
	/* From 6.8 on the verifier wants to see that a hook returns an error or 0. */
	if (result == -EPERM)
		return -EPERM;
	return result ? -EACCES : 0;
}

/* Judges an access to a file; false where there is nothing to conclude. `inode`: whose owner counts. */
static __always_inline bool at_judge_name(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					  const struct inode *inode, enum at_operation operation)
{
	int state;

	a->operation = operation;
	a->flags = 0;
	a->owner = at_is_owner(inode);
	at_set_file(a, mnt, dentry);
	state = at_judge_file(a, mnt, dentry);
	if (state != AT_WALK_DONE) {
		/* What the kernel made for itself, a pipe or shared memory, has no path that a file rule could name. */
		if (state == AT_WALK_INTERNAL && (a->kind == AT_KIND_FILE || a->mode & AT_MODE_NEEDS_PATH))
			return false;
		a->flags |= AT_EVENT_UNREACHABLE;
	}
	return true;
}

/* Judges and concludes it: 0 or an error. */
static __always_inline int at_decide_name(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					  const struct inode *inode, enum at_operation operation)
{
	if (!at_judge_name(a, mnt, dentry, inode, operation))
		return 0;
	return at_conclude_and_raise(a);
}

static __always_inline int at_decide_file(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					  enum at_operation operation)
{
	return at_decide_name(a, mnt, dentry, dentry->d_inode, operation);
}

/*
 * Refuses what would give another name to all that lies below a directory, if a protected path is among it, or with
 * `needs_path` if nobody can tell.
 */
static __always_inline int at_decide_hint(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					  enum at_operation operation, __u16 needs_path)
{
	const __u8 kind = a->kind;
	const __u16 mode = a->mode;
	int result = 0, state;

	a->operation = operation;
	a->flags = AT_EVENT_HINT;
	a->mode = AT_MODE_HINT | AT_MODE_NO_POSTURE | needs_path;
	at_set_file(a, mnt, dentry);
	state = at_judge_file(a, mnt, dentry);
	if (state != AT_WALK_DONE)
		a->flags |= AT_EVENT_UNREACHABLE;
	if (state == AT_WALK_DONE || (needs_path && state != AT_WALK_INTERNAL))
		result = at_conclude_and_raise(a);
	a->mode = mode;
	a->kind = kind;
	return result;
}

static __always_inline bool at_is_directory(const struct dentry *dentry)
{
	const struct inode *inode = dentry->d_inode;

	return inode && S_ISDIR(inode->i_mode);
}

/* Refuses to give another name to what a Block process rule forbids to execute, or to a directory full of that. */
static __always_inline int at_decide_executable(struct at_access *a, const struct at_ruleset *set,
						struct vfsmount *mnt, struct dentry *dentry,
						enum at_operation operation)
{
	const __u8 kind = a->kind;
	const __u16 mode = a->mode;
	int result;

	if (!(set->features[AT_KIND_PROCESS] & AT_HAS_BLOCK))
		return 0;
	a->kind = AT_KIND_PROCESS;
	a->mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_POSTURE | AT_MODE_NO_SOURCE | AT_MODE_NEEDS_PATH;
	if (at_is_directory(dentry))
		a->mode |= AT_MODE_DIRECTORY;
	result = at_decide_file(a, mnt, dentry, operation);
	a->mode = mode;
	a->kind = kind;
	return result;
}

#endif
