/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe's hands: loads throttle_probe.bpf.o, sets limits, plays containers on any CPU, sweeps, and reads maps.
 */
#ifndef AT_PROBE_KERNEL_H
#define AT_PROBE_KERNEL_H

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

typedef unsigned long long u64;

static struct bpf_object *object;
static struct bpf_link *sweep_link;
static int failures;

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

#endif
