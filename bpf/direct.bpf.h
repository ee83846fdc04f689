/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The part of a walk that begins with the dentry that the kernel has handed over: its ancestors up to the root of the
 * mount are typed pointers, and so each field is one load. Short names lie in the dentry itself and are loaded word by
 * word. Above that mount only addresses are known (path.bpf.h).
 */
#ifndef AT_DIRECT_BPF_H
#define AT_DIRECT_BPF_H

#include "component.bpf.h"

#define AT_INLINE_WORDS 4 /* of a name that lies in its dentry: it is shorter than that, as a zero ends it */

/* The place where a walk begins. Not in struct at_place: functions that are verified on their own lose the types in it. */
struct at_start {
	struct vfsmount *mnt;
	struct dentry *dentry;
	__u64 root_ino; /* of the container, for paths inside a filesystem */
};

/* What the steps of a pass have of it. */
struct at_trail {
	struct dentry *dentry;
	struct at_walk *walk;
	__u64 seed; /* of names; looked up once */
	__u64 step; /* of paths */
};

/* On a frame of its own, as that of the pass is full. */
static __noinline __u64 at_seed(void)
{
	const struct at_settings *settings = at_settings();

	return settings ? settings->hash_secret[0] : 0;
}

/*
 * Where a dentry has its short name, in bytes from its beginning. The barriers keep the compiler from loading the offset
 * that the running kernel does not have before it is known which one that is.
 */
static __always_inline __u32 at_inline_offset(void)
{
	__u32 offset;

	if (bpf_core_field_exists(struct dentry, d_iname)) {
		offset = bpf_core_field_offset(struct dentry, d_iname);
		barrier_var(offset);
	} else {
		offset = bpf_core_field_offset(struct dentry___renamed, d_shortname);
		barrier_var(offset);
	}
	return offset;
}

static __always_inline bool at_is_inline(struct dentry *dentry, __u32 length)
{
	return length < AT_INLINE_WORDS * sizeof(__u64) &&
	       (__u64)dentry->d_name.name == (__u64)dentry + at_inline_offset();
}

static __always_inline __u64 at_inline_word(struct dentry *dentry, __u32 at)
{
	return *(volatile __u64 *)((void *)dentry + at_inline_offset() + at * sizeof(__u64));
}

static __always_inline __u64 at_direct_hash_name(const struct at_trail *trail, struct dentry *dentry, __u32 length)
{
	__u64 hash = at_hash_begin(&trail->seed, length), word = 0;

	if (!at_is_inline(dentry, length))
		return at_hash_component((__u64)dentry->d_name.name, length);
	for (__u32 at = 0; at < AT_INLINE_WORDS; at++) {
		word = at_inline_word(dentry, at);
		if (length <= (at + 1) * sizeof(__u64))
			break;
		hash = at_hash_word(hash, word);
	}
	return at_hash_end(at_hash_word(hash, at_hash_last_word(word, length)));
}

static __always_inline bool at_direct_same_name(struct dentry *dentry, __u32 length, __u32 index)
{
	const struct at_name *name;
	__u64 differs = 0;

	if (!at_is_inline(dentry, length))
		return at_same_name((__u64)dentry->d_name.name, length, index);
	name = bpf_map_lookup_elem(&names, &index);
	if (!name || name->length != length)
		return false;
	for (__u32 at = 0; at < AT_INLINE_WORDS; at++) {
		differs = at_inline_word(dentry, at) ^ *(__u64 *)(name->text + at * sizeof(__u64));
		if (length <= (at + 1) * sizeof(__u64))
			break;
		if (differs)
			return false;
	}
	return !at_hash_last_word(differs, length);
}

/* Inside a filesystem: is this the root that the path counts from? Also ends where a dentry has no parent. */
static __always_inline bool at_is_filesystem_root(struct at_walk *w, struct dentry *dentry)
{
	const struct inode *inode = dentry->d_inode;

	if (w->root && inode && inode->i_ino == w->root) {
		w->state = AT_WALK_DONE;
		return true;
	}
	if (dentry->d_parent != dentry)
		return false;
	if (dentry->d_sb->s_root != dentry)
		w->state = AT_WALK_UNREACHABLE;
	else
		w->state = w->root ? AT_WALK_OUTSIDE : AT_WALK_DONE;
	return true;
}

/* Is this no component? At the root of the mount the walk goes on elsewhere, else it is over (`w->state`). */
static __always_inline bool at_direct_end(struct at_walk *w, struct dentry *dentry)
{
	if (!w->mnt)
		return at_is_filesystem_root(w, dentry);
	if ((__u64)dentry == w->root)
		return true;
	if (dentry->d_parent == dentry) {
		w->state = AT_WALK_UNREACHABLE;
		return true;
	}
	return false;
}

/* Bytes of the name; more than there can be where the dentry is not what it should be. */
static __always_inline __u32 at_direct_length(struct at_walk *w, struct dentry *dentry)
{
	const __u32 length = dentry->d_name.len;

	if (length > AT_NAME_MAX)
		w->state = AT_WALK_UNREACHABLE;
	return length;
}

/* Is this a component? Of `length` bytes then. */
static __always_inline bool at_direct_component(struct at_walk *w, struct dentry *dentry, __u32 *length)
{
	if (at_direct_end(w, dentry))
		return false;
	*length = at_direct_length(w, dentry);
	return *length <= AT_NAME_MAX;
}

/*
 * A pointer as a number: the verifier does no arithmetic with pointers. An atomic operation on where it was stored makes
 * it forget that it is one.
 */
static __always_inline __u64 at_address(const void *pointer)
{
	__u64 address = (__u64)pointer;

#ifdef __bpf__
	asm volatile("lock *(u64 *)(%[at] + 0) += %[nothing]"
		     :
		     : [at] "r"(&address), [nothing] "r"(0ULL)
		     : "memory");
#endif
	return address;
}

/* Read where it stands: names and parents are read between two of these. */
static __always_inline __u32 at_direct_sequence(struct dentry *dentry)
{
	__u32 sequence;

	barrier();
	sequence = dentry->d_seq.seqcount.sequence;
	barrier();
	return sequence;
}

static __always_inline void at_direct_note(struct at_walk *w, struct dentry *dentry)
{
	if (!(w->flags & AT_WALK_CALM))
		at_note_step(w, at_address(dentry), at_direct_sequence(dentry));
}

/* The component at hand is done: goes on with its parent, and says where that lies. */
static __always_inline __u64 at_direct_up(struct at_trail *trail, struct dentry *dentry)
{
	struct dentry *parent = dentry->d_parent;

	trail->dentry = parent;
	return (__u64)parent;
}

/* The same in a pass that takes the sequence number last. */
static __always_inline long at_direct_end_step(struct at_walk *w, struct at_trail *trail, struct dentry *dentry)
{
	const __u64 parent = at_direct_up(trail, dentry);

	at_direct_note(w, dentry);
	return at_end_step(w, parent);
}

static long at_direct_count(__u32 index, struct at_trail *trail)
{
	struct dentry *dentry = trail->dentry;
	struct at_walk *w = trail->walk;
	__u32 sequence = 0, length;

	if (!(w->flags & AT_WALK_CALM))
		sequence = at_direct_sequence(dentry);
	if (at_direct_end(w, dentry))
		return 1;
	if (sequence & 1) {
		w->state = AT_WALK_RACED;
		return 1;
	}
	length = at_direct_length(w, dentry);
	if (length > AT_NAME_MAX)
		return 1;
	if (!(w->flags & AT_WALK_CALM))
		at_note_step(w, at_address(dentry), sequence);
	w->sum = w->print;
	return at_count_component(w, length, at_direct_up(trail, dentry));
}

static long at_direct_hash_and_count(__u32 index, struct at_trail *trail)
{
	struct dentry *dentry = trail->dentry;
	struct at_walk *w = trail->walk;
	__u32 length;

	if (!at_direct_component(w, dentry, &length))
		return 1;
	at_hash_on_the_way(w, at_direct_hash_name(trail, dentry, length), trail->step);
	return at_count_component(w, length, at_direct_up(trail, dentry));
}

static long at_direct_hash(__u32 index, struct at_trail *trail)
{
	struct dentry *dentry = trail->dentry;
	struct at_walk *w = trail->walk;
	__u32 length;

	if (!at_direct_component(w, dentry, &length))
		return 1;
	at_hash_at_depth(w, at_direct_hash_name(trail, dentry, length), trail->step);
	return at_direct_end_step(w, trail, dentry);
}

static long at_direct_confirm(__u32 index, struct at_trail *trail)
{
	struct dentry *dentry = trail->dentry;
	struct at_walk *w = trail->walk;
	__u32 length;

	if (!at_direct_component(w, dentry, &length))
		return 1;
	if (at_is_asked(w) && !at_direct_same_name(dentry, length, w->names + w->depth - w->low))
		w->flags |= AT_WALK_DIFFERS;
	return at_direct_end_step(w, trail, dentry);
}

#endif
