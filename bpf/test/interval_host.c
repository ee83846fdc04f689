// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Random histories of one window: alerts, sweeps, limits that change, policies that go, and a ring that has room or
 * has none; and now and then it moves into another map. Whatever happens, each crossing is in exactly one report, a
 * threshold comes before its report and once, and the reports add up to what was dropped and lost.
 *
 *   interval_host <seed> <steps>
 */
#include <string.h>
#include "interval.h"
#include "random.h"

static struct at_throttle throttle = { .container = 7 };
static uint64_t now = 5 * AT_SECOND_NS;
static uint64_t on = 1, n = 2, seconds = 2, generation;

/* What has happened. */
static uint64_t matched, passed, dropped, crossed, lost;
/* What was reported of it. */
static uint64_t thresholds, reports, reported_dropped, reported_crossed, reported_lost, joined;
static uint64_t open_start, moved;

static uint64_t limits(void)
{
	return on << 63 | n << 46 | seconds << 29 | (generation & 0x1ff) << 20;
}

static void check_event(const struct at_threshold_event *event)
{
	uint64_t by_operation = 0, by_rule = event->dropped_by_other_rules;

	for (int i = 0; i <= AT_OPS; i++)
		by_operation += event->dropped_by_operation[i];
	for (int i = 0; i < AT_RULES_COUNTED; i++) {
		by_rule += event->dropped_by_rule[i];
		CHECK((event->rules[i] == 0) == (event->dropped_by_rule[i] == 0));
	}
	CHECK(by_operation == event->dropped);
	CHECK(by_rule == event->dropped);
	CHECK(event->head.container == 7);
	CHECK(event->first_dropped_ns == event->interval_start_ns);
	CHECK(event->last_dropped_ns >= event->first_dropped_ns);
	CHECK(event->trigger_rule != 0);
	if (event->head.type == AT_EVENT_THRESHOLD) {
		CHECK(open_start == 0);
		CHECK(event->dropped == 1 && event->crossings == 1 && event->ended_by == AT_ENDED_BY_NONE);
		CHECK(event->head.time_ns == event->interval_start_ns);
		open_start = event->interval_start_ns;
		thresholds++;
		return;
	}
	CHECK(event->head.type == AT_EVENT_THRESHOLD_ENDED);
	CHECK(open_start == event->interval_start_ns);
	CHECK(event->ended_by != AT_ENDED_BY_NONE);
	CHECK(event->ended_by != AT_ENDED_BY_EXPIRED || event->head.time_ns == event->interval_end_ns);
	CHECK(event->head.time_ns <= event->interval_end_ns);
	open_start = 0;
	reports++;
	reported_dropped += event->dropped;
	reported_crossed += event->crossings;
	reported_lost += event->lost;
	joined += event->crossings > 1;
}

static void take(uint64_t room)
{
	struct at_threshold_event event;

	while (room-- > 0 && at_throttle_is_due(&throttle)) {
		memset(&event, 0xee, sizeof(event));
		at_throttle_take(&throttle, &event);
		check_event(&event);
	}
}

static void alert(void)
{
	struct at_admission admission = {
		.container = 7,
		/* Taken before the lock: sometimes earlier than the decision before. */
		.now_ns = one_in(5) ? now - below(now < 3 * AT_SECOND_NS ? now : 3 * AT_SECOND_NS) : now,
		.rule = 1 + below(one_in(3) ? 20 : 3),
		.operation = below(one_in(50) ? 1000 : AT_OPS),
		.profile = one_in(100),
	};
	struct at_trigger trigger = { .host_pid = 1 };

	if (!on)
		return;
	matched++;
	switch (at_throttle_admit(&throttle, &admission, limits(), &trigger)) {
	case AT_PASSED:
		passed++;
		if (one_in(4)) {
			lost++;
			throttle.lost++;
		}
		break;
	case AT_CROSSED:
		crossed++;
		dropped++;
		break;
	case AT_DROPPED:
		dropped++;
		break;
	}
}

static void change_limits(void)
{
	if (on && one_in(2)) {
		on = 0;
		generation++;
	} else {
		on = 1;
		n = 1 + below(3);
		seconds = 1 + below(4);
	}
}

/* Frozen, and copied into its place in another map; a loss may come in between. */
static void move(void)
{
	static struct at_throttle before;
	uint64_t late = passed > lost && one_in(2);

	before = throttle;
	before.flags |= AT_THROTTLE_MOVED;
	memset(&throttle, 0, sizeof(throttle));
	throttle.container = 7;
	throttle.flags = AT_THROTTLE_ARRIVING;
	throttle.lost = late;
	lost += late;
	at_throttle_carry(&throttle, &before);
	CHECK(throttle.flags == 0 && throttle.container == 7);
	moved++;
}

static void check(void)
{
	uint64_t waiting_dropped = 0, waiting_crossed = 0, waiting_lost = 0;

	CHECK(throttle.count <= AT_INTERVALS);
	for (uint32_t i = 0; i < throttle.count; i++) {
		const struct at_interval *interval = at_interval_at(&throttle, i);

		waiting_dropped += interval->dropped;
		waiting_crossed += interval->crossings;
		waiting_lost += interval->lost;
		/* Only the last can be open, and it is if the window says so. */
		CHECK((interval->ended_by == AT_ENDED_BY_NONE) == (i + 1 == throttle.count && throttle.window.dropped > 0));
	}
	CHECK(matched == passed + dropped);
	CHECK(throttle.matched == matched && throttle.dropped == dropped && throttle.lost == lost);
	CHECK(reported_dropped + waiting_dropped == dropped);
	CHECK(reported_crossed + waiting_crossed == crossed);
	CHECK(reported_lost + waiting_lost == throttle.lost_reported && throttle.lost_reported <= lost);
	CHECK(thresholds == reports || thresholds == reports + 1);
}

int main(int argc, char **argv)
{
	uint64_t steps, outage = 0;

	if (argc != 3)
		return 2;
	random_state = 2 * strtoull(argv[1], NULL, 10) + 1;
	steps = strtoull(argv[2], NULL, 10);
	for (step = 0; step < steps; step++) {
		now += below(one_in(10) ? 2 * AT_SECOND_NS : AT_SECOND_NS / 20);
		if (outage > 0)
			outage--;
		else if (one_in(500))
			outage = below(2000);
		switch (below(12)) {
		case 0:
			at_throttle_advance(&throttle, limits(), now);
			break;
		case 1:
			if (one_in(40))
				change_limits();
			break;
		case 2:
			if (one_in(40))
				at_throttle_close(&throttle, limits(), now, AT_ENDED_BY_POLICY);
			break;
		case 3:
			if (one_in(20))
				move();
			break;
		default:
			alert();
		}
		if (outage == 0)
			take(below(4));
		check();
	}
	at_throttle_close(&throttle, limits(), now, AT_ENDED_BY_CONTAINER);
	take(2 * AT_INTERVALS);
	CHECK(at_throttle_is_quiet(&throttle));
	CHECK(thresholds == reports && reported_dropped == dropped && reported_crossed == crossed);
	/* The history had everything in it that this is about. */
	CHECK(steps < 100000 || (crossed > 1000 && joined > 10 && reports > 1000 && lost > 100 && moved > 100));
	printf("%llu alerts, %llu crossings, %llu reports, %llu of them of several intervals\n",
	       (unsigned long long)matched, (unsigned long long)crossed, (unsigned long long)reports,
	       (unsigned long long)joined);
	return 0;
}
