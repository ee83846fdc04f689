// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs throttle_probe.bpf.o in a guest and checks what came out, event by event: counts that add up exactly with all
 * CPUs firing, one threshold per crossing and one report per interval whatever the ring does. One scenario per run:
 *
 *   throttle_probe <object> <scenario>      prints what is wrong, and `ok <scenario>` where nothing is
 */
#include "probe_events.h"

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
		open_rings();
		scenarios[i].run();
		printf("%s %s\n", failures ? "not ok" : "ok", argv[2]);
		return failures ? 1 : 0;
	}
	return 2;
}
