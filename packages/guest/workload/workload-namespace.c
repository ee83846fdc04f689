/* What a process may do to its own view of the system; and the ways to our maps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workload.h"

static const struct bit namespaces[] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS }, { "pid", CLONE_NEWPID },       { "net", CLONE_NEWNET },
	{ "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP }, { NULL, 0 },
};

static const struct bit mount_flags[] = {
	{ "bind", MS_BIND },   { "rec", MS_REC },         { "private", MS_PRIVATE }, { "shared", MS_SHARED },
	{ "move", MS_MOVE },   { "remount", MS_REMOUNT }, { "ro", MS_RDONLY },       { NULL, 0 },
};

static int put(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY);
	int result = descriptor < 0 || write(descriptor, text, strlen(text)) < 0 ? -1 : 0;
	int reason = errno;

	if (descriptor >= 0)
		close(descriptor);
	errno = reason;
	return result;
}

/* unshare NAMESPACES; with `user` among them, the user becomes root of the new one. */
static long op_unshare(char **args, struct text *more)
{
	unsigned long flags = bits_of(args[0], namespaces);
	unsigned int uid = getuid(), gid = getgid();
	char map[64];
	(void)more;

	if (unshare(flags) != 0)
		return -1;
	if (!(flags & CLONE_NEWUSER))
		return 0;
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (put("/proc/self/gid_map", map) != 0)
		return -1;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	return put("/proc/self/uid_map", map);
}

static long op_setns(char **args, struct text *more)
{
	int descriptor = open(args[0], O_RDONLY | O_CLOEXEC);
	(void)more;

	return descriptor < 0 ? -1 : setns(descriptor, 0);
}

static long op_chroot(char **args, struct text *more)
{
	(void)more;
	return chroot(args[0]) != 0 ? -1 : chdir("/");
}

static long op_mount(char **args, struct text *more)
{
	(void)more;
	const char *type = strcmp(args[2], "-") == 0 ? NULL : args[2];

	return mount(args[0], args[1], type, args[3] ? bits_of(args[3], mount_flags) : 0, args[3] ? args[4] : NULL);
}

static long op_umount(char **args, struct text *more)
{
	(void)more;
	return umount2(args[0], args[1] && strcmp(args[1], "detach") == 0 ? MNT_DETACH : 0);
}

static long op_pivot_root(char **args, struct text *more)
{
	(void)more;
	return syscall(SYS_pivot_root, args[0], args[1]);
}

/* A descriptor of a detached copy of the mount. */
static long op_open_tree(char **args, struct text *more)
{
	(void)more;
	return syscall(SYS_open_tree, AT_FDCWD, args[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static long op_move_mount(char **args, struct text *more)
{
	(void)more;
	return syscall(SYS_move_mount, atoi(args[0]), "", AT_FDCWD, args[1], MOVE_MOUNT_F_EMPTY_PATH);
}

static long op_setuid(char **args, struct text *more)
{
	unsigned int id = atoi(args[0]);
	(void)more;

	return setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 ? -1 : setresuid(id, id, id);
}

static long op_ids(char **args, struct text *more)
{
	(void)args;
	say_number(more, "pid", getpid());
	say_number(more, "uid", geteuid());
	return 0;
}

static long op_drop_caches(char **args, struct text *more)
{
	(void)args, (void)more;
	sync();
	return put("/proc/sys/vm/drop_caches", "3");
}

static long op_comm(char **args, struct text *more)
{
	(void)more;
	return prctl(PR_SET_NAME, args[0]);
}

/* bpf_get map|prog|link|btf ID: a descriptor of it, by its number. */
static long op_bpf_get(char **args, struct text *more)
{
	static const struct bit commands[] = {
		{ "prog", BPF_PROG_GET_FD_BY_ID }, { "map", BPF_MAP_GET_FD_BY_ID }, { "link", BPF_LINK_GET_FD_BY_ID },
		{ "btf", BPF_BTF_GET_FD_BY_ID }, { NULL, 0 },
	};
	union bpf_attr attr = { .prog_id = atoi(args[1]) };
	(void)more;

	return syscall(SYS_bpf, bits_of(args[0], commands), &attr, sizeof(attr));
}

static long op_bpf_pin_get(char **args, struct text *more)
{
	union bpf_attr attr = { .pathname = (uintptr_t)args[0] };
	(void)more;

	return syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
}

/* The first number after the given one; -1 with ENOENT at the end. */
static long op_bpf_next(char **args, struct text *more)
{
	static const struct bit commands[] = {
		{ "prog", BPF_PROG_GET_NEXT_ID }, { "map", BPF_MAP_GET_NEXT_ID }, { "link", BPF_LINK_GET_NEXT_ID }, { NULL, 0 },
	};
	union bpf_attr attr = { .start_id = atoi(args[1]) };
	(void)more;

	return syscall(SYS_bpf, bits_of(args[0], commands), &attr, sizeof(attr)) != 0 ? -1 : (long)attr.next_id;
}

const struct operation namespace_operations[] = {
	{ "unshare", 1, op_unshare },       { "setns", 1, op_setns },         { "chroot", 1, op_chroot },
	{ "mount", 3, op_mount },           { "umount", 1, op_umount },       { "pivot_root", 2, op_pivot_root },
	{ "open_tree", 1, op_open_tree },   { "move_mount", 2, op_move_mount }, { "setuid", 1, op_setuid },
	{ "ids", 0, op_ids },               { "drop_caches", 0, op_drop_caches }, { "comm", 1, op_comm },
	{ "bpf_get", 2, op_bpf_get },       { "bpf_pin_get", 1, op_bpf_pin_get }, { "bpf_next", 2, op_bpf_next },
	{ NULL, 0, NULL },
};
