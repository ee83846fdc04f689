/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a pass does with one component of a path, however it came by it: count it, hash it, compare it with a rule's. */
#ifndef AT_COMPONENT_BPF_H
#define AT_COMPONENT_BPF_H

#include "walk.bpf.h"

/* Counts a component; 1 where the path is too long. */
static __always_inline long at_count_component(struct at_walk *w, __u32 length, __u64 parent)
{
	if (w->depth == AT_DEPTH_MAX || w->length + 1 + length > AT_PATH_MAX) {
		w->state = AT_WALK_UNREACHABLE;
		return 1;
	}
	w->depth++;
	w->length += 1 + length;
	w->dentry = parent;
	return 0;
}

/* A word of a name, zeros behind its end. */
static __always_inline __u64 at_read_cut_word(__u64 from, __u32 bytes)
{
	__u64 word = 0;

	barrier_var(bytes); /* the comparison has to be with the very register that is passed on */
	if (bytes > sizeof(word))
		bytes = sizeof(word);
	bpf_probe_read_kernel(&word, bytes, (void *)from);
	return word;
}

/* The keyed hash of a component in the kernel's memory. Global, so that the verifier looks at it once. */
__noinline __u64 at_hash_component(__u64 name, __u32 length)
{
	const struct at_settings *settings = at_settings();
	__u64 hash, word;

	if (!settings)
		return 0;
	hash = at_hash_begin(settings->hash_secret, length);
#pragma clang loop unroll(disable)
	for (__u32 from = 0; from <= AT_NAME_MAX; from += sizeof(__u64)) {
		if (from >= length)
			break;
		word = at_read_cut_word(name + from, length - from);
		if (length - from <= sizeof(word))
			word = at_hash_last_word(word, length - from);
		hash = at_hash_word(hash, word);
	}
	return at_hash_end(hash);
}

/* Is a component that of map `names` at `index`? */
__noinline int at_same_name(__u64 text, __u32 length, __u32 index)
{
	const struct at_name *name = bpf_map_lookup_elem(&names, &index);

	if (!name || name->length != length)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 from = 0; from <= AT_NAME_MAX - 7; from += sizeof(__u64)) {
		if (from >= length)
			break;
		if (at_read_cut_word(text + from, length - from) != *(__u64 *)(name->text + from))
			return 0;
	}
	return 1;
}

/* The factor of Horner's rule: what was below is by one component further down. */
static __noinline __u64 at_step_factor(void)
{
	const struct at_settings *settings = at_settings();

	return settings ? at_hash_step(settings->hash_secret) : 0;
}

/*
 * The sums below ancestors become the hashes of these: that of the path less what lies below. Ends where there is none.
 */
__noinline int at_hash_ancestors(struct at_place *place, struct at_walk *w)
{
	const struct at_settings *settings = at_settings();
	__u64 step;

	if (!place || !w || !settings)
		return 0;
	step = at_hash_step(settings->hash_secret);
#pragma clang loop unroll(disable)
	for (int i = 0; i < AT_PARTIALS; i++) {
		if (i >= w->partials)
			break;
		w->partial[i] = place->hash - w->partial[i] * at_hash_power(step, w->depths[i] + 1);
	}
	return 0;
}

#define AT_DEPTH_LAST 63 /* of those that have a bit of their own */

/* The depths at which the rule set has directories for this kind of rule, a bit each. */
static __always_inline __u64 at_wanted(const struct at_ruleset *set, __u32 kind, bool with_source)
{
	const __u64 *depths;

	if (kind > AT_KIND_FILE)
		return 0;
	depths = set->dir_depths[kind][with_source];
	return depths[0] | (depths[1] | depths[2] ? 1ULL << AT_DEPTH_LAST : 0);
}

static __always_inline void at_note_partial(struct at_walk *w, __u32 depth)
{
	__u32 at = w->partials;

	if (at >= AT_PARTIALS || depth >= w->high || !(w->wanted >> (depth < AT_DEPTH_LAST ? depth : AT_DEPTH_LAST) & 1))
		return;
	w->partial[at] = w->sum;
	w->depths[at] = depth;
	w->partials = at + 1;
}

/* Takes a component into the sum; below an ancestor that is asked for, notes the sum so far. */
static __always_inline void at_hash_at_depth(struct at_walk *w, __u64 hash, __u64 step)
{
	if (!w->last)
		w->last = hash;
	at_note_partial(w, w->depth);
	w->sum = w->sum * step + hash;
}

/* The same where the depth is not known yet. */
static __always_inline void at_hash_on_the_way(struct at_walk *w, __u64 hash, __u64 step)
{
	if (!w->last)
		w->last = hash;
	w->sum = w->sum * step + hash;
}

/* Is the component at hand one that a rule names? */
static __always_inline bool at_is_asked(const struct at_walk *w)
{
	return w->depth >= w->low && w->depth <= w->high;
}

/* The component at hand is done with: 1 if it was the first of the path. */
static __always_inline long at_end_step(struct at_walk *w, __u64 parent)
{
	w->dentry = parent;
	return --w->depth == 0;
}

#endif
