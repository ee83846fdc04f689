/* Operations on descriptors that stay open between lines: for rules that come later than the descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "workload.h"

static long op_fd_open(char **args, struct text *more)
{
	(void)more;
	return open(args[0], open_flags(args[1]) | O_CLOEXEC, 0644);
}

static long op_fd_read(char **args, struct text *more)
{
	int descriptor = atoi(args[0]);
	char one;

	if (pread(descriptor, &one, 1, 0) < 0)
		return -1;
	lseek(descriptor, 0, SEEK_SET);
	say_content(more, descriptor);
	return 0;
}

static long op_fd_write(char **args, struct text *more)
{
	(void)more;
	return write(atoi(args[0]), args[1], strlen(args[1]));
}

/* Opens what the descriptor stands for once more. */
static long op_fd_reopen(char **args, struct text *more)
{
	char path[64];
	(void)more;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", atoi(args[0]));
	return open(path, open_flags(args[1]) | O_CLOEXEC);
}

static long op_fd_openat(char **args, struct text *more)
{
	(void)more;
	return openat(atoi(args[0]), args[1], open_flags(args[2]) | O_CLOEXEC, 0644);
}

static long op_fd_truncate(char **args, struct text *more)
{
	(void)more;
	return ftruncate(atoi(args[0]), atol(args[1]));
}

static long op_fd_chmod(char **args, struct text *more)
{
	(void)more;
	return fchmod(atoi(args[0]), strtoul(args[1], NULL, 8));
}

static long op_fd_chown(char **args, struct text *more)
{
	(void)more;
	return fchown(atoi(args[0]), atoi(args[1]), atoi(args[2]));
}

static long op_fd_map_write(char **args, struct text *more)
{
	(void)more;
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(args[0]), 0);

	if (map == MAP_FAILED)
		return -1;
	*map = args[1][0];
	return munmap(map, 4096);
}

/* Maps for reading, shared, and makes that writable then; -1 at the first step that is refused. */
static long op_fd_map_later(char **args, struct text *more)
{
	(void)more;
	char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, atoi(args[0]), 0);

	if (map == MAP_FAILED)
		return -1;
	if (mprotect(map, 4096, PROT_READ | PROT_WRITE) != 0)
		return -1;
	*map = args[1][0];
	return munmap(map, 4096);
}

/* Gives a removed or unnamed file a name. */
static long op_fd_link(char **args, struct text *more)
{
	char path[64];
	(void)more;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", atoi(args[0]));
	return linkat(AT_FDCWD, path, AT_FDCWD, args[1], AT_SYMLINK_FOLLOW);
}

static long op_fd_close(char **args, struct text *more)
{
	(void)more;
	return close(atoi(args[0]));
}

static long op_memfd(char **args, struct text *more)
{
	(void)more;
	char buffer[65536];
	int from = open(args[0], O_RDONLY), to = memfd_create("workload", MFD_CLOEXEC);
	ssize_t got;

	if (from < 0 || to < 0)
		return -1;
	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, got) != got)
			return -1;
	close(from);
	return to;
}

/* handle_save PATH: keeps the handle; handle_open MOUNT FLAGS: a descriptor for it, whatever path it has now. */
static union {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} saved;

static long op_handle_save(char **args, struct text *more)
{
	int mount;
	(void)more;

	saved.handle.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(AT_FDCWD, args[0], &saved.handle, &mount, 0);
}

static long op_handle_open(char **args, struct text *more)
{
	(void)more;
	int mount = open(args[0], O_RDONLY | O_CLOEXEC);
	long result = mount < 0 ? -1 : open_by_handle_at(mount, &saved.handle, open_flags(args[1]) | O_CLOEXEC);
	int reason = errno;

	if (mount >= 0)
		close(mount);
	errno = reason;
	return result;
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

/* Hands a descriptor to whoever listens on the socket. */
static long op_fd_send(char **args, struct text *more)
{
	struct sockaddr_un address;
	int descriptor = atoi(args[0]), line = unix_socket(args[1], &address);
	char byte = 'x';
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	(void)more;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
	if (line < 0 || connect(line, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return sendmsg(line, &message, 0) == 1 ? close(line) : -1;
}

/* fd_listen PATH: ready to be sent one; fd_receive LISTENER: the descriptor, or why there is none. */
static long op_fd_listen(char **args, struct text *more)
{
	struct sockaddr_un address;
	int line = unix_socket(args[0], &address);
	(void)more;

	if (line < 0 || bind(line, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(line, 8) != 0)
		return -1;
	return line;
}

static long op_fd_receive(char **args, struct text *more)
{
	int line = accept4(atoi(args[0]), NULL, NULL, SOCK_CLOEXEC), descriptor = -1;
	char byte;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };

	if (line < 0 || recvmsg(line, &message, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	close(line);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&descriptor, CMSG_DATA(head), sizeof(int));
	/* The kernel leaves out what a security module refuses, and says so in the flags only. */
	say_number(more, "truncated", (message.msg_flags & MSG_CTRUNC) != 0);
	errno = EACCES;
	return descriptor;
}

const struct operation descriptor_operations[] = {
	{ "fd_open", 2, op_fd_open },         { "fd_read", 1, op_fd_read },       { "fd_write", 2, op_fd_write },
	{ "fd_reopen", 2, op_fd_reopen },     { "fd_openat", 3, op_fd_openat },   { "fd_truncate", 2, op_fd_truncate },
	{ "fd_chmod", 2, op_fd_chmod },       { "fd_chown", 3, op_fd_chown },     { "fd_map_write", 2, op_fd_map_write },
	{ "fd_link", 2, op_fd_link },         { "fd_close", 1, op_fd_close },     { "memfd", 1, op_memfd },
	{ "handle_save", 1, op_handle_save }, { "handle_open", 2, op_handle_open }, { "fd_send", 2, op_fd_send },
	{ "fd_listen", 1, op_fd_listen },     { "fd_receive", 1, op_fd_receive }, { "fd_map_later", 2, op_fd_map_later },
	{ NULL, 0, NULL },
};
