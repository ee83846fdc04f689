/* Less usual ways to a file, and what a process may try on others. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

/* flip A B: there and back, so that it can be done over and over. Succeeds if both did. */
static long op_flip(char **args, struct text *more)
{
	(void)more;
	return rename(args[0], args[1]) != 0 || rename(args[1], args[0]) != 0 ? -1 : 0;
}

/* peek PATH: like read, but for hammers: good only if something was read. */
static long op_peek(char **args, struct text *more)
{
	int descriptor = open(args[0], O_RDONLY | O_CLOEXEC);
	char byte;
	(void)more;

	if (descriptor < 0)
		return -1;
	long result = pread(descriptor, &byte, 1, 0) == 1 ? 0 : -1;
	close(descriptor);
	return result;
}

/* dig DEPTH NAME: makes so many folders of that name, one in the other, and is in the last one then. */
static long op_dig(char **args, struct text *more)
{
	(void)more;
	for (int i = atoi(args[0]); i > 0; i--)
		if ((mkdir(args[1], 0755) != 0 && errno != EEXIST) || chdir(args[1]) != 0)
			return -1;
	return 0;
}

static uint32_t *word_at(char *ring, uint32_t offset)
{
	return (uint32_t *)(ring + offset);
}

/* uring_open PATH: opened by a ring's own worker if it likes; the descriptor. */
static long op_uring_open(char **args, struct text *more)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	(void)more;

	if (ring < 0)
		return -1;
	char *queue = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			   IORING_OFF_SQ_RING);
	char *done = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *entries = mmap(NULL, params.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED,
					    ring, IORING_OFF_SQES);
	if (queue == MAP_FAILED || done == MAP_FAILED || entries == MAP_FAILED)
		return -1;
	entries[0] = (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC, .fd = AT_FDCWD,
					    .addr = (uintptr_t)args[0], .open_flags = O_RDONLY };
	*word_at(queue, params.sq_off.array) = 0;
	__atomic_store_n(word_at(queue, params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	const struct io_uring_cqe *answer = (struct io_uring_cqe *)(done + params.cq_off.cqes);
	errno = answer->res < 0 ? -answer->res : 0;
	return answer->res < 0 ? -1 : answer->res;
}

static long op_ptrace(char **args, struct text *more)
{
	pid_t other = atoi(args[0]);
	(void)more;

	if (ptrace(PTRACE_SEIZE, other, NULL, NULL) != 0)
		return -1;
	return ptrace(PTRACE_DETACH, other, NULL, NULL) == 0 || errno == ESRCH ? 0 : -1;
}

static long op_kill(char **args, struct text *more)
{
	(void)more;
	return kill(atoi(args[0]), atoi(args[1]));
}

/* A word of another process's memory; any address that is not mapped says EFAULT, after the right to look was checked. */
static long op_vm_read(char **args, struct text *more)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)4096, 1 };
	(void)more;

	return process_vm_readv(atoi(args[0]), &here, 1, &there, 1, 0);
}

/* fd_steal PID DESCRIPTOR */
static long op_fd_steal(char **args, struct text *more)
{
	int other = syscall(SYS_pidfd_open, atoi(args[0]), 0);
	(void)more;

	return other < 0 ? -1 : syscall(SYS_pidfd_getfd, other, atoi(args[1]), 0);
}

const struct operation attack_operations[] = {
	{ "flip", 2, op_flip },     { "peek", 1, op_peek },       { "dig", 2, op_dig },
	{ "uring_open", 1, op_uring_open }, { "ptrace", 1, op_ptrace }, { "kill", 2, op_kill },
	{ "vm_read", 1, op_vm_read }, { "fd_steal", 2, op_fd_steal }, { NULL, 0, NULL },
};
