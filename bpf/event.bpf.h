/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events: who did what to which file, as a record of the rings. They are put together in a slot that one program at a
 * time owns, since neither the stack nor memory per CPU will do: tasks preempt each other inside these programs. The
 * verdict is settled before; that an event finds no slot or no room changes nothing but a counter.
 */
#ifndef AT_EVENT_BPF_H
#define AT_EVENT_BPF_H

#include "verdict.bpf.h"

#define AT_SLOTS 128 /* half of them for each ring: audit alerts, which nothing throttles here, leave the others theirs */
#define AT_RING_SLOTS (AT_SLOTS / AT_RINGS)
#define AT_TEXTS_MAX 16384 /* a power of two; all texts of an event together */

_Static_assert((AT_NAME_MAX & (AT_NAME_MAX + 1)) == 0, "AT_NAME_MAX is a mask");
_Static_assert(AT_TEXTS * AT_PATH_MAX < AT_TEXTS_MAX, "the texts of an event fit");

struct at_slot {
	__u64 taken;
	struct at_place place;
	struct at_walk walk;
	__u64 root_ino; /* of the container, see struct at_walk */
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
	__u32 first;
	__u32 key;
	__u32 claimed;
};

static long at_claim_step(__u32 index, struct at_claim *claim)
{
	__u32 key = (claim->first + ((claim->key + index) & (AT_RING_SLOTS - 1))) & (AT_SLOTS - 1);
	struct at_slot *slot = bpf_map_lookup_elem(&scratch, &key);

	if (!slot || __sync_val_compare_and_swap(&slot->taken, 0, 1))
		return 0;
	claim->key = key;
	claim->claimed = 1;
	return 1;
}

static __always_inline struct at_slot *at_claim_slot(__u32 ring)
{
	struct at_claim claim = { ring * AT_RING_SLOTS, bpf_get_smp_processor_id() * 2, 0 };

	bpf_loop(AT_RING_SLOTS, at_claim_step, &claim, 0);
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
	at_walk_count(&slot->place, &slot->walk, slot->root_ino);
	length = slot->place.length;
	if (slot->used + length + 1 >= AT_TEXTS_MAX) {
		slot->event.flags |= AT_EVENT_TRUNCATED;
		return 0;
	}
	slot->begin = slot->used;
	slot->cursor = slot->used + length;
	slot->left = slot->place.count;
	at_begin_walk(&slot->walk, &slot->place, slot->root_ino);
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

static __always_inline struct at_slot *at_new_event(__u32 ring, enum at_event_type type, __u64 container,
						    __u64 now)
{
	struct at_slot *slot = at_claim_slot(ring);

	if (!slot)
		return 0;
	__builtin_memset(&slot->event, 0, sizeof(slot->event));
	__builtin_memset(&slot->walk, 0, sizeof(slot->walk));
	slot->walk.flags = AT_WALK_CALM; /* a text that a rename spoils is left out */
	slot->root_ino = 0;
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

#endif
