/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe's eyes: reads the rings, and checks each event, their order, and that all counts add up in the end.
 */
#ifndef AT_PROBE_EVENTS_H
#define AT_PROBE_EVENTS_H

#include "probe_kernel.h"

static struct ring_buffer *enforcement, *audit;

/* What the rings delivered. */
static struct {
	u64 alerts, audit_alerts, thresholds, ended, crossings, dropped, lost[2], lost_said;
	u64 highest[2], numbers[2];
	u64 ended_by[5];
	u64 overflow_thresholds, overflow_containers;
} seen;
static u64 open_start[CONTAINERS]; /* of the container's threshold without a report */
static u64 last_until[CONTAINERS];
static u64 alerts_of[CONTAINERS], windows_of[CONTAINERS];
static u64 audit_of[CONTAINERS];
static u64 started_ns, limit_n;    /* where it is checked that no window lets more pass */
static int in_order = 1;

static void saw_threshold(const struct at_threshold_event *event)
{
	u64 c = event->head.container;
	int is_end = event->head.type == AT_EVENT_THRESHOLD_ENDED;
	u64 by_operation = 0, by_rule = event->dropped_by_other_rules;

	for (int i = 0; i < AT_OPS; i++)
		by_operation += event->dropped_by_operation[i];
	for (int i = 0; i < AT_RULES_COUNTED; i++)
		by_rule += event->dropped_by_rule[i];
	expect("dropped by operation", by_operation, event->dropped);
	expect("dropped by rule", by_rule, event->dropped);
	expect("size", event->head.size, sizeof(*event));
	for (int i = 0; c && i < AT_RULES_COUNTED; i++)
		if (event->rules[i] && event->rules[i] != 1 + c)
			fail("container %llu has dropped for rule %u", c, event->rules[i]);
	if (event->flags & AT_EVENT_OVERFLOW) {
		seen.overflow_thresholds += !is_end;
		seen.overflow_containers = event->containers;
	}
	if (!is_end) {
		seen.thresholds++;
		expect("dropped at the crossing", event->dropped, 1);
		expect("stamp of the crossing", event->head.time_ns, event->interval_start_ns);
		if (open_start[c] || event->interval_start_ns < last_until[c])
			in_order = 0;
		open_start[c] = event->interval_start_ns;
		if (limit_n) {
			u64 since = last_until[c] > started_ns ? last_until[c] : started_ns;

			/* All in all: an alert may have passed just before the crossing, and be in the ring just after it. */
			windows_of[c] += 1 + (event->interval_start_ns - since) / AT_SECOND_NS;
			if (alerts_of[c] > windows_of[c] * limit_n)
				fail("%llu alerts in %llu windows", alerts_of[c], windows_of[c]);
		}
		return;
	}
	seen.ended++;
	seen.crossings += event->crossings;
	seen.dropped += event->dropped;
	seen.lost_said += event->lost;
	seen.ended_by[event->ended_by]++;
	if (open_start[c] != event->interval_start_ns)
		in_order = 0;
	if (event->ended_by == AT_ENDED_BY_EXPIRED) {
		expect("end of the interval", event->head.time_ns, event->interval_end_ns);
		last_until[c] = event->interval_end_ns;
	}
	open_start[c] = 0;
}

static int saw(void *context, void *data, size_t size)
{
	const struct at_event_head *head = data;
	int ring = context != NULL;

	(void)size;
	seen.numbers[ring]++;
	if (head->number > seen.highest[ring])
		seen.highest[ring] = head->number;
	switch (head->type) {
	case AT_EVENT_ALERT:
		if (ring == AT_RING_AUDIT) {
			seen.audit_alerts++;
			audit_of[head->container]++;
		} else {
			seen.alerts++;
			alerts_of[head->container]++;
		}
		break;
	case AT_EVENT_THRESHOLD:
	case AT_EVENT_THRESHOLD_ENDED:
		saw_threshold(data);
		break;
	case AT_EVENT_LOST:
		seen.lost[ring] += ((const struct at_lost_event *)data)->count;
		break;
	default:
		fail("event of type %d", head->type);
	}
	return 0;
}

static void open_rings(void)
{
	enforcement = ring_buffer__new(map("enforcement_ring"), saw, NULL, NULL);
	audit = ring_buffer__new(map("audit_ring"), saw, &seen, NULL);
	if (!enforcement || !audit)
		die("ring_buffer__new");
}

static void drain(void)
{
	if (ring_buffer__consume(enforcement) < 0 || ring_buffer__consume(audit) < 0)
		die("consume");
}

/* Until every interval is reported: sweeps as user space does, only more often. */
static void settle(void)
{
	for (int i = 0; i < 600; i++) {
		u64 key, *last = NULL;
		struct at_throttle value;
		int busy = 0;

		sweep();
		drain();
		while (bpf_map_get_next_key(map("kubearmor_alert_throttle"), last, &key) == 0) {
			last = &key;
			busy |= window_of(key, &value) && value.count > 0;
		}
		for (__u32 i = 0; i < AT_PROFILES_MAX; i++)
			busy |= bpf_map_lookup_elem(map("overflow_windows"), &i, &value) == 0 && value.count > 0;
		if (!busy)
			return;
		nap(50);
	}
	fail("intervals are left unreported");
}

/* Nothing is left of containers that are gone. */
static void check_empty(void)
{
	static const char *const names[] = { "kubearmor_alert_throttle", "overflow_members", "ring_accounts" };
	struct at_throttle value;
	u64 key;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bpf_map_get_next_key(map(names[i]), NULL, &key) == 0)
			fail("%s has an entry of %llu", names[i], key);
	for (__u32 i = 0; i < AT_PROFILES_MAX; i++)
		if (bpf_map_lookup_elem(map("overflow_windows"), &i, &value) == 0 && value.containers)
			fail("%llu containers are left in the shared window", (u64)value.containers);
}

static void check_totals(u64 shots)
{
	u64 matched = counter(AT_COUNTER_MATCHED), dropped = counter(AT_COUNTER_DROPPED);
	u64 emitted = counter(AT_COUNTER_EMITTED), lost = counter(AT_COUNTER_LOST);

	printf("refused %llu matched %llu emitted %llu lost %llu dropped %llu thresholds %llu ended %llu\n", *refused,
	       matched, emitted, lost, dropped, seen.thresholds, seen.ended);
	expect("refused", *refused, shots);
	expect("matched", matched, shots);
	expect("emitted + lost + dropped", emitted + lost + dropped, matched);
	expect("alerts in the ring", seen.alerts, emitted);
	expect("alerts announced as lost", seen.lost[AT_RING_ENFORCEMENT], lost);
	expect("dropped according to the reports", seen.dropped, dropped);
	expect("reports", seen.ended, seen.thresholds);
	expect("order of thresholds and reports", in_order, 1);
	expect("missing numbers", seen.highest[0] - seen.numbers[0], lost);
}

#endif
