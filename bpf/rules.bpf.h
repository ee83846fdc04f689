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
	return at_ruleset_at(a->ruleset);
}

static __always_inline __u32 at_features_of(const struct at_access *a)
{
	const struct at_ruleset *set = at_set_of(a);

	return set ? set->features[a->kind & 3] : 0;
}

/* The key of a candidate, and the components that it names; false where the rule set or the path has no such. */
static __always_inline bool at_candidate_key(struct at_access *a, struct at_walk *w, __u32 candidate, __u32 features,
					     struct at_rule_key *key)
{
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
	key->hash = w->partial[place];
	key->match = candidate & 1 ? AT_MATCH_DIR : AT_MATCH_DIR_RECURSIVE;
	/* Not recursive: the directory itself, and what lies directly in it. */
	return !(candidate & 1) || w->high + 1 >= a->file.count;
}

/* Is the path an ancestor of one under a Block rule? The hint names the rule, and the kind of it. */
static __noinline int at_next_hint(struct at_access *a, struct at_walk *w)
{
	struct at_hint_key key = {};
	const struct at_hint *hint;

	if (a->candidate++)
		return 0;
	key.hash = a->file.hash;
	key.ruleset = a->ruleset;
	key.depth = a->file.count;
	hint = bpf_map_lookup_elem(&hints, &key);
	if (!hint || hint->name_count != a->file.count)
		return 0;
	a->hit_action = AT_ACTION_BLOCK;
	a->hit_rule = hint->rule;
	a->kind = hint->kind;
	w->low = 1;
	w->high = a->file.count;
	w->names = hint->names;
	return 1;
}

/* Looks the next candidates up; 1 at a hit that would change the verdict, once its names are confirmed. */
__noinline int at_next_hit(struct at_access *a, struct at_walk *w)
{
	struct at_rule_key key = {};
	const struct at_rule *rule;
	__u64 selected;
	__u32 features;

	if (!a || !w)
		return 0;
	features = at_features_of(a);
	if (a->mode & AT_MODE_HINT)
		return at_next_hint(a, w);
	key.ruleset = a->ruleset;
	key.kind = a->kind;
	key.source_hash = a->mode & AT_MODE_WITH_SOURCE ? a->source.hash : 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < AT_CANDIDATES; i++) {
		__u32 candidate = a->candidate;

		if (candidate == AT_CANDIDATE_EXECNAME && !(features & AT_HAS_EXECNAME))
			a->candidate = ++candidate;
		/* Only the two kinds of rules on one directory are of equal rank. */
		if (candidate >= AT_CANDIDATE_DIRECTORY + 2 * (__u32)w->partials || (a->action != AT_ACTION_NONE && !(candidate & 1)) ||
		    (a->action != AT_ACTION_NONE && candidate == AT_CANDIDATE_EXECNAME))
			return 0;
		a->candidate = candidate + 1;
		if (!at_candidate_key(a, w, candidate, features, &key))
			continue;
		rule = bpf_map_lookup_elem(&rules, &key);
		if (!rule)
			continue;
		selected = at_select(rule, a->write, a->owner);
		if (!selected || selected >> 32 >= a->action || rule->name_count != w->high + 1 - w->low)
			continue;
		if (key.source_hash && rule->source_name_count != a->source.count)
			continue;
		a->hit_action = selected >> 32;
		a->hit_rule = selected;
		a->hit_source = rule->source_names;
		a->hit_source_count = rule->source_name_count;
		w->names = rule->names;
		return 1;
	}
	return 0;
}

/*
 * Protocols and capabilities: looks up the values that are left; 1 at a hit whose source is to be confirmed. All that
 * match are of equal rank. `file.hash` is the number of the capability, or the set of protocols.
 */
__noinline int at_next_value(struct at_access *a, struct at_walk *w)
{
	struct at_rule_key key = {};
	const struct at_rule *rule;
	__u64 selected;

	if (!a || !w)
		return 0;
	key.ruleset = a->ruleset;
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
		w->low = 1;
		w->high = rule->source_name_count;
		w->names = rule->source_names;
		return 1;
	}
	return 0;
}

#endif
