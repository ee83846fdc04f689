/*
 * How many instructions one system call takes, from user space to user space: the guest counts instructions instead of
 * time, so that a tick of the time stamp counter is one. The median of many calls leaves out those that an interrupt hit.
 *
 *   meter open PATH COUNT | meter read PATH COUNT | meter write PATH COUNT | meter exec PATH COUNT
 *
 * For exec the program is `stamp` (kernel-stamp.c), which reads the counter first of all and hands it over on descriptor 3.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define WARM 16
#define COUNT_MAX 20000

static uint64_t taken[COUNT_MAX];
static volatile uint64_t began;

static long once_open(const char *path, uint64_t *ticks)
{
	uint64_t start = __rdtsc();
	long result = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);

	*ticks = __rdtsc() - start;
	if (result >= 0)
		close((int)result);
	return result;
}

static long once_pass(int number, int descriptor, uint64_t *ticks)
{
	char byte = 'x';
	uint64_t start = __rdtsc();
	long result = syscall(number, descriptor, &byte, 1);

	*ticks = __rdtsc() - start;
	lseek(descriptor, 0, SEEK_SET);
	return result;
}

static long once_exec(const char *path, uint64_t *ticks)
{
	uint64_t ended = 0;
	int ends[2], status;

	if (pipe(ends) != 0)
		return -1;
	pid_t child = vfork();
	if (child == 0) {
		char *const words[] = { (char *)path, NULL };

		dup2(ends[1], 3);
		began = __rdtsc();
		execve(path, words, NULL);
		ended = __rdtsc();
		_exit(errno);
	}
	close(ends[1]);
	ssize_t got = read(ends[0], &ended, sizeof(ended));
	close(ends[0]);
	waitpid(child, &status, 0);
	*ticks = ended - began;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return got == sizeof(ended) ? 0 : -1;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int count, char **words)
{
	int times = count > 3 ? atoi(words[3]) : 0, descriptor = -1, failed = 0, reason = 0;
	const char *what, *path;
	uint64_t sum = 0;

	if (times < 1 || times > COUNT_MAX)
		return 2;
	what = words[1];
	path = words[2];
	if (strcmp(what, "read") == 0)
		descriptor = open(path, O_RDONLY);
	else if (strcmp(what, "write") == 0)
		descriptor = open(path, O_WRONLY);
	for (int i = -WARM; i < times; i++) {
		uint64_t ticks = 0;
		long result;

		if (strcmp(what, "open") == 0)
			result = once_open(path, &ticks);
		else if (strcmp(what, "exec") == 0)
			result = once_exec(path, &ticks);
		else
			result = once_pass(*what == 'r' ? SYS_read : SYS_write, descriptor, &ticks);
		if (i < 0)
			continue;
		if (result < 0) {
			failed++;
			reason = errno;
		}
		taken[i] = ticks;
		sum += ticks;
	}
	qsort(taken, times, sizeof(*taken), by_size);
	printf("{\"median\":%llu,\"mean\":%llu,\"failed\":%d,\"reason\":%d}\n", (unsigned long long)taken[times / 2],
	       (unsigned long long)(sum / times), failed, reason);
	return 0;
}
