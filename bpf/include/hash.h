/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hashes of paths. User space hashes the paths of rules, the programs those of accesses, with the same functions.
 *
 * A component has a keyed hash c of its own; a path is the sum of c(i) * M^i over its components i = 1 .. n, modulo
 * 2^64, where M is secret and odd. So one walk from the leaf to the root (Horner's rule) gives the hash of the path and
 * of each of its ancestors: that of the ancestor at depth k is the total less the part below k. "/" is 0.
 *
 * File names are the attacker's. The secret keeps him from choosing what collides; that a collision decides nothing is
 * the work of map `names`, against which every hit is confirmed.
 */
#ifndef AT_HASH_H
#define AT_HASH_H

#ifndef __bpf__
#include <linux/types.h>
#include <string.h>
#endif

#define AT_HASH_MULTIPLIER 0x9fb21c651e98df25ULL

/* M: odd, and 5 modulo 8, so that its powers take as long as they can to repeat. */
static inline __attribute__((always_inline)) __u64 at_hash_step(const __u64 secret[2])
{
	return (secret[1] & ~7ULL) | 5;
}

static inline __attribute__((always_inline)) __u64 at_hash_power(__u64 base, __u32 exponent)
{
	__u64 power = 1;

	/* Ends for the verifier: a depth has 8 bits. */
	for (int bit = 0; bit < 8 && exponent; bit++, base *= base, exponent >>= 1)
		if (exponent & 1)
			power *= base;
	return power;
}

/* A component, in words of 8 bytes, the last one with its bytes at the upper end and zeros before them: begin, word ..., end. */
static inline __attribute__((always_inline)) __u64 at_hash_begin(const __u64 *secret, __u32 length)
{
	return secret[0] ^ (length * AT_HASH_MULTIPLIER);
}

static inline __attribute__((always_inline)) __u64 at_hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * AT_HASH_MULTIPLIER;
	return hash ^ (hash >> 32);
}

/* Of a last word only so many bytes count, 1 to 8. */
static inline __attribute__((always_inline)) __u64 at_hash_last_word(__u64 word, __u32 bytes)
{
	return word << (-bytes & 7) * 8;
}

static inline __attribute__((always_inline)) __u64 at_hash_end(__u64 hash)
{
	hash *= AT_HASH_MULTIPLIER;
	return hash ^ (hash >> 29);
}

/* `source_hash` of a key: 0 is kept for "without". */
static inline __attribute__((always_inline)) __u64 at_hash_source(__u64 hash)
{
	return hash ? hash : 1;
}

#ifndef __bpf__

/* Hash of one component; also of a rule's execname. */
static inline __u64 at_hash_name(const __u64 secret[2], const char *text, __u32 length)
{
	__u64 hash = at_hash_begin(secret, length);

	for (__u32 at = 0; at < length; at += sizeof(__u64)) {
		__u64 word = 0;

		memcpy(&word, text + at, length - at < sizeof(word) ? length - at : sizeof(word));
		if (length - at <= sizeof(word))
			word = at_hash_last_word(word, length - at);
		hash = at_hash_word(hash, word);
	}
	return at_hash_end(hash);
}

/*
 * Hash of an absolute path and its number of components ("/" has none). Empty components are passed over, so that
 * "/a/b/" is "/a/b". Each component's place and length go to `each` where it is not null.
 */
static inline __u64 at_hash_path(const __u64 secret[2], const char *path, __u32 *depth,
				 void (*each)(void *context, const char *text, __u32 length), void *context)
{
	const __u64 step = at_hash_step(secret);
	__u64 hash = 0, power = 1;

	*depth = 0;
	while (*path) {
		__u32 length = 0;

		while (*path == '/')
			path++;
		while (path[length] && path[length] != '/')
			length++;
		if (!length)
			break;
		power *= step;
		hash += at_hash_name(secret, path, length) * power;
		*depth += 1;
		if (each)
			each(context, path, length);
		path += length;
	}
	return hash;
}

#endif
#endif
