/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that every part of the programs reads or counts in, and how a value is made for a map whose values are too
 * large for the stack.
 */
#ifndef AT_SHARED_BPF_H
#define AT_SHARED_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "interval.h"
#include "account.h"

/* Where another CPU may come in between. The probe of the tests waits here, so that it often does. */
#ifndef AT_RACE_POINT
#define AT_RACE_POINT()
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE); /* user space stores single words; an update would copy them one byte at a time */
	__type(key, __u32);
	__type(value, struct at_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AT_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline struct at_settings *at_settings(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&settings, &key);
}

/*
 * Generation of this set of programs. It alerts while `settings.active` is the same, and decides from then on: the sets
 * change in the middle of an access, whose programs run one after the other, and the one that is replaced goes on
 * refusing until its links are gone. Set before loading.
 */
const volatile __u32 at_generation = 1;

/* The generation in force; 0: none is. */
static __always_inline __u32 at_active(void)
{
	const struct at_settings *settings = at_settings();

	return settings ? *(volatile const __u32 *)&settings->active & ~AT_ACTIVE_MOVING : 0;
}

static __always_inline int at_is_active(void)
{
	return at_active() == at_generation;
}

/* Atomic although the counter is this CPU's own: a task may be preempted by another that counts on the same CPU. */
static __always_inline void at_count(enum at_counter counter, __u64 n)
{
	__u32 key = counter;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		__sync_fetch_and_add(value, n);
}

/* The limits of a profile: one word, read in one access, so that what belongs together is never mixed. */
static __always_inline __u64 at_limits(const struct at_settings *s, __u32 profile)
{
	return *(volatile const __u64 *)&s->limits[profile & (AT_PROFILES_MAX - 1)];
}

/*
 * A new value is handed to the kernel as a whole, with the container in it and all else zero. It is put together in a
 * slot that one program at a time owns: scratch memory per CPU would be shared by tasks that preempt each other.
 */
#define AT_BIRTH_SLOTS 64
#define AT_BIRTH_TRIES 8
#define AT_FLAGS_WORD 0     /* where struct at_throttle and struct at_account have lock and flags, in words */
#define AT_CONTAINER_WORD 1 /* and their container */

_Static_assert(offsetof(struct at_throttle, flags) == 4 && offsetof(struct at_account, flags) == 4, "AT_FLAGS_WORD");
_Static_assert(offsetof(struct at_throttle, container) == 8 * AT_CONTAINER_WORD, "AT_CONTAINER_WORD");
_Static_assert(offsetof(struct at_account, container) == 8 * AT_CONTAINER_WORD, "AT_CONTAINER_WORD");
_Static_assert(sizeof(struct at_account) <= sizeof(struct at_throttle), "a slot holds either");

struct at_birth {
	__u64 taken;
	__u64 value[sizeof(struct at_throttle) / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AT_BIRTH_SLOTS);
	__type(key, __u32);
	__type(value, struct at_birth);
} births SEC(".maps");

/* Puts a new value for `container` into `map`: 0, or why not; -EEXIST where there is one, -EBUSY where no slot is free. */
static __always_inline long at_give_birth(void *map, __u64 container, __u32 flags)
{
	__u32 start = bpf_get_smp_processor_id() * AT_BIRTH_TRIES;

	for (__u32 i = 0; i < AT_BIRTH_TRIES; i++) {
		__u32 key = (start + i) & (AT_BIRTH_SLOTS - 1);
		struct at_birth *birth = bpf_map_lookup_elem(&births, &key);
		long error;

		if (!birth || __sync_val_compare_and_swap(&birth->taken, 0, 1) != 0)
			continue;
		birth->value[AT_FLAGS_WORD] = (__u64)flags << 32;
		birth->value[AT_CONTAINER_WORD] = container;
		error = bpf_map_update_elem(map, &container, birth->value, BPF_NOEXIST);
		__sync_lock_test_and_set(&birth->taken, 0);
		return error;
	}
	return -16;
}

#endif
