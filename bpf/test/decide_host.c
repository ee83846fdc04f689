// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's throttle as a filter, for the tests that compare it with the vectors and with the TypeScript one.
 *
 *   in:   r                              a new window
 *         <t> <on> <N> <T>               an alert at t microseconds, under these limits
 *   out:  <decision> <openedAt> <passed> <throttledUntil> <dropped> <last>     of each alert; times in microseconds
 *
 * The limits go through the packed word, and each "off" raises its generation, as user space does it.
 */
#include <inttypes.h>
#include <stdio.h>
#include "interval.h"

static const char *const names[] = { "passed", "dropped", "thresholdCrossed" };

int main(void)
{
	struct at_throttle throttle = { .container = 1 };
	struct at_threshold_event event;
	struct at_trigger trigger = { 0 };
	uint64_t generation = 0, was_on = 1;
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		struct at_admission admission = { .container = 1, .rule = 1 };
		enum at_decision decision = AT_PASSED;
		uint64_t t, on, n, seconds, limits;

		if (line[0] == 'r') {
			throttle = (struct at_throttle){ .container = 1 };
			continue;
		}
		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &t, &on, &n, &seconds) != 4)
			return 2;
		if (was_on && !on)
			generation = (generation + 1) & 0x1ff;
		was_on = on;
		limits = on << 63 | n << 46 | seconds << 29 | generation << 20;
		admission.now_ns = t * 1000;
		if (on)
			decision = at_throttle_admit(&throttle, &admission, limits, &trigger);
		else
			at_throttle_advance(&throttle, limits, admission.now_ns);
		while (at_throttle_is_due(&throttle))
			at_throttle_take(&throttle, &event);
		printf("%s %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", names[decision],
		       (uint64_t)throttle.window.opened_at / 1000, throttle.window.passed,
		       (uint64_t)throttle.window.throttled_until / 1000, (uint64_t)throttle.window.dropped,
		       (uint64_t)throttle.window.last / 1000);
	}
	return 0;
}
