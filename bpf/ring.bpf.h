/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two rings: every event gets a number before it asks for space, so that a missing number is a lost event; what a
 * ring does not take is counted per container and announced once (AT_EVENT_LOST) when there is room. The audit ring
 * grants each container a share (include/account.h), so that one that floods costs the others nothing; Block alerts,
 * thresholds and reports have a ring of their own.
 */
#ifndef AT_RING_BPF_H
#define AT_RING_BPF_H

#include "shared.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} enforcement_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} audit_ring SEC(".maps");

/* Of one ring, since it was created: number = emitted + lost, where nobody is in between. */
struct at_ring_state {
	__u64 number;  /* of the last event */
	__u64 emitted;
	__u64 lost;
	__u64 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AT_RINGS);
	__type(key, __u32);
	__type(value, struct at_ring_state);
} ring_states SEC(".maps");

/* Key: cgroup id of a registered container; made at its first audit alert or first loss. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct at_account);
} ring_accounts SEC(".maps");

/* One account for all events that belong to no container, and for containers that found `ring_accounts` full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct at_account);
} ring_account_common SEC(".maps");

static __always_inline struct at_ring_state *at_ring_state(enum at_ring ring)
{
	__u32 key = ring;

	return bpf_map_lookup_elem(&ring_states, &key);
}

/* The account that counts for `container`; 0: that of no container. Never NULL, but the verifier wants to see it. */
static __always_inline struct at_account *at_account_of(__u64 container)
{
	struct at_account *account;
	__u32 common = 0;

	if (container) {
		account = bpf_map_lookup_elem(&ring_accounts, &container);
		if (!account) {
			at_give_birth(&ring_accounts, container, 0);
			account = bpf_map_lookup_elem(&ring_accounts, &container);
		}
		if (account)
			return account;
	}
	return bpf_map_lookup_elem(&ring_account_common, &common);
}

/* Under its lock: the container's account (see AT_NOBODY), or the common one. */
static __always_inline int at_account_is_of(const struct at_account *account, __u64 container)
{
	return account->container == container || account->container == 0;
}

static __noinline int at_account_count_loss(__u32 ring, __u64 container)
{
	struct at_account *account = at_account_of(container);
	__u64 now = bpf_ktime_get_boot_ns();
	int counted;

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	counted = at_account_is_of(account, container);
	if (counted)
		at_account_lost(account, ring, now);
	bpf_spin_unlock(&account->lock);
	if (counted)
		return 0;
	account = at_account_of(0);
	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	at_account_lost(account, ring, now);
	bpf_spin_unlock(&account->lock);
	return 0;
}

static __always_inline void at_view_audit_ring(struct at_ring_view *view)
{
	view->consumed = bpf_ringbuf_query(&audit_ring, BPF_RB_CONS_POS);
	view->produced = bpf_ringbuf_query(&audit_ring, BPF_RB_PROD_POS);
	view->size = bpf_ringbuf_query(&audit_ring, BPF_RB_RING_SIZE);
}

/* The account that grants the container so much of the audit ring, or NULL. */
static __noinline struct at_account *at_audit_take(__u64 container, __u32 size)
{
	struct at_account *account = at_account_of(container);
	struct at_ring_view view;
	int granted = 0;

	if (!account)
		return NULL;
	at_view_audit_ring(&view);
	bpf_spin_lock(&account->lock);
	if (at_account_is_of(account, container))
		granted = at_account_take(account, &view, at_record_bytes(size));
	bpf_spin_unlock(&account->lock);
	return granted ? account : NULL;
}

static __noinline int at_audit_settle(struct at_account *account, __u64 container, __u32 size, int taken)
{
	struct at_ring_view view;

	if (!account)
		return 0;
	at_view_audit_ring(&view);
	bpf_spin_lock(&account->lock);
	if (at_account_is_of(account, container))
		at_account_settle(account, &view, at_record_bytes(size), taken);
	bpf_spin_unlock(&account->lock);
	return 0;
}

/* One container's Block alert was lost: counted in its window too (window.bpf.h). */
static __noinline int at_window_count_loss(__u64 container);

/* An attempt on our maps is an alert like others: it passes the throttle, and what is lost is the container's loss. */
static __always_inline int at_is_alert(__u32 type)
{
	return type == AT_EVENT_ALERT || type == AT_EVENT_TAMPERING;
}

static __noinline int at_ring_count(__u32 ring, __u64 container, __u32 type, int taken)
{
	__u32 key = ring & 1;
	struct at_ring_state *state = bpf_map_lookup_elem(&ring_states, &key);

	if (!state)
		return 0;
	__sync_fetch_and_add(taken ? &state->emitted : &state->lost, 1);
	if (at_is_alert(type)) {
		if (ring == AT_RING_AUDIT)
			at_count(taken ? AT_COUNTER_AUDIT_EMITTED : AT_COUNTER_AUDIT_LOST, 1);
		else
			at_count(taken ? AT_COUNTER_EMITTED : AT_COUNTER_LOST, 1);
	}
	if (taken)
		return 0;
	at_account_count_loss(ring, container);
	if (ring == AT_RING_ENFORCEMENT && container)
		at_window_count_loss(container);
	return 0;
}

/*
 * Numbers the record and hands its first `size` bytes to a ring: 0, or -1 where it was lost, which is counted. The
 * verifier has to know at the call that so many bytes are readable. Only alerts belong to a registered container;
 * whatever else is lost is announced as nobody's.
 */
static __always_inline int at_ring_emit(enum at_ring ring, struct at_event_head *record, __u32 size, __u64 container)
{
	struct at_ring_state *state = at_ring_state(ring);
	__u32 type = record->type;
	long error = -1;

	if (!state)
		return -1;
	if (!at_is_alert(type))
		container = 0;
	record->number = __sync_fetch_and_add(&state->number, 1) + 1;
	record->size = size;
	if (ring == AT_RING_AUDIT) {
		struct at_account *account = at_audit_take(container, size);

		if (account) {
			error = bpf_ringbuf_output(&audit_ring, record, size, 0);
			at_audit_settle(account, container, size, !error);
		}
	} else {
		error = bpf_ringbuf_output(&enforcement_ring, record, size, 0);
	}
	at_ring_count(ring, container, type, !error);
	return error ? -1 : 0;
}

/*
 * Announces what a ring did not take of a container: 1 said or nothing to say, 0 no room yet. The space is there before
 * the count is cleared, so that nothing is announced twice or not at all.
 */
static __always_inline int at_account_announce(struct at_account *account, enum at_ring ring)
{
	struct at_ring_state *state = at_ring_state(ring);
	struct at_lost_event *event;
	int said;

	if (!state || *(volatile __u64 *)&account->lost[ring].count == 0)
		return 1;
	event = ring == AT_RING_AUDIT ? bpf_ringbuf_reserve(&audit_ring, sizeof(*event), 0)
				      : bpf_ringbuf_reserve(&enforcement_ring, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->head.time_ns = bpf_ktime_get_boot_ns();
	event->head.size = sizeof(*event);
	event->head.type = AT_EVENT_LOST;
	bpf_spin_lock(&account->lock);
	said = account->lost[ring].count > 0;
	if (said) {
		event->head.number = __sync_fetch_and_add(&state->number, 1) + 1;
		event->head.container = account->container;
		event->count = account->lost[ring].count;
		event->first_ns = account->lost[ring].first_ns;
		event->last_ns = account->lost[ring].last_ns;
		account->lost[ring].count = 0;
	}
	bpf_spin_unlock(&account->lock);
	if (!said) {
		bpf_ringbuf_discard(event, 0);
		return 1;
	}
	__sync_fetch_and_add(&state->emitted, 1);
	bpf_ringbuf_submit(event, 0);
	return 1;
}

#endif
