/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A container's account with the rings: what it holds of the audit ring, and what the rings did not take of it.
 *
 * The kernel does not know whose records user space has consumed, only how far it has come. So each account keeps the
 * bytes that it produced by the place where they lie: the ring's positions are divided into segments of a 32nd of its
 * size, and `bytes` has a counter for each segment that may still be in the ring. A segment's bytes are held until the
 * consumer has passed its end.
 *
 *   positions ──▶  │ consumed │▒▒ consumer here ▒▒│ held │ held │ held │ producer here │
 *                             └ held as a whole until passed
 *
 * A record is counted in the segment of the producer's position just after it was written, which does not lie before
 * the record; what is being written counts as well. So `held` is never less than the truth, and more by at most what
 * lies between the consumer and the end of its segment, and between a record and the segment that it was counted in.
 *
 * A container may hold an eighth of the ring, and while nobody else's records wait in it, half. Then others, when they
 * come, find half of the ring free, and four of them their eighth, whatever the first one does.
 *
 * Limits: more than that many at once share what is left first come, first served. For what the estimate is above the
 * truth (a 32nd, as a rule), a container may be taken to be alone that is not, or lose a record a little before its
 * eighth. A consumer that does not consume stops everyone.
 *
 * Pure C, called under the account's lock.
 */
#ifndef AT_ACCOUNT_H
#define AT_ACCOUNT_H

#include <linux/bpf.h>
#include "throttle.h"

#define AT_SEGMENTS_PER_RING 32
#define AT_SEGMENTS 64 /* counters; a power of two, above AT_SEGMENTS_PER_RING + 1 */

#define AT_RECORD_HEADER_BYTES 8 /* BPF_RINGBUF_HDR_SZ */

/* A ring as bpf_ringbuf_query shows it; positions only grow. */
struct at_ring_view {
	__u64 consumed; /* read before `produced` */
	__u64 produced;
	__u64 size;
};

struct at_loss {
	__u64 count; /* not announced yet */
	__u64 first_ns;
	__u64 last_ns;
};

#define AT_ACCOUNT_REMOVED 0x1 /* the container is gone: free this once its losses are announced */

struct at_account {
	struct bpf_spin_lock lock;
	__u32 flags;        /* AT_ACCOUNT_* */
	__u64 container;    /* the key once more, or AT_NOBODY; 0: the account that all share who have none */
	__u64 held;         /* bytes of the audit ring, at most; those being written included */
	__u64 tail;         /* first segment that is not known to be consumed */
	__u32 bytes[AT_SEGMENTS];
	struct at_loss lost[AT_RINGS];
	__u64 lost_total[AT_RINGS];
};

_Static_assert(sizeof(struct at_account) == 352, "no hidden padding");

/* Bytes of the ring that a record of `size` takes. */
AT_INLINE __u64 at_record_bytes(__u32 size)
{
	return (((__u64)size + 7) & ~7ull) + AT_RECORD_HEADER_BYTES;
}

AT_INLINE __u64 at_segment_of(const struct at_ring_view *ring, __u64 position)
{
	__u64 segment = ring->size / AT_SEGMENTS_PER_RING;

	return segment ? position / segment : 0;
}

/* Forgets what has been consumed. */
AT_INLINE void at_account_advance(struct at_account *account, const struct at_ring_view *ring)
{
	/* What lies a whole ring behind the producer has been consumed, although `consumed` may have been read before. */
	__u64 oldest = ring->produced > ring->size ? ring->produced - ring->size : 0;
	__u64 tail = at_segment_of(ring, ring->consumed > oldest ? ring->consumed : oldest);

	if (account->tail >= tail)
		return;
	for (__u32 i = 0; i < AT_SEGMENTS; i++) {
		__u32 place = (account->tail + i) & (AT_SEGMENTS - 1);

		if (account->tail + i >= tail)
			break;
		account->held -= account->bytes[place];
		account->bytes[place] = 0;
	}
	account->tail = tail;
}

/* May this container write `bytes` more? If so they are held from now on; at_account_settle must follow. */
AT_INLINE int at_account_take(struct at_account *account, const struct at_ring_view *ring, __u64 bytes)
{
	__u64 waiting = ring->produced > ring->consumed ? ring->produced - ring->consumed : 0;
	__u64 held, share;

	at_account_advance(account, ring);
	held = account->held;
	share = waiting <= held ? ring->size / 2 : ring->size / 8;
	if (held + bytes > share)
		return 0;
	account->held = held + bytes;
	return 1;
}

/* The ring, as it is after the attempt, took the bytes that at_account_take granted, or did not. */
AT_INLINE void at_account_settle(struct at_account *account, const struct at_ring_view *ring, __u64 bytes, int taken)
{
	__u64 segment = at_segment_of(ring, ring->produced);

	at_account_advance(account, ring);
	if (!taken || segment < account->tail)
		account->held -= bytes;
	else
		account->bytes[segment & (AT_SEGMENTS - 1)] += (__u32)bytes;
}

AT_INLINE void at_account_lost(struct at_account *account, __u32 ring, __u64 now)
{
	struct at_loss *loss = &account->lost[ring & 1];

	if (loss->count == 0)
		loss->first_ns = now;
	loss->last_ns = now;
	loss->count += 1;
	account->lost_total[ring & 1] += 1;
}

#endif
