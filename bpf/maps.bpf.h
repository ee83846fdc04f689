/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps of the rules and of the containers; user space fills them, sets their sizes and pins them (include/layout.h). */
#ifndef AT_MAPS_BPF_H
#define AT_MAPS_BPF_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include "layout.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct at_ruleset);
} rulesets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct at_rule_key);
	__type(value, struct at_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct at_name);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct at_hint_key);
	__type(value, struct at_hint);
} hints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct at_member);
} members SEC(".maps");

/* Not 0 once a cgroup below a container is not in `members`, which is full: from then on its ancestors tell whose it is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} members_missed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* user space stores single words, beside what the programs write */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct at_container);
} containers SEC(".maps");

#endif
