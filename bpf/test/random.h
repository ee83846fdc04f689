/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests on the host have in common: random numbers that a seed repeats, and a check that says where. */
#ifndef AT_RANDOM_H
#define AT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;

/* xorshift64*, Vigna 2016. */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ull;
}

/* 0 .. limit - 1 */
static uint64_t below(uint64_t limit)
{
	return next_random() % limit;
}

static int one_in(uint64_t n)
{
	return below(n) == 0;
}

static unsigned long long step;

#define CHECK(condition)                                                                       \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			printf("%s:%d: step %llu: %s\n", __FILE__, __LINE__, step, #condition); \
			exit(1);                                                               \
		}                                                                              \
	} while (0)

#endif
