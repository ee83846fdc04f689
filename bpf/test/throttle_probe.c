// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs throttle_probe.bpf.o in a guest and checks what came out, event by event: counts that add up exactly with all
 * CPUs firing, one threshold per crossing and one report per interval whatever the ring does. One scenario per run:
 *
 *   throttle_probe <object> <scenario>      prints what is wrong, and `ok <scenario>` where nothing is
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "account.h"
#include "interval.h"

#define CONTAINERS 100
#define EVENTS_MAX 400000

typedef unsigned long long u64;

static struct bpf_object *object;
static struct bpf_link *sweep_link;
static struct ring_buffer *enforcement, *audit;
static int failures;

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

static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("wrong: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	failures++;
}

static void expect(const char *what, u64 found, u64 expected)
{
	if (found != expected)
		fail("%s: %llu, expected %llu", what, found, expected);
}

static void expect_at_least(const char *what, u64 found, u64 least)
{
	if (found < least)
		fail("%s: %llu, expected at least %llu", what, found, least);
}

static void die(const char *what)
{
	printf("wrong: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int map(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		die(name);
	return fd;
}

static u64 now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (u64)time.tv_sec * AT_SECOND_NS + (u64)time.tv_nsec;
}

static void nap(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Limits. */

static void set_limits(int on, u64 n, u64 t, u64 generation)
{
	struct at_settings settings;
	__u32 key = 0;

	if (bpf_map_lookup_elem(map("settings"), &key, &settings))
		die("settings");
	for (int i = 0; i < AT_PROFILES_MAX; i++)
		settings.limits[i] = (u64)on << 63 | n << 46 | t << 29 | generation << 20 | 1;
	if (bpf_map_update_elem(map("settings"), &key, &settings, BPF_ANY))
		die("settings");
}

static u64 counter(enum at_counter which)
{
	u64 values[64], sum = 0;
	__u32 key = which;

	if (bpf_map_lookup_elem(map("counters"), &key, values))
		die("counters");
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += values[i];
	return sum;
}

/* Rings. */

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

static void drain(void)
{
	if (ring_buffer__consume(enforcement) < 0 || ring_buffer__consume(audit) < 0)
		die("consume");
}

static void sweep(void)
{
	char text[64];
	int fd = bpf_iter_create(bpf_link__fd(sweep_link));
	ssize_t n;

	if (fd < 0)
		die("bpf_iter_create");
	while ((n = read(fd, text, sizeof(text))) > 0)
		;
	if (n < 0)
		die("read of the iterator");
	close(fd);
}

/* Workload: children that open files. */

static u64 *refused; /* shared with the children */

static void touch(const char *kind, int container)
{
	char name[32];

	snprintf(name, sizeof(name), "/tmp/at-%s%02d", kind, container);
	close(open(name, O_CREAT | O_RDONLY, 0600));
}

static void open_many(const char *kind, int container, u64 times)
{
	char name[32];
	u64 eacces = 0;

	snprintf(name, sizeof(name), "/tmp/at-%s%02d", kind, container);
	for (u64 i = 0; i < times; i++) {
		int fd = open(name, O_RDONLY);

		if (fd >= 0)
			close(fd);
		else if (errno == EACCES)
			eacces++;
	}
	__sync_fetch_and_add(refused, eacces);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* `workers` processes fire at containers first, first + step ..; cpu -1: one on each CPU. Consumes meanwhile if told to. */
static void fire(int workers, int first, int step, u64 times, int cpu, int consuming)
{
	int left = workers;

	for (int i = 0; i < workers; i++) {
		if (fork() == 0) {
			pin(cpu < 0 ? i % libbpf_num_possible_cpus() : cpu);
			open_many("b", first + i * step, times);
			_exit(0);
		}
	}
	while (left > 0) {
		pid_t done = waitpid(-1, NULL, consuming ? WNOHANG : 0);

		if (done > 0)
			left--;
		if (consuming) {
			drain();
			if (done == 0)
				nap(2);
		}
	}
	if (consuming)
		drain();
}

static void load(const char *file, __u32 windows, __u32 ring_bytes)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, options);
	union bpf_iter_link_info info = {};
	struct bpf_program *program;
	struct bpf_link *link;

	object = bpf_object__open_file(file, NULL);
	if (!object)
		die("open");
	if (bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "kubearmor_alert_throttle"), windows) ||
	    bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "enforcement_ring"), ring_bytes) ||
	    bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "audit_ring"), ring_bytes))
		die("sizes");
	if (bpf_object__load(object))
		die("load");
	info.map.map_fd = map("kubearmor_alert_throttle");
	options.link_info = &info;
	options.link_info_len = sizeof(info);
	program = bpf_object__find_program_by_name(object, "at_sweep");
	sweep_link = bpf_program__attach_iter(program, &options);
	if (!sweep_link)
		die("attach the sweep");
	enforcement = ring_buffer__new(map("enforcement_ring"), saw, NULL, NULL);
	audit = ring_buffer__new(map("audit_ring"), saw, &seen, NULL);
	if (!enforcement || !audit)
		die("ring_buffer__new");
	for (int i = 0; i < CONTAINERS; i++) {
		touch("a", i);
		touch("b", i);
		touch("r", i);
	}
	link = bpf_program__attach(bpf_object__find_program_by_name(object, "probe_open"));
	if (!link)
		die("attach");
}

static int window_of(u64 container, struct at_throttle *value)
{
	return bpf_map_lookup_elem_flags(map("kubearmor_alert_throttle"), &container, value, BPF_F_LOCK) == 0;
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

static void counts_exactly(int workers, int step, int cpu)
{
	u64 shots = 0;

	limit_n = 5;
	started_ns = now_ns();
	set_limits(1, limit_n, 1, 0);
	while (seen.thresholds < 4) {
		fire(workers, 1, step, 10000, cpu, 1);
		shots += (u64)workers * 10000;
	}
	settle();
	check_totals(shots);
	expect("crossings in the reports", seen.crossings, seen.thresholds);
}

static void one_container(void)
{
	counts_exactly(4, 0, -1);
}

static void one_cpu(void)
{
	counts_exactly(4, 0, 1);
}

static void four_containers(void)
{
	counts_exactly(8, 1, -1);
}

/* The ring is full before the first crossing, and stays so for more intervals than are kept apart. */
static void full_ring(void)
{
	u64 shots = 0, crossings = 0;
	struct at_throttle window;

	set_limits(1, 100000, 1, 0);
	fire(4, 2, 0, 1000, -1, 0);
	expect_at_least("lost while the ring was full", counter(AT_COUNTER_LOST), 1);
	set_limits(1, 5, 1, 0);
	while (crossings < AT_INTERVALS + 2) {
		fire(4, 1, 0, 300, -1, 0);
		shots += 1200;
		if (!window_of(1, &window))
			die("window");
		crossings = 0;
		for (__u32 i = 0; i < window.count; i++)
			crossings += window.intervals[(window.first + i) & (AT_INTERVALS - 1)].crossings;
	}
	expect("intervals that wait", window.count, AT_INTERVALS);
	settle();
	check_totals(4000 + shots);
	expect("crossings in the reports", seen.crossings, crossings);
	expect("reports that wait are the only ones", seen.ended, AT_INTERVALS);
	/* A report says what was lost until its interval ended; the rest is the next one's. */
	if (!window_of(1, &window))
		die("window");
	expect("lost according to the reports", seen.lost_said, window.lost_reported);
	expect_at_least("lost according to the reports", seen.lost_said, (AT_INTERVALS + 1) * 5);
}

/* The ring is full at the crossing and drained before the interval is over. */
static void full_then_drained(void)
{
	set_limits(1, 100000, 30, 0);
	fire(4, 2, 0, 1000, -1, 0);
	expect_at_least("lost while the ring was full", counter(AT_COUNTER_LOST), 1);
	set_limits(1, 1, 10, 0);
	fire(4, 1, 0, 100, -1, 0);
	sweep();
	expect("thresholds before", seen.thresholds, 0);
	drain();
	expect("thresholds before the sweep", seen.thresholds, 0);
	sweep();
	sweep();
	drain();
	expect("thresholds after the sweep", seen.thresholds, 1);
	expect("reports before the end", seen.ended, 0);
	settle();
	expect("thresholds in the end", seen.thresholds, 1);
	expect("reports in the end", seen.ended, 1);
	check_totals(4400);
}

static void off_and_on(void)
{
	struct at_throttle window;

	set_limits(1, 3, 3600, 0);
	fire(4, 1, 1, 100, -1, 1);
	expect("thresholds", seen.thresholds, 4);
	set_limits(0, 3, 3600, 1);
	fire(4, 1, 1, 100, -1, 1);
	sweep();
	drain();
	expect("reports", seen.ended, 4);
	expect("ended by limits", seen.ended_by[AT_ENDED_BY_LIMITS], 4);
	if (!window_of(1, &window) || window.window.passed || window.window.throttled_until)
		fail("the window is not cleared");
	set_limits(1, 3, 3600, 1);
	fire(4, 1, 1, 100, -1, 1);
	expect("thresholds after on", seen.thresholds, 8);
	/* Off and on again between two sweeps: the container's next alert finds another generation. */
	set_limits(1, 3, 3600, 2);
	fire(4, 1, 1, 100, -1, 1);
	expect("ended by limits", seen.ended_by[AT_ENDED_BY_LIMITS], 8);
	set_limits(0, 3, 3600, 3);
	settle();
	expect("ended by limits", seen.ended_by[AT_ENDED_BY_LIMITS], 12);
	check_totals(1600);
}

static void container_ends(void)
{
	struct at_throttle window;

	set_limits(1, 3, 3600, 0);
	fire(4, 1, 0, 100, -1, 1);
	open_many("r", 1, 1);
	expect("the window is gone", window_of(1, &window), 0);
	drain();
	expect("ended by container", seen.ended_by[AT_ENDED_BY_CONTAINER], 1);
	/* With a full ring it stays until the report is out. */
	set_limits(1, 100000, 1, 0);
	fire(4, 2, 0, 1000, -1, 0);
	set_limits(1, 1, 3600, 0);
	fire(4, 3, 0, 10, -1, 0);
	open_many("r", 3, 1);
	expect("the window stays", window_of(3, &window), 1);
	sweep();
	expect("the window still stays", window_of(3, &window), 1);
	drain();
	sweep();
	expect("the window is gone", window_of(3, &window), 0);
	drain();
	expect("ended by container", seen.ended_by[AT_ENDED_BY_CONTAINER], 2);
	expect("thresholds", seen.thresholds, 2);
	sweep();
	drain();
	check_totals(400 + 4000 + 40);
}

static void policy_ends(void)
{
	u64 container = 1, none = 9, value = AT_ENDED_BY_POLICY;
	struct at_throttle window;

	set_limits(1, 3, 3600, 0);
	fire(4, 1, 0, 100, -1, 1);
	bpf_map_update_elem(map("window_requests"), &container, &value, BPF_ANY);
	bpf_map_update_elem(map("window_requests"), &none, &value, BPF_ANY);
	sweep();
	drain();
	expect("ended by policy", seen.ended_by[AT_ENDED_BY_POLICY], 1);
	expect("the window is gone", window_of(1, &window), 0);
	expect("the request is gone", bpf_map_lookup_elem(map("window_requests"), &container, &value) == 0, 0);
	expect("a request for nothing is gone", bpf_map_lookup_elem(map("window_requests"), &none, &value) == 0, 0);
	check_totals(400);
}

/* The map has room for 8 windows; 12 containers come. */
static void overflow(void)
{
	struct at_throttle window;
	u64 shots = 12 * 50;

	set_limits(1, 3, 3600, 0);
	for (int c = 1; c <= 12; c += 4)
		fire(4, c, 1, 50, -1, 1);
	expect("thresholds", seen.thresholds, 9);
	expect("thresholds of the shared window", seen.overflow_thresholds, 1);
	expect("alerts", seen.alerts, 9 * 3);
	open_many("r", 1, 1);
	drain();
	expect("the entry is free", window_of(1, &window), 0);
	/* Those that share a window try for one of their own now and then. */
	while (!window_of(12, &window)) {
		fire(1, 12, 0, 50, -1, 1);
		shots += 50;
	}
	set_limits(0, 3, 3600, 1);
	settle();
	expect("containers in the shared window", seen.overflow_containers, 3);
	expect("thresholds", seen.thresholds, 10);
	check_totals(shots);
}

/* Container 1 floods the audit ring, nobody reads; container 2 comes later. */
static void audit_share(void)
{
	u64 record = at_record_bytes(64), size = 65536, first;

	set_limits(1, 3, 3600, 0);
	open_many("a", 2, 1);
	open_many("a", 1, 2000);
	first = 1 + size / 8 / record;
	expect("lost by the one that floods", counter(AT_COUNTER_AUDIT_LOST), 2000 - size / 8 / record);
	for (int c = 2; c < 8; c++)
		open_many("a", c, 20);
	expect("lost by the others", counter(AT_COUNTER_AUDIT_LOST), 2000 - size / 8 / record);
	drain();
	expect("events", seen.audit_alerts, first + 6 * 20);
	/* Alone it may hold half, and what was read is free again. */
	open_many("a", 1, 2000);
	drain();
	expect("of the one that floods", audit_of[1], size / 8 / record + size / 2 / record);
	sweep();
	drain();
	expect("announced as lost", seen.lost[AT_RING_AUDIT], counter(AT_COUNTER_AUDIT_LOST));
	expect("missing numbers", seen.highest[1] - seen.numbers[1], counter(AT_COUNTER_AUDIT_LOST));
	expect("emitted", seen.audit_alerts, counter(AT_COUNTER_AUDIT_EMITTED));
	/* Read all the time, nothing is lost, however much goes through. */
	first = counter(AT_COUNTER_AUDIT_LOST);
	for (int i = 0; i < 400; i++) {
		open_many("a", 1, 50);
		open_many("a", 2, 50);
		drain();
	}
	expect("lost although the ring was read", counter(AT_COUNTER_AUDIT_LOST), first);
}

/*
 * Everything at once: containers come and go on each CPU, more of them than there are windows, so that elements change
 * hands all the time; limits change, go off and on, sweeps run, and the ring is at times not read.
 */
static void churn(void)
{
	u64 shots = 0, generation = 0;
	int left = 4;

	for (int worker = 0; worker < 4; worker++) {
		if (fork())
			continue;
		pin(worker % libbpf_num_possible_cpus());
		for (int round = 0; round < 400; round++) {
			int container = 1 + worker * 20 + round % 20;

			open_many("b", container, 25);
			if (round % 3 != 1)
				open_many("r", container, 1);
		}
		_exit(0);
	}
	shots = 4 * 400 * 25;
	for (int i = 0; left > 0; i++) {
		if (i % 5 == 4) {
			/* As user space does it: each "off" raises the generation. */
			set_limits(0, 5, 1, ++generation & 0x1ff);
			if (i % 2)
				sweep();
		}
		set_limits(1, 1 + i % 7, 1 + i % 2, generation & 0x1ff);
		sweep();
		if (i / 20 % 2)
			drain();
		nap(5);
		while (left > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			left--;
	}
	settle();
	for (int container = 1; container <= 80; container++)
		open_many("r", container, 1);
	settle();
	sweep();
	drain();
	check_totals(shots);
	expect("crossings in the reports", seen.crossings >= seen.ended, 1);
	expect_at_least("alerts in the shared window", counter(AT_COUNTER_OVERFLOWED), 1);
	expect_at_least("thresholds of the shared window", seen.overflow_thresholds, 1);
	expect_at_least("reports that a container's end brought", seen.ended_by[AT_ENDED_BY_CONTAINER], 1);
	expect_at_least("reports that limits brought", seen.ended_by[AT_ENDED_BY_LIMITS], 1);
	check_empty();
}

/* Windows are freed under alerts that have looked them up already, and are somebody else's the next moment. */
static void stale(void)
{
	pid_t remover;
	int left = 4;

	set_limits(1, 2, 1, 0);
	remover = fork();
	if (remover == 0) {
		pin(0);
		for (int container = 0;; container = (container + 7) % 80)
			open_many("r", container + 1, 1);
	}
	for (int worker = 0; worker < 4; worker++) {
		if (fork())
			continue;
		pin(worker % libbpf_num_possible_cpus());
		for (int round = 0; round < 500; round++)
			open_many("b", 1 + worker * 20 + round % 20, 20);
		_exit(0);
	}
	while (left > 0) {
		sweep();
		drain();
		if (waitpid(-1, NULL, WNOHANG) > 0)
			left--;
	}
	kill(remover, SIGKILL);
	waitpid(remover, NULL, 0);
	for (int container = 1; container <= 80; container++)
		open_many("r", container, 1);
	settle();
	sweep();
	drain();
	check_totals(4 * 500 * 20);
	expect_at_least("reports that a container's end brought", seen.ended_by[AT_ENDED_BY_CONTAINER], 1);
	check_empty();
}

static const struct {
	const char *name;
	void (*run)(void);
	__u32 windows;
	__u32 ring_bytes;
} scenarios[] = {
	{ "one_container", one_container, 64, 1 << 20 },
	{ "one_cpu", one_cpu, 64, 1 << 20 },
	{ "four_containers", four_containers, 64, 1 << 20 },
	{ "full_ring", full_ring, 64, 1 << 16 },
	{ "full_then_drained", full_then_drained, 64, 1 << 16 },
	{ "off_and_on", off_and_on, 64, 1 << 20 },
	{ "container_ends", container_ends, 64, 1 << 16 },
	{ "policy_ends", policy_ends, 64, 1 << 16 },
	{ "overflow", overflow, 8, 1 << 20 },
	{ "audit_share", audit_share, 64, 1 << 16 },
	{ "churn", churn, 16, 1 << 16 },
	{ "stale", stale, 8, 1 << 20 },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	refused = mmap(NULL, sizeof(*refused), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc != 3 || refused == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		if (strcmp(scenarios[i].name, argv[2]))
			continue;
		load(argv[1], scenarios[i].windows, scenarios[i].ring_bytes);
		scenarios[i].run();
		printf("%s %s\n", failures ? "not ok" : "ok", argv[2]);
		return failures ? 1 : 0;
	}
	return 2;
}
