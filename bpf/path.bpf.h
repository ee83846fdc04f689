/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The passes of a walk (walk.bpf.h): counting, hashing, both at once, and comparing with the names of a rule. */
#ifndef AT_PATH_BPF_H
#define AT_PATH_BPF_H

#include "walk.bpf.h"

struct at_walk_context { struct at_walk *walk; };

/* The walk goes on without a component: notes how far it came in the mount that it began in. 1 where it is over. */
static __always_inline long at_note_crossing(struct at_walk *w)
{
	if (!(w->flags & AT_WALK_CROSSED))
		w->low = w->depth;
	w->flags |= AT_WALK_CROSSED;
	return w->state != AT_WALK_GOING;
}

/* Counts a component; 1 where the path is too long. */
static __always_inline long at_count_component(struct at_walk *w, const struct at_component *c)
{
	if (w->depth == AT_DEPTH_MAX || w->length + 1 + c->length > AT_PATH_MAX) {
		w->state = AT_WALK_UNREACHABLE;
		return 1;
	}
	w->depth++;
	w->length += 1 + c->length;
	w->dentry = c->parent;
	return 0;
}

static long at_count_step(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	const __u32 sequence = w->flags & AT_WALK_CALM ? 0 : at_sequence(w->dentry);
	struct at_component c;

	if (!at_step(w, &c))
		return at_note_crossing(w);
	if (sequence & 1) {
		w->state = AT_WALK_RACED;
		return 1;
	}
	at_note_step(w, sequence);
	w->sum = w->print; /* mounts above the first component are of no account */
	return at_count_component(w, &c);
}

static __always_inline void at_begin_count(struct at_walk *w, struct at_place *place)
{
	place->count = 0;
	w->length = 0;
	at_begin_walk(w, place);
}

static __always_inline void at_end_of_count(const struct at_walk *w, struct at_place *place)
{
	place->count = w->depth;
	place->inside = w->low;
	place->length = w->length;
	place->state = w->state == AT_WALK_GOING ? AT_WALK_UNREACHABLE : w->state;
}

/* First pass: fills all of `place` but the hash. */
__noinline int at_walk_count(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	at_begin_count(w, place);
	bpf_loop(AT_STEPS_MAX, at_count_step, &context, 0);
	at_end_of_count(w, place);
	place->print = w->sum;
	return 0;
}

/* Reads up to 32 bytes of a name, padded with zeros. */
static __always_inline void at_read_words(struct at_words *words, __u64 name, __u32 length, __u32 from)
{
	__u32 size = length - from;

	__builtin_memset(words, 0, sizeof(*words));
	barrier_var(size); /* the comparison has to be with the very register that is passed on */
	if (size > sizeof(*words))
		size = sizeof(*words);
	bpf_probe_read_kernel(words, size, (void *)(name + from));
}

/* The keyed hash of a component in the kernel's memory. Global, so that the verifier looks at it once. */
__noinline __u64 at_hash_component(__u64 name, __u32 length)
{
	const struct at_settings *settings = at_settings();
	struct at_words words;
	__u64 hash;

	if (!settings)
		return 0;
	hash = at_hash_begin(settings->hash_secret, length);
	for (__u32 from = 0; from < AT_NAME_MAX; from += sizeof(words)) {
		if (from >= length)
			break;
		at_read_words(&words, name, length, from);
		hash = at_hash_block(hash, words.word);
	}
	return at_hash_end(hash);
}

/* Horner's rule: what was below is now one component further down. */
static __always_inline __u64 at_hash_append(__u64 below, __u64 component)
{
	const struct at_settings *settings = at_settings();

	return settings ? below * at_hash_step(settings->hash_secret) + component : 0;
}

/* The hash of the ancestor at `depth`, from the hash of the path and the sum of what lies below the ancestor. */
__noinline __u64 at_ancestor_hash(__u64 path, __u64 below, __u32 depth)
{
	const struct at_settings *settings = at_settings();

	return settings ? path - below * at_hash_power(at_hash_step(settings->hash_secret), depth + 1) : 0;
}

/* Does the rule set have a directory at this depth? `select` - 1 counts through dir_depths[kind][source]. */
static __always_inline bool at_has_directory(const struct at_walk *w, __u32 depth)
{
	__u32 select = w->select, ruleset = w->ruleset, word;
	const struct at_ruleset *set;

	if (!select || depth >= w->limit || w->partials >= AT_PARTIALS)
		return false;
	set = bpf_map_lookup_elem(&rulesets, &ruleset);
	if (!set)
		return false;
	word = (select - 1) * AT_DEPTH_WORDS + (depth >> 6);
	if (word >= sizeof(set->dir_depths) / sizeof(__u64))
		return false;
	return ((const __u64 *)set->dir_depths)[word] >> (depth & 63) & 1;
}

static __always_inline void at_note_partial(struct at_walk *w, __u32 depth)
{
	__u32 at = w->partials;

	if (!at_has_directory(w, depth) || at >= AT_PARTIALS)
		return;
	w->partial[at] = w->sum;
	w->depths[at] = depth;
	w->partials = at + 1;
}

/* The component at hand is done with: 1 if it was the first of the path. */
static __always_inline long at_end_step(struct at_walk *w, const struct at_component *c)
{
	at_note_step(w, w->flags & AT_WALK_CALM ? 0 : at_sequence(w->dentry));
	w->dentry = c->parent;
	return --w->depth == 0;
}

static long at_hash_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;
	__u64 hash;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	hash = at_hash_component(c.name, c.length);
	if (!w->last)
		w->last = hash;
	at_note_partial(w, w->depth);
	w->sum = at_hash_append(w->sum, hash);
	return at_end_step(w, &c);
}

/* Begins a pass over a path that was counted; true where there is anything to pass. */
static __always_inline bool at_begin_pass(struct at_walk *w, const struct at_place *place)
{
	at_begin_walk(w, place);
	return place->count;
}

/* Was the pass over the path that was counted? Otherwise it was renamed meanwhile. */
static __always_inline bool at_end_pass_over(struct at_walk *w, const struct at_place *place)
{
	const bool same = !place->count || (!w->depth && w->print == place->print);

	w->state = same ? AT_WALK_DONE : AT_WALK_RACED;
	return same;
}

static long at_hash_and_count(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;
	__u64 hash;

	if (!at_step(w, &c))
		return at_note_crossing(w);
	hash = at_hash_component(c.name, c.length);
	if (!w->last)
		w->last = hash;
	w->sum = at_hash_append(w->sum, hash);
	at_note_step(w, 0);
	w->partial[0] = w->print; /* as w->sum in at_count_step; there are no partial sums here */
	return at_count_component(w, &c);
}

/* Both passes in one, for when nothing is renamed and no ancestor's hash is asked for. */
__noinline int at_walk_calm(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	w->last = 0;
	w->partials = 0;
	w->partial[0] = 0;
	at_begin_count(w, place);
	bpf_loop(AT_STEPS_MAX, at_hash_and_count, &context, 0);
	at_end_of_count(w, place);
	place->print = w->partial[0];
	place->hash = at_hash_append(w->sum, 0);
	w->flags |= AT_WALK_HASHED;
	return 0;
}

/*
 * Second pass: the hash of the path, of its last component, and the sums below those ancestors that the rule set has
 * directories at: the deepest AT_PARTIALS of them above `w->limit`. Ends in AT_WALK_DONE or AT_WALK_RACED.
 */
__noinline int at_walk_hash(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	w->last = 0;
	w->partials = 0;
	if (at_begin_pass(w, place))
		bpf_loop(AT_STEPS_MAX, at_hash_loop, &context, 0);
	if (!at_end_pass_over(w, place))
		return 0;
	at_note_partial(w, 0);
	place->hash = at_hash_append(w->sum, 0);
	return 0;
}

/* Is a component that of map `names` at `index`? */
__noinline int at_same_name(__u64 text, __u32 length, __u32 index)
{
	const struct at_name *name = bpf_map_lookup_elem(&names, &index);
	struct at_words words;

	if (!name || name->length != length)
		return 0;
	for (__u32 from = 0; from < AT_NAME_MAX; from += sizeof(words)) {
		if (from >= length)
			break;
		at_read_words(&words, text, length, from);
		for (int i = 0; i < AT_HASH_WORDS; i++)
			if (words.word[i] != *(__u64 *)(name->text + from + i * 8))
				return 0;
	}
	return 1;
}

static long at_confirm_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	if (w->depth >= w->low && w->depth <= w->high &&
	    !at_same_name(c.name, c.length, w->names + w->depth - w->low))
		w->differs = 1;
	return at_end_step(w, &c);
}

/* Compares the components from `w->low` to `w->high` with those in map `names` from `w->names` on: 1 where they agree. */
__noinline int at_walk_confirm(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->differs = 0;
	if (at_begin_pass(w, place))
		bpf_loop(AT_STEPS_MAX, at_confirm_loop, &context, 0);
	return at_end_pass_over(w, place) && !w->differs;
}

#endif
