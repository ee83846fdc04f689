/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a judgement goes from pass to pass (see enum at_stage in rules.bpf.h) until the verdict is there. */
#ifndef AT_VERDICT_BPF_H
#define AT_VERDICT_BPF_H

#include "rules.bpf.h"

/* Begins with the rules that have this source, or with those that have none. */
static __always_inline void at_begin_rules(struct at_access *a, __u32 features, bool with_source)
{
	if (with_source)
		a->mode |= AT_MODE_WITH_SOURCE;
	else
		a->mode &= ~AT_MODE_WITH_SOURCE;
	a->candidate = 0;
	a->walk.limit = a->file.count + 1;
	a->walk.select = features & AT_HAS_DIR && !(a->mode & AT_MODE_HINT) ? 1 + 2 * a->kind + with_source : 0;
	a->stage = AT_STAGE_HASH;
}

/* Is there a second name to judge? It is the same where the file is seen through the container's own root mount. */
static __always_inline bool at_has_second_name(const struct at_access *a)
{
	if (a->mode & AT_MODE_SECOND_NAME || !(a->mode & AT_MODE_ON_ROOT) || a->file.state == AT_WALK_INTERNAL)
		return false;
	return a->file.state != AT_WALK_DONE || !(a->mode & AT_MODE_SAME_ROOT) || a->file.inside != a->file.count;
}

/* One name has its verdict, or no path. The stricter of two verdicts counts. */
__noinline int at_end_name(struct at_access *a)
{
	if (!a)
		return 0;
	if (at_has_second_name(a)) {
		a->mode |= AT_MODE_SECOND_NAME;
		a->first_action = a->action;
		a->first_rule = a->rule;
		a->first_state = a->file.state;
		a->action = AT_ACTION_NONE;
		a->file.within = 1;
		a->attempt = 0;
		a->walk.flags &= ~AT_WALK_HASHED;
		a->stage = AT_STAGE_COUNT;
		return 0;
	}
	a->stage = AT_STAGE_OVER;
	if (!(a->mode & AT_MODE_SECOND_NAME))
		return 0;
	if (a->first_action < a->action) {
		a->action = a->first_action;
		a->rule = a->first_rule;
	}
	/* The event names the file as its mount namespace does, if it does. */
	if (a->first_state == AT_WALK_DONE || a->file.state != AT_WALK_DONE) {
		a->file.within = 0;
		a->file.state = a->first_state;
	}
	return 0;
}

/* No more candidates in this pass: more directories, the rules without a source, or the end. */
static __always_inline void at_end_pass(struct at_access *a, __u32 features)
{
	struct at_walk *w = &a->walk;

	if (a->action == AT_ACTION_NONE && w->partials == AT_PARTIALS && w->depths[AT_PARTIALS - 1]) {
		w->limit = w->depths[AT_PARTIALS - 1];
		a->candidate = AT_CANDIDATE_DIRECTORY;
		a->stage = AT_STAGE_HASH;
	} else if (a->action == AT_ACTION_NONE && a->mode & AT_MODE_WITH_SOURCE && features & AT_HAS_NO_SOURCE) {
		at_begin_rules(a, features, false);
	} else {
		at_end_name(a);
	}
}

static __always_inline void at_begin_judgement(struct at_access *a)
{
	a->action = AT_ACTION_NONE;
	a->attempt = 0;
	a->file.within = 0;
	a->mode &= ~(AT_MODE_SECOND_NAME | AT_MODE_WITH_SOURCE);
	if (a->source.dentry && !a->source.hash)
		a->stage = AT_STAGE_SOURCE;
	else
		a->stage = a->kind >= AT_KIND_NETWORK ? AT_STAGE_VALUES : AT_STAGE_COUNT;
}

/* What was found so far relied on that nothing is renamed. */
static __always_inline void at_begin_anew(struct at_access *a)
{
	a->walk.flags = 0;
	a->source.hash = 0;
	at_begin_judgement(a);
}

static __always_inline void at_end_race(struct at_access *a)
{
	at_count(AT_COUNTER_WALK_RETRIED, 1);
	if (a->walk.flags & AT_WALK_CALM) {
		at_begin_anew(a);
		return;
	}
	a->action = AT_ACTION_NONE;
	/* Only the source has a path there, and it is moving: it is none. */
	a->stage = a->kind >= AT_KIND_NETWORK ? AT_STAGE_VALUES_MORE : AT_STAGE_COUNT;
	if (++a->attempt < AT_RETRIES || a->kind >= AT_KIND_NETWORK)
		return;
	a->file.state = AT_WALK_RACED;
	at_end_name(a);
}

static __always_inline void at_end_count(struct at_access *a, __u32 features)
{
	if (a->file.state != AT_WALK_DONE)
		at_end_name(a);
	else if (a->mode & AT_MODE_HINT)
		at_begin_rules(a, features, false);
	else if (features & AT_HAS_SOURCE && a->source.hash && !(a->mode & AT_MODE_NO_SOURCE))
		at_begin_rules(a, features, true);
	else if (features & AT_HAS_NO_SOURCE)
		at_begin_rules(a, features, false);
	else
		at_end_name(a);
}

/* What to do next, where the stage alone does not say. */
enum at_next { AT_NEXT_STAGE, AT_NEXT_LOOK_UP, AT_NEXT_RACED };

/* The names of a hit were compared: `same`, or not. */
static __always_inline enum at_next at_end_confirm(struct at_access *a, int same)
{
	if (same && a->stage == AT_STAGE_CONFIRM && a->mode & AT_MODE_WITH_SOURCE) {
		a->walk.low = 1;
		a->walk.high = a->hit_source_count;
		a->walk.names = a->hit_source;
		a->stage = AT_STAGE_CONFIRM_SOURCE;
		return AT_NEXT_STAGE;
	}
	if (same) {
		a->action = a->hit_action;
		a->rule = a->hit_rule;
	}
	return AT_NEXT_LOOK_UP;
}

static __always_inline enum at_next at_end_stage(struct at_access *a, __u32 features, int same)
{
	const __u8 first = a->kind >= AT_KIND_NETWORK ? AT_STAGE_VALUES : AT_STAGE_COUNT;
	const bool raced = a->walk.state != AT_WALK_DONE;

	switch (a->stage) {
	case AT_STAGE_SOURCE:
		a->stage = a->source.state == AT_WALK_DONE ? AT_STAGE_SOURCE_HASH : first;
		a->walk.select = 0;
		return AT_NEXT_STAGE;
	case AT_STAGE_SOURCE_HASH:
		/* An executable without a path is no source. */
		a->source.hash = raced ? 0 : at_hash_source(a->source.hash);
		a->stage = first;
		return AT_NEXT_STAGE;
	case AT_STAGE_VALUES:
		if (features & AT_HAS_SOURCE && a->source.hash)
			a->mode |= AT_MODE_WITH_SOURCE;
		a->candidate = 0;
		return AT_NEXT_LOOK_UP;
	case AT_STAGE_VALUES_MORE:
		a->mode &= ~AT_MODE_WITH_SOURCE;
		a->candidate = 0;
		return AT_NEXT_LOOK_UP;
	case AT_STAGE_COUNT:
		if (a->file.state == AT_WALK_RACED)
			return AT_NEXT_RACED;
		at_end_count(a, features);
		return AT_NEXT_STAGE;
	case AT_STAGE_HASH:
		return raced ? AT_NEXT_RACED : AT_NEXT_LOOK_UP;
	default:
		return raced ? AT_NEXT_RACED : at_end_confirm(a, same);
	}
}

static __always_inline void at_look_up_values(struct at_access *a)
{
	if (at_next_value(a))
		a->stage = AT_STAGE_CONFIRM_SOURCE;
	else if (a->action == AT_ACTION_NONE && a->mode & AT_MODE_WITH_SOURCE)
		a->stage = AT_STAGE_VALUES_MORE;
	else
		a->stage = AT_STAGE_OVER;
}

/* A pass is over, and `same` says what it confirmed: decides on the next. */
__noinline int at_turn(struct at_access *a, int same)
{
	__u32 features, next;

	if (!a)
		return 0;
	features = at_features_of(a);
	next = at_end_stage(a, features, same);
	if (next == AT_NEXT_LOOK_UP && a->kind >= AT_KIND_NETWORK) {
		at_look_up_values(a);
	} else if (next == AT_NEXT_LOOK_UP) {
		if (at_next_hit(a, features))
			a->stage = AT_STAGE_CONFIRM;
		else
			at_end_pass(a, features);
	} else if (next == AT_NEXT_RACED) {
		at_end_race(a);
	}
	return 0;
}

static __always_inline bool at_asks_directories(const struct at_access *a)
{
	return !(a->mode & AT_MODE_HINT) && at_features_of(a) & AT_HAS_DIR;
}

/* The judgement stands, unless it relied on that nothing is renamed and something was: then it begins anew. */
static __always_inline bool at_is_settled(struct at_access *a)
{
	if (!(a->walk.flags & AT_WALK_CALM) || at_renames() == a->renames)
		return true;
	at_count(AT_COUNTER_WALK_RETRIED, 1);
	at_begin_anew(a);
	return false;
}

static long at_judge_step(__u32 index, struct at_access *a)
{
	int same = 0;

	switch (a->stage) {
	case AT_STAGE_SOURCE:
		at_walk_count(&a->source, &a->walk);
		break;
	case AT_STAGE_SOURCE_HASH:
		at_walk_hash(&a->source, &a->walk);
		break;
	case AT_STAGE_COUNT:
		if (a->walk.flags & AT_WALK_CALM && !at_asks_directories(a))
			at_walk_calm(&a->file, &a->walk);
		else
			at_walk_count(&a->file, &a->walk);
		break;
	case AT_STAGE_HASH:
		if (a->walk.flags & AT_WALK_HASHED)
			a->walk.state = AT_WALK_DONE;
		else
			at_walk_hash(&a->file, &a->walk);
		break;
	case AT_STAGE_CONFIRM:
		same = at_walk_confirm(&a->file, &a->walk);
		break;
	case AT_STAGE_CONFIRM_SOURCE:
		same = at_walk_confirm(&a->source, &a->walk);
		break;
	case AT_STAGE_OVER:
		return at_is_settled(a);
	}
	at_turn(a, same);
	return 0;
}

/*
 * The verdict of the rules on `a->file`, by its path and, if it lies on the container's root filesystem and that path
 * may be another, by its path in there. The state of the walk: AT_WALK_DONE if the file has either path.
 */
static __always_inline int at_judge(struct at_access *a)
{
	a->renames = at_renames();
	a->walk.flags = a->renames & 1 ? 0 : AT_WALK_CALM;
	at_begin_judgement(a);
	bpf_loop(AT_TURNS_MAX, at_judge_step, a, 0);
	return a->stage == AT_STAGE_OVER ? a->file.state : AT_WALK_RACED;
}

#endif
