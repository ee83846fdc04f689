/* Operations on paths. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "workload.h"

#define CONTENT_MAX (64 * 1024)

int open_flags(const char *text)
{
	static const struct bit bits[] = {
		{ "r", O_RDONLY }, { "w", O_WRONLY }, { "rw", O_RDWR }, { "creat", O_CREAT }, { "excl", O_EXCL },
		{ "trunc", O_TRUNC }, { "append", O_APPEND }, { "path", O_PATH }, { "nofollow", O_NOFOLLOW },
		{ "directory", O_DIRECTORY }, { "tmpfile", O_TMPFILE }, { "cloexec", O_CLOEXEC }, { "sync", O_SYNC },
		{ "nonblock", O_NONBLOCK }, { NULL, 0 },
	};

	return (int)bits_of(text, bits);
}

void say_content(struct text *more, int descriptor)
{
	char *content = malloc(CONTENT_MAX);
	size_t length = 0;
	ssize_t got;

	while (length < CONTENT_MAX && (got = read(descriptor, content + length, CONTENT_MAX - length)) > 0)
		length += got;
	say_text(more, "data", content, length);
	free(content);
}

/* Keeps errno of the first failure. */
static long closing(int descriptor, long result)
{
	int reason = errno;

	close(descriptor);
	errno = reason;
	return result;
}

static long op_open(char **args, struct text *more)
{
	(void)more;
	int descriptor = open(args[0], open_flags(args[1]), args[2] ? strtoul(args[2], NULL, 8) : 0644);

	return descriptor < 0 ? -1 : closing(descriptor, 0);
}

static long op_read(char **args, struct text *more)
{
	int descriptor = open(args[0], O_RDONLY);
	char one;

	if (descriptor < 0)
		return -1;
	if (pread(descriptor, &one, 1, 0) < 0)
		return closing(descriptor, -1);
	say_content(more, descriptor);
	return closing(descriptor, 0);
}

static long op_write(char **args, struct text *more)
{
	(void)more;
	int descriptor = open(args[0], O_WRONLY);

	if (descriptor < 0)
		return -1;
	return closing(descriptor, write(descriptor, args[1], strlen(args[1])));
}

static long op_create(char **args, struct text *more)
{
	(void)more;
	int descriptor = open(args[0], O_WRONLY | O_CREAT | O_EXCL, 0644);

	return descriptor < 0 ? -1 : closing(descriptor, 0);
}

static long op_mknod(char **args, struct text *more)
{
	static const struct bit types[] = {
		{ "fifo", S_IFIFO }, { "char", S_IFCHR }, { "block", S_IFBLK }, { "socket", S_IFSOCK }, { "file", S_IFREG },
		{ NULL, 0 },
	};
	(void)more;
	unsigned int major = args[2] ? atoi(args[2]) : 0, minor = args[2] && args[3] ? atoi(args[3]) : 0;

	return mknod(args[0], bits_of(args[1], types) | 0644, makedev(major, minor));
}

static long op_unlink(char **args, struct text *more)
{
	(void)more;
	return unlink(args[0]);
}

static long op_rename(char **args, struct text *more)
{
	static const struct bit flags[] = {
		{ "exchange", RENAME_EXCHANGE }, { "noreplace", RENAME_NOREPLACE }, { "whiteout", RENAME_WHITEOUT }, { NULL, 0 },
	};
	(void)more;
	return renameat2(AT_FDCWD, args[0], AT_FDCWD, args[1], args[2] ? bits_of(args[2], flags) : 0);
}

static long op_link(char **args, struct text *more)
{
	(void)more;
	return link(args[0], args[1]);
}

static long op_symlink(char **args, struct text *more)
{
	(void)more;
	return symlink(args[0], args[1]);
}

static long op_mkdir(char **args, struct text *more)
{
	(void)more;
	return mkdir(args[0], 0755);
}

static long op_rmdir(char **args, struct text *more)
{
	(void)more;
	return rmdir(args[0]);
}

static long op_chmod(char **args, struct text *more)
{
	(void)more;
	return chmod(args[0], strtoul(args[1], NULL, 8));
}

static long op_chown(char **args, struct text *more)
{
	(void)more;
	return chown(args[0], atoi(args[1]), atoi(args[2]));
}

static long op_truncate(char **args, struct text *more)
{
	(void)more;
	return truncate(args[0], atol(args[1]));
}

static long op_stat(char **args, struct text *more)
{
	struct stat about;

	if (lstat(args[0], &about) != 0)
		return -1;
	say_number(more, "mode", about.st_mode);
	say_number(more, "uid", about.st_uid);
	say_number(more, "size", about.st_size);
	say_number(more, "dev", about.st_dev);
	say_number(more, "ino", about.st_ino);
	return 0;
}

static long op_readlink(char **args, struct text *more)
{
	char target[4096];
	ssize_t length = readlink(args[0], target, sizeof(target));

	if (length < 0)
		return -1;
	say_text(more, "data", target, length);
	return 0;
}

/* mmap PATH FLAGS PROT SHARING [BYTE]: where it may be written, the byte is stored at its begin. */
static long op_mmap(char **args, struct text *more)
{
	static const struct bit protections[] = {
		{ "read", PROT_READ }, { "write", PROT_WRITE }, { "exec", PROT_EXEC }, { NULL, 0 },
	};
	(void)more;
	int descriptor = open(args[0], open_flags(args[1]));

	if (descriptor < 0)
		return -1;
	unsigned long protection = bits_of(args[2], protections);
	char *map = mmap(NULL, 4096, protection, strcmp(args[3], "shared") == 0 ? MAP_SHARED : MAP_PRIVATE, descriptor, 0);

	if (map == MAP_FAILED)
		return closing(descriptor, -1);
	if ((protection & PROT_WRITE) && args[4])
		*map = args[4][0];
	munmap(map, 4096);
	return closing(descriptor, 0);
}

/* Maps for reading first and asks for execution then. */
static long op_mprotect_exec(char **args, struct text *more)
{
	(void)more;
	int descriptor = open(args[0], O_RDONLY);

	if (descriptor < 0)
		return -1;
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, descriptor, 0);
	long result = map == MAP_FAILED ? -1 : mprotect(map, 4096, PROT_READ | PROT_EXEC);

	return closing(descriptor, result);
}

static long op_chdir(char **args, struct text *more)
{
	(void)more;
	return chdir(args[0]);
}

const struct operation file_operations[] = {
	{ "open", 2, op_open },     { "read", 1, op_read },         { "write", 2, op_write },
	{ "create", 1, op_create }, { "mknod", 2, op_mknod },       { "unlink", 1, op_unlink },
	{ "rename", 2, op_rename }, { "link", 2, op_link },         { "symlink", 2, op_symlink },
	{ "mkdir", 1, op_mkdir },   { "rmdir", 1, op_rmdir },       { "chmod", 2, op_chmod },
	{ "chown", 3, op_chown },   { "truncate", 2, op_truncate }, { "stat", 1, op_stat },
	{ "readlink", 1, op_readlink }, { "mmap", 4, op_mmap },     { "mprotect_exec", 1, op_mprotect_exec },
	{ "chdir", 1, op_chdir },   { NULL, 0, NULL },
};
