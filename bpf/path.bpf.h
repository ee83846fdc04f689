/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The passes of a walk (walk.bpf.h): counting, hashing, both at once, and comparing with the names of a rule. Each has
 * two parts. Up to the root of the mount that the file is seen through, dentries are typed pointers, which are read
 * without a helper (direct.bpf.h); from there on positions are addresses. What is here does the second part, and ends.
 */
#ifndef AT_PATH_BPF_H
#define AT_PATH_BPF_H

#include "direct.bpf.h"

struct at_walk_context { struct at_walk *walk; };

/* The root of a mount was reached: notes how far the walk came in the mount that it began in. 1 where it is over. */
static __always_inline long at_note_crossing(struct at_walk *w)
{
	if (!(w->flags & AT_WALK_CROSSED))
		w->low = w->depth;
	w->flags |= AT_WALK_CROSSED;
	return w->state != AT_WALK_GOING;
}

/*
 * Between the two parts of a pass: leaves the mount that the walk began in, if it came to its root and there is more. The
 * state tells whether the walk goes on.
 */
__noinline int at_leave_first_mount(struct at_walk *w, int counts)
{
	if (!w)
		return 0;
	if (w->state == AT_WALK_GOING && w->mnt && (counts || w->depth))
		at_cross(w);
	if (counts)
		at_note_crossing(w);
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
	if (!(w->flags & AT_WALK_CALM))
		at_note_step(w, w->dentry, sequence);
	w->sum = w->print; /* mounts above the first component are of no account */
	return at_count_component(w, c.length, c.parent);
}

static __always_inline void at_clear_count(struct at_walk *w, struct at_place *place)
{
	place->count = 0;
	w->length = 0;
	w->low = 0;
	w->sum = 0;
	w->last = 0;
	w->partials = 0;
}

static __always_inline void at_end_of_count(const struct at_walk *w, struct at_place *place)
{
	place->count = w->depth;
	place->inside = w->low;
	place->length = w->length;
	place->state = w->state == AT_WALK_GOING ? AT_WALK_UNREACHABLE : w->state;
}

/* Counts from where the walk has come to: fills all of `place` but the hash. */
__noinline int at_count_rest(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	if (w->state == AT_WALK_GOING)
		bpf_loop(AT_STEPS_MAX, at_count_step, &context, 0);
	at_end_of_count(w, place);
	place->print = w->sum;
	return 0;
}

/* All of a path without typed pointers, for texts. */
__noinline int at_walk_count(struct at_place *place, struct at_walk *w, __u64 root_ino)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	at_clear_count(w, place);
	at_begin_walk(w, place, root_ino);
	bpf_loop(AT_STEPS_MAX, at_count_step, &context, 0);
	at_end_of_count(w, place);
	place->print = w->sum;
	return 0;
}

static long at_hash_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	at_hash_at_depth(w, at_hash_component(c.name, c.length), at_step_factor());
	if (!(w->flags & AT_WALK_CALM))
		at_note_step(w, w->dentry, at_sequence(w->dentry));
	return at_end_step(w, c.parent);
}

/* Was the pass over the path that was counted? Otherwise it was renamed meanwhile. */
static __always_inline bool at_end_pass_over(struct at_walk *w, const struct at_place *place)
{
	const bool same =
		!place->count || (!w->depth && (w->flags & AT_WALK_CALM || w->print == place->print));

	w->state = same ? AT_WALK_DONE : AT_WALK_RACED;
	return same;
}

static long at_hash_and_count(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;

	if (!at_step(w, &c))
		return at_note_crossing(w);
	at_hash_on_the_way(w, at_hash_component(c.name, c.length), at_step_factor());
	return at_count_component(w, c.length, c.parent);
}

/* Counts and hashes from where the walk has come to. */
__noinline int at_calm_rest(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	if (w->state == AT_WALK_GOING)
		bpf_loop(AT_STEPS_MAX, at_hash_and_count, &context, 0);
	at_end_of_count(w, place);
	place->hash = w->sum * at_step_factor();
	w->flags |= AT_WALK_HASHED;
	return 0;
}

/* Hashes from where the walk has come to. Ends in AT_WALK_DONE or AT_WALK_RACED. */
__noinline int at_hash_rest(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	if (w->state == AT_WALK_GOING && w->depth)
		bpf_loop(AT_STEPS_MAX, at_hash_loop, &context, 0);
	if (!at_end_pass_over(w, place))
		return 0;
	at_note_partial(w, 0);
	place->hash = w->sum * at_step_factor();
	return 0;
}

static long at_confirm_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	if (at_is_asked(w) && !at_same_name(c.name, c.length, w->names + w->depth - w->low))
		w->flags |= AT_WALK_DIFFERS;
	if (!(w->flags & AT_WALK_CALM))
		at_note_step(w, w->dentry, at_sequence(w->dentry));
	return at_end_step(w, c.parent);
}

/* Compares from where the walk has come to: 1 where all agreed. */
__noinline int at_confirm_rest(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	if (w->state == AT_WALK_GOING && w->depth)
		bpf_loop(AT_STEPS_MAX, at_confirm_loop, &context, 0);
	return at_end_pass_over(w, place) && !(w->flags & AT_WALK_DIFFERS);
}

/* What a pass is for. */
enum at_purpose { AT_TO_COUNT, AT_TO_HASH, AT_TO_CONFIRM };

/*
 * Begins a pass, but for the root that it goes up to. Global for a reason: before 6.7 the verifier looks at the step of a
 * loop once, with what it knows when the loop begins, and so it must know nothing of what the steps change. Of memory
 * that a global function was given it knows nothing.
 */
__noinline int at_begin_pass(struct at_place *place, struct at_walk *w, int purpose)
{
	if (!place || !w)
		return 0;
	if (purpose == AT_TO_COUNT)
		at_clear_count(w, place);
	if (purpose == AT_TO_HASH) {
		w->sum = 0;
		w->last = 0;
		w->partials = 0;
	}
	w->state = AT_WALK_GOING;
	w->flags &= ~(AT_WALK_CROSSED | AT_WALK_DIFFERS);
	w->print = 0;
	w->dentry = place->dentry;
	w->depth = place->count;
	w->mnt = place->within ? 0 : place->mnt;
	return 0;
}

static __always_inline void at_begin_direct(struct at_place *place, struct at_walk *w, const struct at_start *at,
					    enum at_purpose purpose)
{
	at_begin_pass(place, w, purpose);
	w->root = place->within ? at->root_ino : (__u64)at->mnt->mnt_root;
}

/*
 * The first part of each pass. It is followed by its rest, from the frame of the caller: nested they would take too much
 * of the stack.
 */

/* First pass: fills all of `place` but the hash. */
static __always_inline void at_pass_count(struct at_place *place, struct at_walk *w, const struct at_start *at)
{
	struct at_trail trail = { .dentry = at->dentry, .walk = w };

	at_begin_direct(place, w, at, AT_TO_COUNT);
	bpf_loop(AT_STEPS_MAX, at_direct_count, &trail, 0);
}

/* Both passes in one, for when nothing is renamed and no ancestor's hash is asked for. */
static __always_inline void at_pass_calm(struct at_place *place, struct at_walk *w, const struct at_start *at)
{
	struct at_trail trail = { at->dentry, w, at_seed(), at_step_factor() };

	at_begin_direct(place, w, at, AT_TO_COUNT);
	bpf_loop(AT_STEPS_MAX, at_direct_hash_and_count, &trail, 0);
}

/*
 * Second pass: the hash of the path, of its last component, and the sums below those ancestors that the rule set has
 * directories at: the deepest AT_PARTIALS of them above `w->high`. Ends in AT_WALK_DONE or AT_WALK_RACED.
 */
static __always_inline void at_pass_hash(struct at_place *place, struct at_walk *w, const struct at_start *at)
{
	struct at_trail trail = { at->dentry, w, at_seed(), at_step_factor() };

	at_begin_direct(place, w, at, AT_TO_HASH);
	if (place->count)
		bpf_loop(AT_STEPS_MAX, at_direct_hash, &trail, 0);
}

/* Compares the components from `w->low` to `w->high` with those in map `names` from `w->names` on. */
static __always_inline void at_pass_confirm(struct at_place *place, struct at_walk *w, const struct at_start *at)
{
	struct at_trail trail = { .dentry = at->dentry, .walk = w };

	at_begin_direct(place, w, at, AT_TO_CONFIRM);
	if (place->count)
		bpf_loop(AT_STEPS_MAX, at_direct_confirm, &trail, 0);
}

#endif
