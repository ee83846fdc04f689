/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events: who did what to which file, as a record of the rings. They are put together in a slot that one program at a
 * time owns, since neither the stack nor memory per CPU will do: tasks preempt each other inside these programs. The
 * verdict is settled before; that an event finds no slot or no room changes nothing but a counter.
 */
#ifndef AT_EVENT_BPF_H
#define AT_EVENT_BPF_H

#include "rules.bpf.h"

#define AT_SLOTS 128
#define AT_TEXTS_MAX 16384 /* a power of two; all texts of an event together */

_Static_assert((AT_NAME_MAX & (AT_NAME_MAX + 1)) == 0, "AT_NAME_MAX is a mask");
_Static_assert(AT_TEXTS * AT_PATH_MAX < AT_TEXTS_MAX, "the texts of an event fit");

struct at_slot {
	__u64 taken;
	struct at_place place;
	struct at_walk walk;
	__u32 used;    /* bytes of `text` */
	__u32 cursor;  /* a path is written from its end to its beginning */
	__u32 begin;
	__u32 left;    /* components still to write */
	struct at_component component;
	struct at_event event;
	char text[AT_TEXTS_MAX + AT_NAME_MAX + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AT_SLOTS);
	__type(key, __u32);
	__type(value, struct at_slot);
} scratch SEC(".maps");

struct at_claim {
	__u32 key;
	__u32 claimed;
};

static long at_claim_step(__u32 index, struct at_claim *claim)
{
	__u32 key = (claim->key + index) & (AT_SLOTS - 1);
	struct at_slot *slot = bpf_map_lookup_elem(&scratch, &key);

	if (!slot || __sync_val_compare_and_swap(&slot->taken, 0, 1))
		return 0;
	claim->key = key;
	claim->claimed = 1;
	return 1;
}

static __always_inline struct at_slot *at_claim_slot(void)
{
	struct at_claim claim = { bpf_get_smp_processor_id() * 2, 0 };

	bpf_loop(AT_SLOTS, at_claim_step, &claim, 0);
	if (!claim.claimed) {
		at_count(AT_COUNTER_SCRATCH_MISSED, 1);
		return 0;
	}
	return bpf_map_lookup_elem(&scratch, &claim.key);
}

static __always_inline void at_release_slot(struct at_slot *slot)
{
	__sync_lock_test_and_set(&slot->taken, 0);
}

struct at_text_context { struct at_slot *slot; };

static long at_text_step(__u32 index, struct at_text_context *context)
{
	struct at_slot *slot = context->slot;
	__u32 at, length;

	if (!slot->left)
		return 1;
	if (!at_step(&slot->walk, &slot->component))
		return slot->walk.state != AT_WALK_GOING;
	length = slot->component.length & AT_NAME_MAX;
	if (slot->cursor < slot->begin + 1 + length)
		return 1;
	slot->cursor -= 1 + length;
	at = slot->cursor & (AT_TEXTS_MAX - 1);
	slot->text[at] = '/';
	bpf_probe_read_kernel(slot->text + at + 1, length, (void *)slot->component.name);
	slot->walk.dentry = slot->component.parent;
	slot->left--;
	return 0;
}

/* Adds the path of `slot->place`, or as much of it as is known, as the next text. */
__noinline int at_add_path(struct at_slot *slot, __u32 which)
{
	struct at_text_context context = { slot };
	__u32 length;

	if (!slot || which >= AT_TEXTS)
		return 0;
	if (!slot->place.dentry)
		return 0;
	at_walk_count(&slot->place, &slot->walk);
	length = slot->place.length;
	if (slot->used + length + 1 >= AT_TEXTS_MAX) {
		slot->event.flags |= AT_EVENT_TRUNCATED;
		return 0;
	}
	slot->begin = slot->used;
	slot->cursor = slot->used + length;
	slot->left = slot->place.count;
	at_begin_walk(&slot->walk, &slot->place);
	bpf_loop(AT_STEPS_MAX, at_text_step, &context, 0);
	if (slot->cursor != slot->begin) {
		/* Renamed meanwhile: no text rather than a wrong one. */
		slot->event.flags |= AT_EVENT_TRUNCATED;
		return 0;
	}
	if (!length && slot->place.state == AT_WALK_DONE) {
		slot->text[slot->used & (AT_TEXTS_MAX - 1)] = '/';
		length = 1;
	}
	slot->event.text_length[which & (AT_TEXTS - 1)] = length;
	slot->used += length;
	return 0;
}

static __always_inline void at_add_file(struct at_slot *slot, const struct path *path, enum at_text which)
{
	slot->place.within = 0;
	slot->place.mnt = (__u64)path->mnt;
	slot->place.dentry = (__u64)path->dentry;
	at_add_path(slot, which);
}

/* The process id (tgid) of a task as the pid namespace at `level` sees it; 0 where it does not. */
static __always_inline __u32 at_pid_at(const struct task_struct *task, __u32 level)
{
	__u64 pid = 0; /* an address: the verifier adds nothing variable to a typed pointer */
	int number = 0;

	bpf_core_read(&pid, sizeof(pid), &task->signal->pids[PIDTYPE_TGID]);
	if (!pid || level > task->signal->pids[PIDTYPE_TGID]->level)
		return 0;
	pid += bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&number, sizeof(number), (void *)(pid + bpf_core_field_offset(struct upid, nr)));
	return number;
}

static __always_inline void at_describe_task(struct at_event *event)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *parent = task->real_parent;
	const struct tty_struct *tty = task->signal->tty;
	__u32 level = task->signal->pids[PIDTYPE_TGID]->level;

	event->host_pid = task->tgid;
	event->host_ppid = parent->tgid;
	event->pid = at_pid_at(task, level);
	event->ppid = at_pid_at(parent, level);
	event->uid = task->cred->uid.val;
	event->pid_ns = task->nsproxy->pid_ns_for_children->ns.inum;
	event->mnt_ns = task->nsproxy->mnt_ns->ns.inum;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel_str(event->parent_comm, sizeof(event->parent_comm), parent->comm);
	if (tty)
		bpf_probe_read_kernel_str(event->tty, sizeof(event->tty), tty->name);
}

/* The texts about the task: its executable, its parent's, its working directory. */
static __always_inline void at_add_task_texts(struct at_slot *slot)
{
	struct task_struct *task = bpf_get_current_task_btf();

	at_add_file(slot, &task->mm->exe_file->f_path, AT_TEXT_PROCESS);
	at_add_file(slot, &task->real_parent->mm->exe_file->f_path, AT_TEXT_PARENT);
	at_add_file(slot, &task->fs->pwd, AT_TEXT_CWD);
}

static __always_inline struct at_slot *at_new_event(enum at_event_type type, __u64 container, __u64 now)
{
	struct at_slot *slot = at_claim_slot();

	if (!slot)
		return 0;
	__builtin_memset(&slot->event, 0, sizeof(slot->event));
	__builtin_memset(&slot->walk, 0, sizeof(slot->walk));
	slot->walk.flags = AT_WALK_CALM; /* a text that a rename spoils is left out */
	slot->used = 0;
	slot->event.head.type = type;
	slot->event.head.time_ns = now;
	slot->event.head.container = container;
	return slot;
}

/* Sends the event with its texts, and gives the slot back. */
static __noinline int at_send(struct at_slot *slot, __u32 ring)
{
	__u32 size;
	__u64 container;

	if (!slot)
		return 0;
	container = slot->event.head.container;
	size = sizeof(struct at_event) + (slot->used & (AT_TEXTS_MAX - 1));
	if (ring == AT_RING_AUDIT)
		at_ring_emit(AT_RING_AUDIT, &slot->event.head, size, container);
	else
		at_ring_emit(AT_RING_ENFORCEMENT, &slot->event.head, size, container);
	at_release_slot(slot);
	return 0;
}

/* No slot: all are taken by programs that were preempted. The event counts as lost, and has a number that is missing. */
static __noinline int at_count_unsent(__u32 ring, __u64 container)
{
	__u32 key = ring & 1;
	struct at_ring_state *state = bpf_map_lookup_elem(&ring_states, &key);

	if (state)
		__sync_fetch_and_add(&state->number, 1);
	at_ring_count(ring, container, AT_EVENT_ALERT, 0);
	return 0;
}

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
	slot = at_new_event(AT_EVENT_ALERT, container->container, now);
	if (!slot)
		return at_count_unsent(ring, container->container);
	slot->event.head.operation = a->operation;
	slot->event.result = result;
	slot->event.rule = a->rule;
	slot->event.flags = a->flags | (a->write ? AT_EVENT_WRITE : 0);
	slot->event.kind = a->kind;
	at_copy_args(&slot->event, a);
	at_describe_task(&slot->event);
	slot->walk.root_ino = a->walk.root_ino;
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
		if (!(a->mode & AT_MODE_NEEDS_PATH) &&
		    (!(set->features[a->kind & 3] & AT_HAS_BLOCK) || a->mode & AT_MODE_NO_POSTURE)) {
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
	a->raise = !a->silent;
	a->said = a->rule;
	return result;
}

static __always_inline int at_conclude_and_raise(struct at_access *a)
{
	const int result = at_conclude(a);
	__u64 now;

	if (a->raise) {
		now = at_admit(a, result);
		if (now)
			at_raise(a, result, now);
	}
	/* From 6.8 on the verifier wants to see that a hook returns an error or 0. */
	if (result == -EPERM)
		return -EPERM;
	return result ? -EACCES : 0;
}

/* Judges and concludes an access to a file: 0 or an error. `inode`: whose owner counts. */
static __always_inline int at_decide_name(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					  const struct inode *inode, enum at_operation operation)
{
	int state;

	a->operation = operation;
	a->flags = 0;
	a->owner = at_is_owner(inode);
	at_set_file(a, mnt, dentry);
	state = at_judge(a);
	if (state != AT_WALK_DONE) {
		/* What the kernel made for itself, a pipe or shared memory, has no path that a file rule could name. */
		if (state == AT_WALK_INTERNAL && (a->kind == AT_KIND_FILE || a->mode & AT_MODE_NEEDS_PATH))
			return 0;
		a->flags |= AT_EVENT_UNREACHABLE;
	}
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
	state = at_judge(a);
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
