/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict. Candidates are asked in order of precedence: with the source before without; within that the exact path,
 * the last component, the longest directory. The first with a rule that applies to the access decides; at equal rank
 * Block over Audit over Allow. What no rule decides is left to the posture.
 */
#ifndef AT_RULES_BPF_H
#define AT_RULES_BPF_H

#include "container.bpf.h"

#define AT_RETRIES 4 /* walks that renames may spoil before the path counts as unreachable */
#define AT_ROUNDS ((AT_DEPTH_MAX + AT_PARTIALS) / AT_PARTIALS)

/* Does a rule narrowed like that apply? See AT_COND_* in layout.h. */
static __always_inline bool at_applies(__u32 action, __u32 cond, bool write, bool owner)
{
	const bool spared = (cond & AT_COND_READ_ONLY && write) || (cond & AT_COND_OWNER_ONLY && !owner);

	if (!cond)
		return true;
	return action == AT_ACTION_ALLOW ? !spared : spared;
}

/* The verdict of one entry of map `rules`, AT_ACTION_NONE where none of its rules applies; `number`: of which rule. */
static __always_inline __u32 at_select(const struct at_rule *rule, bool write, bool owner, __u32 *number)
{
	for (__u32 action = 0; action < AT_ACTIONS; action++)
		for (__u32 cond = 0; cond < AT_CONDS; cond++)
			if (rule->rule[action][cond] && at_applies(action, cond, write, owner)) {
				*number = rule->rule[action][cond];
				return action;
			}
	return AT_ACTION_NONE;
}

/* Confirms what a hash only suggests: components `low` to `high` of the path against map `names` from `first` on. */
static __always_inline bool at_confirm(struct at_place *place, struct at_walk *w, __u32 low, __u32 high, __u32 first)
{
	if (high < low)
		return true;
	w->low = low;
	w->high = high;
	w->names = first;
	return at_walk_confirm(place, w);
}

/* Asks one candidate, which names the components `low` to `high`; true where a rename spoilt the answer. */
__noinline int at_ask(struct at_access *a, const struct at_rule_key *key, __u32 low, __u32 high)
{
	const struct at_rule *rule;
	__u32 number = 0, action;

	if (!a || !key)
		return 0;
	rule = bpf_map_lookup_elem(&rules, key);
	if (!rule)
		return 0;
	action = at_select(rule, a->write, a->owner, &number);
	if (action >= a->action || rule->name_count != high + 1 - low)
		return 0;
	if (!at_confirm(&a->file, &a->walk, low, high, rule->names))
		return a->walk.state == AT_WALK_RACED;
	if (key->source_hash &&
	    (rule->source_name_count != a->source.count ||
	     !at_confirm(&a->source, &a->walk, 1, rule->source_name_count, rule->source_names)))
		return a->walk.state == AT_WALK_RACED;
	a->action = action;
	a->rule = number;
	return 0;
}

/* The directories at which the last pass stopped, the longest first. */
static __always_inline int at_ask_directories(struct at_access *a, struct at_rule_key *key)
{
	for (__u32 i = 0; i < AT_PARTIALS; i++) {
		__u32 depth;

		if (i >= a->walk.partials)
			break;
		depth = a->walk.depths[i];
		key->depth = depth;
		key->hash = a->file.hash - a->walk.partial[i];
		key->match = AT_MATCH_DIR_RECURSIVE;
		if (at_ask(a, key, 1, depth))
			return 1;
		key->match = AT_MATCH_DIR;
		if (depth + 1 >= a->file.count && at_ask(a, key, 1, depth))
			return 1;
		if (a->action != AT_ACTION_NONE)
			break;
	}
	return 0;
}

/* All rules with that source, or all without (0). */
static __noinline int at_match_source(struct at_access *a, __u32 features, __u64 source_hash)
{
	struct at_rule_key key = {};

	key.source_hash = source_hash;
	key.ruleset = a->ruleset;
	key.kind = a->kind;
	a->walk.limit = a->file.count + 1;
	a->walk.select = features & AT_HAS_DIR ? 1 + 2 * a->kind + !!source_hash : 0;
	for (__u32 round = 0; round < AT_ROUNDS; round++) {
		at_walk_hash(&a->file, &a->walk);
		if (a->walk.state != AT_WALK_DONE)
			return 1;
		if (!round && features & AT_HAS_EXACT) {
			key.hash = a->file.hash;
			key.depth = a->file.count;
			key.match = AT_MATCH_EXACT;
			if (at_ask(a, &key, 1, a->file.count))
				return 1;
		}
		if (!round && features & AT_HAS_EXECNAME && a->action == AT_ACTION_NONE) {
			key.hash = a->walk.last;
			key.depth = 0;
			key.match = AT_MATCH_EXECNAME;
			if (at_ask(a, &key, a->file.count, a->file.count))
				return 1;
		}
		if (a->action != AT_ACTION_NONE)
			return 0;
		if (at_ask_directories(a, &key))
			return 1;
		if (a->action != AT_ACTION_NONE || a->walk.partials < AT_PARTIALS)
			return 0;
		a->walk.limit = a->walk.depths[AT_PARTIALS - 1];
	}
	return 0;
}

/* Hashes the source once for all paths of the access. A source without a path is none. */
static __always_inline void at_resolve_source(struct at_access *a)
{
	if (!a->source.dentry || a->source.hash)
		return;
	a->walk.select = 0;
	at_walk_count(&a->source, &a->walk);
	if (a->source.state == AT_WALK_DONE)
		at_walk_hash(&a->source, &a->walk);
	if (a->source.state == AT_WALK_DONE && a->walk.state == AT_WALK_DONE)
		a->source.hash = at_hash_source(a->source.hash);
	else
		a->source.hash = 0;
}

/* One name of the file: finds the rule that decides. The state of its walk. */
static __noinline int at_match_path(struct at_access *a, __u32 features)
{
	for (int attempt = 0; attempt < AT_RETRIES; attempt++) {
		int raced = 0;

		at_walk_count(&a->file, &a->walk);
		if (a->file.state == AT_WALK_DONE) {
			if (a->source.hash)
				raced = at_match_source(a, features, a->source.hash);
			if (!raced && a->action == AT_ACTION_NONE && features & AT_HAS_NO_SOURCE)
				raced = at_match_source(a, features, 0);
			if (!raced)
				return 0;
			a->action = AT_ACTION_NONE;
			a->file.state = AT_WALK_RACED;
		}
		if (a->file.state != AT_WALK_RACED)
			return 0;
		at_count(AT_COUNTER_WALK_RETRIED, 1);
	}
	return 0;
}

/*
 * The verdict of the rules on `a->file`, by its path and, if it lies on the container's root filesystem and that path
 * may be another, by its path in there; the stricter counts. The state of the walk; AT_WALK_DONE if it has either.
 */
__noinline int at_judge(struct at_access *a)
{
	const struct at_ruleset *set;
	__u32 features, rule, action, state;
	__u64 mnt;

	if (!a)
		return 0;
	set = at_ruleset_at(a->ruleset);
	if (!set || a->kind >= AT_KINDS)
		return 0;
	features = set->features[a->kind & 3];
	at_resolve_source(a);
	at_match_path(a, features);
	state = a->file.state;
	if (!a->on_root || state == AT_WALK_INTERNAL)
		return state;
	if (state == AT_WALK_DONE && a->same_root && a->file.inside == a->file.count)
		return state;
	rule = a->rule;
	action = a->action;
	mnt = a->file.mnt;
	a->action = AT_ACTION_NONE;
	a->file.mnt = 0;
	at_match_path(a, features);
	if (action < a->action) {
		a->action = action;
		a->rule = rule;
	}
	/* The event names the file as its mount namespace does, if it does. */
	if (state == AT_WALK_DONE || a->file.state != AT_WALK_DONE) {
		a->file.mnt = mnt;
		a->file.state = state;
	}
	return a->file.state;
}

#endif
