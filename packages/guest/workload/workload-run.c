/* Programs, children, and many of the same. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

static void say_status(struct text *more, int status)
{
	if (WIFEXITED(status))
		say_number(more, "status", WEXITSTATUS(status));
	else
		say_number(more, "signal", WTERMSIG(status));
}

/* Runs a program in a child and says how it ended and what it printed; -1 where it could not be started. */
static long spawn(int descriptor, const char *path, char **argv, struct text *more)
{
	int output[2], failure[2], reason = 0, status = 0;

	if (pipe2(output, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0)
		return -1;
	pid_t child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		if (descriptor >= 0)
			fexecve(descriptor, argv, (char *const *)environment);
		else
			execve(path, argv, (char *const *)environment);
		reason = errno;
		if (write(failure[1], &reason, sizeof(reason)) < 0)
			_exit(126);
		_exit(127);
	}
	close(output[1]);
	close(failure[1]);
	if (read(failure[0], &reason, sizeof(reason)) != sizeof(reason)) {
		reason = 0;
		if (more)
			say_content(more, output[0]);
	}
	close(output[0]);
	close(failure[0]);
	if (waitpid(child, &status, 0) == child && reason == 0 && more)
		say_status(more, status);
	errno = reason;
	return reason ? -1 : 0;
}

static long op_exec(char **args, struct text *more)
{
	return spawn(-1, args[0], args, more);
}

static long op_fd_exec(char **args, struct text *more)
{
	return spawn(atoi(args[0]), NULL, args, more);
}

/* Becomes the program, so that it goes on under the same pid; no reply where that works. */
static long op_become(char **args, struct text *more)
{
	(void)more;
	return execve(args[0], args, (char *const *)environment);
}

/* child OP ... ; OP ...: in a process of its own; the replies of all. */
static long op_child(char **args, struct text *more)
{
	struct text replies = { 0 };
	int output[2], status;
	char buffer[4096];
	ssize_t got;

	if (pipe2(output, O_CLOEXEC) != 0)
		return -1;
	pid_t child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		while (*args) {
			char **next = args;
			while (*next && strcmp(*next, ";") != 0)
				next++;
			int more_follow = *next != NULL;
			*next = NULL;
			if (*args) {
				if (replies.length)
					text_add(&replies, ",", 1);
				run_operation(args, &replies);
			}
			args = next + more_follow;
		}
		for (size_t at = 0; at < replies.length; at += got)
			if ((got = write(output[1], replies.bytes + at, replies.length - at)) <= 0)
				_exit(1);
		_exit(0);
	}
	close(output[1]);
	while ((got = read(output[0], buffer, sizeof(buffer))) > 0)
		text_add(&replies, buffer, got);
	close(output[0]);
	waitpid(child, &status, 0);
	text_add(more, ",\"replies\":[", 12);
	if (replies.length)
		text_add(more, replies.bytes, replies.length);
	text_add(more, "]", 1);
	say_status(more, status);
	free(replies.bytes);
	return 0;
}

struct counts {
	unsigned long long good;
	unsigned long long failed[ERRNO_MAX];
};

static void hammer(char **args, unsigned long count, struct counts *counts)
{
	const struct operation *operation = find_operation(args[0]);
	struct text ignored = { 0 };

	for (unsigned long i = 0; operation && i < count; i++) {
		ignored.length = 0;
		errno = 0;
		if (operation->run(args + 1, &ignored) >= 0)
			counts->good++;
		else if (errno < ERRNO_MAX)
			counts->failed[errno]++;
	}
	free(ignored.bytes);
}

static void say_counts(struct text *more, const struct counts *counts)
{
	const char *comma = "";

	say_number(more, "good", counts->good);
	text_print(more, ",\"failed\":{");
	for (int i = 0; i < ERRNO_MAX; i++)
		if (counts->failed[i]) {
			text_print(more, "%s\"%s\":%llu", comma, errno_name(i), counts->failed[i]);
			comma = ",";
		}
	text_print(more, "}");
}

static int known(char **args)
{
	errno = EINVAL;
	return find_operation(args[0]) != NULL;
}

/* hammer COUNT OP ...: the same over and over, counted by outcome. */
static long op_hammer(char **args, struct text *more)
{
	struct counts counts = { 0 };

	if (!known(args + 1))
		return -1;
	hammer(args + 1, strtoul(args[0], NULL, 10), &counts);
	say_counts(more, &counts);
	return 0;
}

static void pin(int number)
{
	cpu_set_t all, one;
	int left = number;

	sched_getaffinity(0, sizeof(all), &all);
	left %= CPU_COUNT(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && left-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}

/* parallel PROCESSES COUNT OP ...: each on a CPU of its own as far as there are, all starting together. */
static long op_parallel(char **args, struct text *more)
{
	int processes = atoi(args[0]), start[2], results[2];
	struct counts sum = { 0 }, one;
	char byte;

	if (!known(args + 2) || pipe2(start, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0)
		return -1;
	for (int i = 0; i < processes; i++) {
		pid_t child = fork();
		if (child < 0)
			return -1;
		if (child == 0) {
			close(start[1]);
			pin(i);
			/* The end of the pipe is the sign to start. */
			if (read(start[0], &byte, 1) != 0)
				_exit(1);
			one = (struct counts){ 0 };
			hammer(args + 2, strtoul(args[1], NULL, 10), &one);
			/* No longer than PIPE_BUF, so that it arrives in one piece. */
			_exit(write(results[1], &one, sizeof(one)) == sizeof(one) ? 0 : 1);
		}
	}
	close(start[0]);
	close(start[1]);
	close(results[1]);
	while (read(results[0], &one, sizeof(one)) == sizeof(one)) {
		sum.good += one.good;
		for (int i = 0; i < ERRNO_MAX; i++)
			sum.failed[i] += one.failed[i];
	}
	close(results[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	say_counts(more, &sum);
	return 0;
}

/* The body of one of a swarm: waits until all are there, and counts what it did. */
static void swarm_one(int start, int result, char **args, unsigned long times)
{
	struct counts one = { 0 };
	char byte;

	if (read(start, &byte, 1) != 0)
		_exit(1);
	hammer(args, times, &one);
	_exit(write(result, &one, sizeof(one)) == sizeof(one) ? 0 : 1);
}

/*
 * swarm FOLDER COUNT TIMES OP ...: a process in each of the cgroups FOLDER/0 .. FOLDER/COUNT-1, born there, all alive at
 * once. Number i does it TIMES + i % 7 times, so that their counts differ.
 */
static long op_swarm(char **args, struct text *more)
{
	unsigned long count = strtoul(args[1], NULL, 10), times = strtoul(args[2], NULL, 10);
	int start[2], results[2];
	struct counts sum = { 0 }, one;

	if (!known(args + 3) || pipe2(start, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0)
		return -1;
	for (unsigned long i = 0; i < count; i++) {
		char path[256];
		struct clone_args how = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };

		snprintf(path, sizeof(path), "%s/%lu", args[0], i);
		int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0)
			return -1;
		how.cgroup = (uint64_t)folder;
		pid_t child = syscall(SYS_clone3, &how, sizeof(how));
		if (child < 0)
			return -1;
		if (child == 0) {
			close(start[1]);
			swarm_one(start[0], results[1], args + 3, times + i % 7);
		}
		close(folder);
	}
	close(start[0]);
	close(start[1]);
	close(results[1]);
	while (read(results[0], &one, sizeof(one)) == sizeof(one)) {
		sum.good += one.good;
		for (int i = 0; i < ERRNO_MAX; i++)
			sum.failed[i] += one.failed[i];
	}
	close(results[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	say_counts(more, &sum);
	return 0;
}

static long op_sleep(char **args, struct text *more)
{
	long ms = atol(args[0]);
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
	(void)more;

	return nanosleep(&pause, NULL);
}

const struct operation run_operations[] = {
	{ "exec", 1, op_exec },         { "fd_exec", 2, op_fd_exec },   { "become", 1, op_become }, { "child", 1, op_child },
	{ "hammer", 2, op_hammer },     { "parallel", 3, op_parallel }, { "sleep", 1, op_sleep },
	{ "swarm", 4, op_swarm },       { NULL, 0, NULL },
};
_Static_assert(sizeof(struct counts) <= 4096, "a result fits in one write to a pipe");
