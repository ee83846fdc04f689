/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict. Candidates are asked in order of precedence: with the source before without; within that the exact path,
 * the last component, the longest directory. The first with a rule that applies to the access decides; at equal rank
 * Block over Audit over Allow. What no rule decides is left to the posture.
 */
#ifndef AT_RULES_BPF_H
#define AT_RULES_BPF_H

#include "container.bpf.h"

#define AT_RETRIES 4      /* walks that renames may spoil before the path counts as unreachable */
#define AT_TURNS_MAX 1024 /* passes of one judgement; each remembers AT_PARTIALS directories */

/*
 * A judgement is a loop of passes over the path. What the next pass is follows from what the last one found; all of
 * that lies in struct at_access, since the frames of nested functions would not fit on the stack.
 *
 * Protocols and capabilities have no path: for them SOURCE_HASH is followed by VALUES, and no name is confirmed.
 *
 *   SOURCE ─▶ SOURCE_HASH ─▶ COUNT ─▶ HASH ─▶ (candidates) ─▶ CONFIRM ─▶ CONFIRM_SOURCE ─▶ the verdict
 *                              ▲        ▲          │ ▲            │              │
 *                    raced, or │        └──────────┘ └────────────┴──────────────┘ not the same names
 *                  second name │     more directories
 */
enum at_stage {
	AT_STAGE_OVER,
	AT_STAGE_SOURCE,
	AT_STAGE_SOURCE_HASH,
	AT_STAGE_COUNT,
	AT_STAGE_HASH,
	AT_STAGE_CONFIRM,
	AT_STAGE_CONFIRM_SOURCE,
	AT_STAGE_VALUES,
	AT_STAGE_VALUES_MORE, /* those without a source */
};

/* Candidates of a pass: the path, its last component, and for each directory the recursive and the other rule. */
#define AT_CANDIDATE_EXACT 0
#define AT_CANDIDATE_EXECNAME 1
#define AT_CANDIDATE_DIRECTORY 2
#define AT_CANDIDATES (AT_CANDIDATE_DIRECTORY + 2 * AT_PARTIALS)

/* Does a rule narrowed like that apply? See AT_COND_* in layout.h. */
static __always_inline bool at_applies(__u32 action, __u32 cond, bool write, bool owner)
{
	const bool spared = (cond & AT_COND_READ_ONLY && write) || (cond & AT_COND_OWNER_ONLY && !owner);

	if (!cond)
		return true;
	return action == AT_ACTION_ALLOW ? !spared : spared;
}

/* The rule of an entry of map `rules` that applies: its number, and its action in the upper half; 0: none does. */
__noinline __u64 at_select(const struct at_rule *rule, __u32 write, __u32 owner)
{
	if (!rule)
		return 0;
	for (__u32 action = 0; action < AT_ACTIONS; action++)
		for (__u32 cond = 0; cond < AT_CONDS; cond++)
			if (rule->rule[action][cond] && at_applies(action, cond, write, owner))
				return (__u64)action << 32 | rule->rule[action][cond];
	return 0;
}

static __always_inline const struct at_ruleset *at_set_of(const struct at_access *a)
{
	return at_ruleset_at(a->walk.ruleset);
}

static __always_inline __u32 at_features_of(const struct at_access *a)
{
	const struct at_ruleset *set = at_set_of(a);

	return set ? set->features[a->kind & 3] : 0;
}

/* The key of a candidate, and the components that it names; false where the rule set or the path has no such. */
static __always_inline bool at_candidate_key(struct at_access *a, __u32 candidate, __u32 features,
					     struct at_rule_key *key)
{
	struct at_walk *w = &a->walk;
	__u32 place;

	w->low = 1;
	if (candidate == AT_CANDIDATE_EXACT) {
		key->match = AT_MATCH_EXACT;
		key->hash = a->file.hash;
		key->depth = w->high = a->file.count;
		return features & AT_HAS_EXACT;
	}
	if (candidate == AT_CANDIDATE_EXECNAME) {
		key->match = AT_MATCH_EXECNAME;
		key->hash = w->last;
		key->depth = 0;
		w->low = w->high = a->file.count;
		return features & AT_HAS_EXECNAME && !(a->mode & AT_MODE_DIRECTORY);
	}
	place = (candidate - AT_CANDIDATE_DIRECTORY) >> 1;
	barrier_var(place); /* the compiler knows its range, the verifier does not */
	if (place >= AT_PARTIALS || place >= w->partials)
		return false;
	key->depth = w->high = w->depths[place];
	key->hash = at_ancestor_hash(a->file.hash, w->partial[place], w->high);
	key->match = candidate & 1 ? AT_MATCH_DIR : AT_MATCH_DIR_RECURSIVE;
	/* Not recursive: the directory itself, and what lies directly in it. */
	return !(candidate & 1) || w->high + 1 >= a->file.count;
}

/* Is the path an ancestor of one under a Block rule? The hint names the rule, and the kind of it. */
static __noinline int at_next_hint(struct at_access *a)
{
	struct at_hint_key key = {};
	const struct at_hint *hint;

	if (a->candidate++)
		return 0;
	key.hash = a->file.hash;
	key.ruleset = a->walk.ruleset;
	key.depth = a->file.count;
	hint = bpf_map_lookup_elem(&hints, &key);
	if (!hint || hint->name_count != a->file.count)
		return 0;
	a->hit_action = AT_ACTION_BLOCK;
	a->hit_rule = hint->rule;
	a->kind = hint->kind;
	a->walk.low = 1;
	a->walk.high = a->file.count;
	a->walk.names = hint->names;
	return 1;
}

/* Looks the next candidates up; 1 at a hit that would change the verdict, once its names are confirmed. */
__noinline int at_next_hit(struct at_access *a, __u32 features)
{
	struct at_rule_key key = {};
	const struct at_rule *rule;
	__u64 selected;

	if (!a)
		return 0;
	if (a->mode & AT_MODE_HINT)
		return at_next_hint(a);
	key.ruleset = a->walk.ruleset;
	key.kind = a->kind;
	key.source_hash = a->mode & AT_MODE_WITH_SOURCE ? a->source.hash : 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < AT_CANDIDATES; i++) {
		__u32 candidate = a->candidate;

		/* Only the two kinds of rules on one directory are of equal rank. */
		if (candidate >= AT_CANDIDATE_DIRECTORY + 2 * (__u32)a->walk.partials || (a->action != AT_ACTION_NONE && !(candidate & 1)) ||
		    (a->action != AT_ACTION_NONE && candidate == AT_CANDIDATE_EXECNAME))
			return 0;
		a->candidate = candidate + 1;
		if (!at_candidate_key(a, candidate, features, &key))
			continue;
		rule = bpf_map_lookup_elem(&rules, &key);
		if (!rule)
			continue;
		selected = at_select(rule, a->write, a->owner);
		if (!selected || selected >> 32 >= a->action || rule->name_count != a->walk.high + 1 - a->walk.low)
			continue;
		if (key.source_hash && rule->source_name_count != a->source.count)
			continue;
		a->hit_action = selected >> 32;
		a->hit_rule = selected;
		a->hit_source = rule->source_names;
		a->hit_source_count = rule->source_name_count;
		a->walk.names = rule->names;
		return 1;
	}
	return 0;
}

/*
 * Protocols and capabilities: looks up the values that are left; 1 at a hit whose source is to be confirmed. All that
 * match are of equal rank. `file.hash` is the number of the capability, or the set of protocols.
 */
__noinline int at_next_value(struct at_access *a)
{
	struct at_rule_key key = {};
	const struct at_rule *rule;
	__u64 selected;

	if (!a)
		return 0;
	key.ruleset = a->walk.ruleset;
	key.kind = a->kind;
	key.match = a->kind == AT_KIND_NETWORK ? AT_MATCH_PROTOCOL : AT_MATCH_CAPABILITY;
	key.source_hash = a->mode & AT_MODE_WITH_SOURCE ? a->source.hash : 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < AT_PROTOCOLS; i++) {
		const __u32 value = a->candidate;

		if (value >= AT_PROTOCOLS)
			return 0;
		a->candidate = value + 1;
		if (a->kind == AT_KIND_NETWORK) {
			/* The enum begins with `all`, which is asked last: a rule on `tcp` is named before one on `all`. */
			key.hash = value + 1 < AT_PROTOCOLS ? value + 1 : AT_PROTOCOL_ALL;
			if (!(a->file.hash >> (key.hash & 63) & 1))
				continue;
		} else {
			key.hash = a->file.hash;
			a->candidate = AT_PROTOCOLS;
		}
		rule = bpf_map_lookup_elem(&rules, &key);
		if (!rule)
			continue;
		selected = at_select(rule, a->write, a->owner);
		if (!selected || selected >> 32 >= a->action)
			continue;
		a->hit_action = selected >> 32;
		a->hit_rule = selected;
		if (!key.source_hash) {
			a->action = a->hit_action;
			a->rule = a->hit_rule;
			continue;
		}
		if (rule->source_name_count != a->source.count)
			continue;
		a->walk.low = 1;
		a->walk.high = rule->source_name_count;
		a->walk.names = rule->source_names;
		return 1;
	}
	return 0;
}

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
