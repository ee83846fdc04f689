/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a judgement goes from pass to pass (see enum at_stage in rules.bpf.h) until the verdict is there. */
#ifndef AT_VERDICT_BPF_H
#define AT_VERDICT_BPF_H

#include "rules.bpf.h"

/* Begins with the rules that have this source, or with those that have none. */
static __always_inline void at_begin_rules(struct at_access *a, struct at_walk *w, __u32 features, bool with_source)
{
	const struct at_ruleset *set = at_set_of(a);

	if (with_source)
		a->mode |= AT_MODE_WITH_SOURCE;
	else
		a->mode &= ~AT_MODE_WITH_SOURCE;
	a->candidate = 0;
	w->high = a->file.count + 1;
	w->wanted = 0;
	if (set && features & AT_HAS_DIR && !(a->mode & AT_MODE_HINT))
		w->wanted = at_wanted(set, a->kind, with_source);
	a->stage = AT_STAGE_HASH;
}

/* Is there a second name to judge? It is the same where the file is seen through the container's own root mount. */
static __always_inline bool at_has_second_name(const struct at_access *a)
{
	if (a->mode & AT_MODE_SECOND_NAME || !(a->mode & AT_MODE_ON_ROOT) || a->file.state == AT_WALK_INTERNAL)
		return false;
	return a->file.state != AT_WALK_DONE || !(a->mode & AT_MODE_SAME_ROOT) || a->file.inside != a->file.count;
}

/*
 * How strict a verdict is, 0 the strictest. Where no rule matches a name the posture decides, and that may be stricter
 * than the rule that allows the other name: else a mount on an allowed path would carry anything in.
 */
static __always_inline __u32 at_strictness(__u8 action, __u32 posture)
{
	if (action != AT_ACTION_NONE)
		return 2 * action;
	return posture == AT_POSTURE_BLOCK ? 1 : posture == AT_POSTURE_AUDIT ? 3 : 5;
}

/* The verdict on the first of two names counts if it is the stricter one, or if the second has no path. */
static __always_inline bool at_first_name_counts(const struct at_access *a)
{
	const struct at_ruleset *set = at_set_of(a);
	__u32 posture = AT_POSTURE_NONE;

	if (a->file.state != AT_WALK_DONE)
		return true;
	if (a->first_state != AT_WALK_DONE)
		return false;
	if (set && !(a->mode & AT_MODE_NO_POSTURE))
		posture = set->posture[a->kind & 3];
	return at_strictness(a->first_action, posture) < at_strictness(a->action, posture);
}

/* One name has its verdict, or no path. The stricter of two verdicts counts. */
__noinline int at_end_name(struct at_access *a, struct at_walk *w)
{
	if (!a || !w)
		return 0;
	if (at_has_second_name(a)) {
		a->mode |= AT_MODE_SECOND_NAME;
		a->first_action = a->action;
		a->first_rule = a->rule;
		a->first_state = a->file.state;
		a->action = AT_ACTION_NONE;
		a->file.within = 1;
		a->attempt = 0;
		w->flags &= ~AT_WALK_HASHED;
		a->stage = AT_STAGE_COUNT;
		return 0;
	}
	a->stage = AT_STAGE_OVER;
	if (!(a->mode & AT_MODE_SECOND_NAME))
		return 0;
	if (at_first_name_counts(a)) {
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
static __always_inline void at_end_pass(struct at_access *a, struct at_walk *w, __u32 features)
{
	if (a->action == AT_ACTION_NONE && w->partials == AT_PARTIALS && w->depths[AT_PARTIALS - 1]) {
		w->high = w->depths[AT_PARTIALS - 1];
		a->candidate = AT_CANDIDATE_DIRECTORY;
		a->stage = AT_STAGE_HASH;
	} else if (a->action == AT_ACTION_NONE && a->mode & AT_MODE_WITH_SOURCE && features & AT_HAS_NO_SOURCE) {
		at_begin_rules(a, w, features, false);
	} else {
		at_end_name(a, w);
	}
}

static __always_inline void at_begin_stages(struct at_access *a)
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

/*
 * Global for a reason (see at_begin_pass): what the steps of the judgement change must be unknown to the verifier. And the
 * addresses in `a` are numbers from then on, no longer pointers, which it does no arithmetic with.
 */
__noinline int at_begin_judgement(struct at_access *a, struct at_walk *w)
{
	if (!a || !w)
		return 0;
	a->renames = at_renames();
	w->flags = a->renames & 1 ? 0 : AT_WALK_CALM;
	at_begin_stages(a);
	return 0;
}

/* What was found so far relied on that nothing is renamed. */
static __always_inline void at_begin_anew(struct at_access *a, struct at_walk *w)
{
	w->flags = 0;
	a->source.hash = 0;
	at_begin_stages(a);
}

static __always_inline void at_end_race(struct at_access *a, struct at_walk *w)
{
	at_count(AT_COUNTER_WALK_RETRIED, 1);
	if (w->flags & AT_WALK_CALM) {
		at_begin_anew(a, w);
		return;
	}
	a->action = AT_ACTION_NONE;
	/* Only the source has a path there, and it is moving: it is none. */
	a->stage = a->kind >= AT_KIND_NETWORK ? AT_STAGE_VALUES_MORE : AT_STAGE_COUNT;
	if (++a->attempt < AT_RETRIES || a->kind >= AT_KIND_NETWORK)
		return;
	a->file.state = AT_WALK_RACED;
	at_end_name(a, w);
}

static __always_inline void at_end_count(struct at_access *a, struct at_walk *w, __u32 features)
{
	if (a->file.state != AT_WALK_DONE)
		at_end_name(a, w);
	else if (a->mode & AT_MODE_HINT)
		at_begin_rules(a, w, features, false);
	else if (features & AT_HAS_SOURCE && a->source.hash && !(a->mode & AT_MODE_NO_SOURCE))
		at_begin_rules(a, w, features, true);
	else if (features & AT_HAS_NO_SOURCE)
		at_begin_rules(a, w, features, false);
	else
		at_end_name(a, w);
}

/* What to do next, where the stage alone does not say. */
enum at_next { AT_NEXT_STAGE, AT_NEXT_LOOK_UP, AT_NEXT_RACED };

/* The names of a hit were compared: `same`, or not. */
static __always_inline enum at_next at_end_confirm(struct at_access *a, struct at_walk *w, int same)
{
	if (same && a->stage == AT_STAGE_CONFIRM && a->mode & AT_MODE_WITH_SOURCE) {
		w->low = 1;
		w->high = a->hit_source_count;
		w->names = a->hit_source;
		a->stage = AT_STAGE_CONFIRM_SOURCE;
		return AT_NEXT_STAGE;
	}
	if (same) {
		a->action = a->hit_action;
		a->rule = a->hit_rule;
	}
	return AT_NEXT_LOOK_UP;
}

static __always_inline enum at_next at_end_stage(struct at_access *a, struct at_walk *w, __u32 features, int same)
{
	const __u8 first = a->kind >= AT_KIND_NETWORK ? AT_STAGE_VALUES : AT_STAGE_COUNT;
	const bool raced = w->state != AT_WALK_DONE;

	switch (a->stage) {
	case AT_STAGE_SOURCE:
		a->stage = a->source.state == AT_WALK_DONE ? AT_STAGE_SOURCE_HASH : first;
		w->wanted = 0;
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
		at_end_count(a, w, features);
		return AT_NEXT_STAGE;
	case AT_STAGE_HASH:
		return raced ? AT_NEXT_RACED : AT_NEXT_LOOK_UP;
	default:
		return raced ? AT_NEXT_RACED : at_end_confirm(a, w, same);
	}
}

static __always_inline void at_end_values(struct at_access *a, int hit)
{
	if (hit)
		a->stage = AT_STAGE_CONFIRM_SOURCE;
	else if (a->action == AT_ACTION_NONE && a->mode & AT_MODE_WITH_SOURCE)
		a->stage = AT_STAGE_VALUES_MORE;
	else
		a->stage = AT_STAGE_OVER;
}

/* A pass is over, and `same` says what it confirmed: decides on the next; 1 where first there are rules to look up. */
__noinline int at_turn(struct at_access *a, struct at_walk *w, int same)
{
	__u32 next;

	if (!a || !w)
		return 0;
	next = at_end_stage(a, w, at_features_of(a), same);
	if (next == AT_NEXT_RACED)
		at_end_race(a, w);
	if (next == AT_NEXT_LOOK_UP)
		return 1;
	/* The path may have its hash from the pass that counted. */
	return a->stage == AT_STAGE_HASH && w->flags & AT_WALK_HASHED;
}

/* The rules were looked up: `hit` is to be confirmed, or there is none. */
__noinline int at_looked_up(struct at_access *a, struct at_walk *w, int hit)
{
	if (!a || !w)
		return 0;
	if (a->kind >= AT_KIND_NETWORK)
		at_end_values(a, hit);
	else if (hit)
		a->stage = AT_STAGE_CONFIRM;
	else
		at_end_pass(a, w, at_features_of(a));
	return 0;
}

static __always_inline bool at_asks_directories(const struct at_access *a)
{
	return !(a->mode & AT_MODE_HINT) && at_features_of(a) & AT_HAS_DIR;
}

/* The judgement stands, unless it relied on that nothing is renamed and something was: then it begins anew. */
static __always_inline bool at_is_settled(struct at_access *a, struct at_walk *w)
{
	if (!(w->flags & AT_WALK_CALM) || at_renames() == a->renames)
		return true;
	at_count(AT_COUNTER_WALK_RETRIED, 1);
	at_begin_anew(a, w);
	return false;
}

/* What the passes of one judgement share, on a frame of its own: it is gone when the alert is raised. */
struct at_judgement {
	struct at_access *access;
	struct at_start file;
	struct at_walk walk;
};

/* The executable that counts as the source; false where it is another than at the beginning (prctl can change it). */
static __always_inline bool at_start_at_source(struct at_start *at, const struct at_access *a)
{
	struct file *exe = at_source_file(a->kind);

	at->mnt = exe->f_path.mnt;
	at->dentry = exe->f_path.dentry;
	at->root_ino = 0;
	/* Volatile: the compiler must not take these pointers, which are equal then, for the numbers later on. */
	return (__u64)at->mnt == *(volatile __u64 *)&a->source.mnt &&
	       (__u64)at->dentry == *(volatile __u64 *)&a->source.dentry;
}

/* The first part of a pass over the source's path; false where another executable is in its place. */
static __noinline int at_judge_source(struct at_access *a, struct at_walk *w)
{
	struct at_start at;

	if (!at_start_at_source(&at, a))
		return 0;
	if (a->stage == AT_STAGE_CONFIRM_SOURCE)
		at_pass_confirm(&a->source, w, &at);
	else if (a->stage == AT_STAGE_SOURCE_HASH)
		at_pass_hash(&a->source, w, &at);
	else
		at_pass_count(&a->source, w, &at);
	return 1;
}

/* The first part of a pass over the file's path; true where it counts and hashes. */
static __noinline int at_judge_path(struct at_access *a, struct at_walk *w, const struct at_start *at)
{
	if (a->stage == AT_STAGE_CONFIRM) {
		at_pass_confirm(&a->file, w, at);
	} else if (a->stage == AT_STAGE_HASH) {
		at_pass_hash(&a->file, w, at);
	} else if (w->flags & AT_WALK_CALM && !at_asks_directories(a)) {
		at_pass_calm(&a->file, w, at);
		return 1;
	} else {
		at_pass_count(&a->file, w, at);
	}
	return 0;
}

/* One pass; what it says of the names that it compared. */
static __always_inline int at_pass(struct at_judgement *j, struct at_access *a, struct at_walk *w)
{
	int hashed;

	switch (a->stage) {
	case AT_STAGE_SOURCE:
	case AT_STAGE_SOURCE_HASH:
	case AT_STAGE_CONFIRM_SOURCE:
		if (!at_judge_source(a, w)) {
			w->state = AT_WALK_RACED;
			a->source.state = AT_WALK_RACED;
			return 0;
		}
		at_leave_first_mount(w, a->stage == AT_STAGE_SOURCE);
		if (a->stage == AT_STAGE_CONFIRM_SOURCE)
			return at_confirm_rest(&a->source, w);
		if (a->stage == AT_STAGE_SOURCE_HASH)
			return at_hash_rest(&a->source, w);
		return at_count_rest(&a->source, w);
	case AT_STAGE_COUNT:
		hashed = at_judge_path(a, w, &j->file);
		at_leave_first_mount(w, 1);
		if (hashed)
			return at_calm_rest(&a->file, w);
		return at_count_rest(&a->file, w);
	case AT_STAGE_HASH:
		at_judge_path(a, w, &j->file);
		at_leave_first_mount(w, 0);
		at_hash_rest(&a->file, w);
		return at_hash_ancestors(&a->file, w);
	case AT_STAGE_CONFIRM:
		at_judge_path(a, w, &j->file);
		at_leave_first_mount(w, 0);
		return at_confirm_rest(&a->file, w);
	}
	return 0;
}

static long at_judge_step(__u32 index, struct at_judgement *j)
{
	struct at_access *a = j->access;
	struct at_walk *w = &j->walk;
	int same;

	if (a->stage == AT_STAGE_OVER)
		return at_is_settled(a, w);
	same = at_pass(j, a, w);
	if (at_turn(a, w, same)) {
		same = a->kind >= AT_KIND_NETWORK ? at_next_value(a, w) : at_next_hit(a, w);
		at_looked_up(a, w, same);
	}
	return 0;
}

/*
 * The verdict of the rules on `a->file`, by its path and, if it lies on the container's root filesystem and that path
 * may be another, by its path in there. The state of the walk: AT_WALK_DONE if the file has either path.
 */
static __noinline int at_judge_file(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry)
{
	const struct at_container *container = at_container_at(a->slot);
	struct at_judgement j = { .access = a, .file = { mnt, dentry, container ? container->root_ino : 0 } };

	at_begin_judgement(a, &j.walk);
	bpf_loop(AT_TURNS_MAX, at_judge_step, &j, 0);
	return a->stage == AT_STAGE_OVER ? a->file.state : AT_WALK_RACED;
}

/* The verdict on what has no path: a protocol, a capability. */
static __always_inline void at_judge(struct at_access *a)
{
	struct file *exe = at_source_file(a->kind);

	at_judge_file(a, exe->f_path.mnt, exe->f_path.dentry);
}

#endif
