// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs themselves, compiled for the host: the maps' contents and accesses come in, what each access gets and the
 * records for the rings go out. The test compares that with the pure matcher, on files that this program makes up. What
 * stays untried here is the verifier, the compiler for BPF, and whether the kernel calls the hooks as we do.
 *
 *   in:   'S' map key value | 'D' map key | 'R' ruleset:u32 root_dev:u64 root_ino:u64 | 'A' struct access, its texts
 *   out:  for each access: result:s32, renames begun:u32, bytes:u32, frames of the rings as the addon hands them out
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "hooks/process.bpf.h"
#include "hooks/file.bpf.h"
#include "hooks/change.bpf.h"
#include "hooks/network.bpf.h"
#include "hooks/capability.bpf.h"
#include "cgroup.bpf.h"
#include "host/maps.h"
#include "host/world.h"

enum hook { HOOK_OPEN, HOOK_EXEC, HOOK_SOCKET, HOOK_CAPABLE, HOOK_UNLINK, HOOK_MKDIR, HOOK_RENAME, HOOK_LINK, HOOK_RECEIVE };

#define FLAG_WRITE 1
#define FLAG_TRUNC 2
#define FLAG_DIRECTORY 4
#define FLAG_CALM 8
#define FLAG_DETACHED 16
#define NOBODY 0xffffffffu

/* One access as it comes in; then the texts: path, other path, source, bound folder, each renamed name. */
struct access {
	__u32 hook, flags;
	__u32 uid, owner, other_owner;
	__u32 arg[3];
	__u32 path, other, source, bound; /* lengths; `bound` 0: nothing is mounted a second time */
	__u32 bound_at;                   /* after how many components of the path its mount lies */
	__u32 crossings[4];               /* bits: a mount of another filesystem lies on component 1 + bit */
	__u32 renames;
};
struct rename_in { __u32 component, length, at[HOST_RENAME_STEPS]; };

static struct mnt_namespace inside = { .ns = { 5 } };
static struct pid_namespace processes = { { 6 } };
static struct pid pid = { 0, { { 7, &processes } } };
static struct fs_struct fs;
static struct nsproxy nsproxy = { &inside, &processes };
static struct signal_struct signals = { { &pid, &pid, &pid, &pid }, 0 };
static struct mm_struct mm, parent_mm;
static struct cred cred;
static struct task_struct parent = { .tgid = 1, .mm = &parent_mm, .signal = &signals, .comm = "parent" };
static struct task_struct task = { .tgid = 7, .real_parent = &parent, .mm = &mm, .cred = &cred, .comm = "host",
	.fs = &fs, .nsproxy = &nsproxy, .signal = &signals };
static struct pt_regs registers;
static bool calm;

struct task_struct *host_task(void)
{
	return &task;
}

void *host_registers(void)
{
	return &registers;
}

long host_read(void *to, __u32 size, const void *from)
{
	if ((unsigned long)from < 4096) {
		memset(to, 0, size);
		return -14;
	}
	/* Word by word, as the kernel copies. */
	for (__u32 at = 0; at < size; at += 8) {
		host_tick(calm);
		memcpy((char *)to + at, (const char *)from + at, size - at < 8 ? size - at : 8);
	}
	return 0;
}

void host_moment(void)
{
	host_tick(calm);
}

static unsigned char records[1 << 20];
static __u32 record_bytes;

long host_output(const void *ring, const void *data, __u64 size)
{
	__u32 head[2] = { ring == (const void *)&audit_ring, size };

	if (record_bytes + 16 + size > sizeof(records))
		abort();
	memcpy(records + record_bytes, head, sizeof(head));
	memcpy(records + record_bytes + 8, data, size);
	record_bytes += 8 + (size + 7) / 8 * 8;
	return 0;
}

static void must_read(void *to, size_t size)
{
	if (size && fread(to, size, 1, stdin) != 1)
		exit(3);
}

static char *read_text(__u32 length)
{
	char *text = host_make(length + 1);

	must_read(text, length);
	return text;
}

/* Where the text of component `count` + 1 begins. */
static __u32 after(const char *path, __u32 length, __u32 count)
{
	__u32 at = 0;

	while (count-- && at < length) {
		at++;
		while (at < length && path[at] != '/')
			at++;
	}
	return at;
}

static struct mount *root_mount;
static struct super_block *root_fs;

/* The container's root: of its filesystem, or, where the container has a root_ino, a folder in it. */
static void make_root(const struct access *in)
{
	struct at_container *container = at_container_at(0);
	struct dentry *root;

	root_fs = host_filesystem(1);
	root = root_fs->s_root;
	if (container->root_ino) {
		root = host_components(root, "/var/lib/root", 13, false);
		root->d_inode->i_ino = container->root_ino;
	}
	root_mount = host_mount(0, 0, root, in->flags & FLAG_DETACHED ? 0 : &inside);
	fs.pwd = (struct path){ &root_mount->mnt, root };
}

/* A path that leads over other filesystems where the access says so, and through a second mount of the container's root. */
static struct path make_path(const struct access *in, const char *path, __u32 length, const char *bound)
{
	struct mount *mount = root_mount;
	struct dentry *at = mount->mnt.mnt_root;
	const bool first = world.chain_count == 0;

	for (__u32 depth = 0, from = 0;; depth++) {
		const __u32 end = after(path, length, depth + 1);

		if (bound && depth == in->bound_at) {
			struct dentry *folder = host_components(root_mount->mnt.mnt_root, bound, in->bound, false);

			mount = host_mount(mount, at, folder, &inside);
			at = folder;
		}
		if (from >= length || !path[from + 1])
			break;
		at = host_dentry(at, at->d_sb, path + from + 1, end - from - 1);
		if (first && world.chain_count < HOST_CHAIN_MAX)
			world.chain[world.chain_count++] = at;
		if (in->crossings[depth / 32 & 3] >> (depth & 31) & 1 && !(bound && depth >= in->bound_at)) {
			/* What is mounted may be a folder of its filesystem, which has a name of its own there. */
			struct dentry *root = host_filesystem(2 + depth)->s_root;

			if (depth & 1)
				root = host_components(root, "/not/seen", 9, false);
			mount = host_mount(mount, at, root, &inside);
			at = root;
		}
		from = end;
	}
	return (struct path){ &mount->mnt, at };
}

static void own(struct dentry *dentry, __u32 owner, bool directory)
{
	if (owner == NOBODY) {
		dentry->d_inode = 0;
		return;
	}
	dentry->d_inode->i_uid.val = owner;
	dentry->d_inode->i_mode = directory ? 0040755 : 0100644;
}

static struct path parent_of(const struct path *path)
{
	return (struct path){ path->mnt, path->dentry->d_parent };
}

static int run_hook(const struct access *in, struct path *one, struct path *other)
{
	struct file file = { *one, one->dentry->d_inode, in->flags & FLAG_TRUNC ? O_TRUNC : 0,
			     in->flags & FLAG_WRITE ? FMODE_WRITE : 0 };
	struct linux_binprm bprm = { &file, "same", 0 };
	struct path dir = parent_of(one), other_dir = parent_of(other);

	bprm.interp = bprm.filename;
	switch (in->hook) {
	case HOOK_OPEN: return at_file_open(&file, 0);
	case HOOK_EXEC: return at_bprm_check_security(&bprm, 0);
	case HOOK_SOCKET: return at_socket_create(in->arg[0], in->arg[1], in->arg[2], 0, 0);
	case HOOK_CAPABLE: return at_capable(&cred, 0, in->arg[0], 0, 0);
	case HOOK_UNLINK: return at_path_unlink(&dir, one->dentry, 0);
	case HOOK_MKDIR: return at_path_mkdir(&dir, one->dentry, 0755, 0);
	case HOOK_RENAME: return at_path_rename(&dir, one->dentry, &other_dir, other->dentry, 0, 0);
	case HOOK_LINK: return at_path_link(one->dentry, &other_dir, other->dentry, 0);
	case HOOK_RECEIVE: return at_file_receive(&file, 0);
	}
	exit(4);
}

static void set_source(const struct access *in, const char *text)
{
	static const char nobody[] = "/neither/this";
	struct access plain = { 0 };
	struct file *source = host_make(sizeof(*source)), *other = host_make(sizeof(*other));

	other->f_path = make_path(&plain, nobody, sizeof(nobody) - 1, 0);
	/* An executable that is mounted nowhere has no path. */
	if (in->source)
		source->f_path = make_path(&plain, text, in->source, 0);
	else
		source->f_path = (struct path){ &host_mount(0, 0, root_fs->s_root, 0)->mnt, root_fs->s_root };
	mm.exe_file = in->hook == HOOK_EXEC ? other : source;
	parent_mm.exe_file = in->hook == HOOK_EXEC ? source : other;
}

static void run_access(void)
{
	struct access in;
	struct rename_in renames[8];
	struct path one, other;
	char *path, *second, *source, *bound;
	__s32 out[3];

	must_read(&in, sizeof(in));
	if (in.renames > 8)
		exit(3);
	must_read(renames, in.renames * sizeof(*renames));
	path = read_text(in.path);
	second = read_text(in.other);
	source = read_text(in.source);
	bound = read_text(in.bound);
	make_root(&in);
	one = make_path(&in, path, in.path, in.bound ? bound : 0);
	for (__u32 i = 0; i < in.renames; i++) {
		struct host_rename *rename = &world.renames[i];

		rename->name = host_make(HOST_NAME_ROOM);
		must_read(rename->name, renames[i].length);
		rename->length = renames[i].length;
		memcpy(rename->at, renames[i].at, sizeof(rename->at));
		rename->dentry = world.chain[renames[i].component % (world.chain_count ? world.chain_count : 1)];
	}
	other = in.other ? make_path(&in, second, in.other, 0) : one;
	set_source(&in, source);
	own(one.dentry, in.owner, in.flags & FLAG_DIRECTORY);
	if (in.other)
		own(other.dentry, in.other_owner, false);
	cred.uid.val = cred.fsuid.val = in.uid;
	calm = in.flags & FLAG_CALM;
	host_rename_lock = calm ? 2 : 1;
	world.rename_count = in.renames;
	world.looks = 0;
	record_bytes = 0;
	out[0] = run_hook(&in, &one, &other);
	out[1] = host_renames_begun();
	out[2] = record_bytes;
	fwrite(out, sizeof(out), 1, stdout);
	fwrite(records, record_bytes, 1, stdout);
	host_clear(&ring_accounts);
	host_clear(&execs);
	host_forget();
}

int main(void)
{
	static struct at_member member = { 1, 0, 0 };
	static struct at_container container = { .container = 1 };
	struct { __u32 ruleset, pad; __u64 root_dev, root_ino; } which;
	__u64 cgroup = 1;
	__u32 slot = 0;

	host_begin();
	host_update(&members, &cgroup, &member, 0);
	host_update(&containers, &slot, &container, 0);
	for (int command; (command = getchar()) != EOF;) {
		struct at_container *at = at_container_at(0);

		if (command == 'A') {
			run_access();
		} else if (command == 'R') {
			must_read(&which, sizeof(which));
			at->ruleset = which.ruleset;
			at->root_dev = which.root_dev;
			at->root_ino = which.root_ino;
		} else if (command == 'S' || command == 'D') {
			host_change(command == 'S');
		} else {
			return 3;
		}
	}
	return fflush(stdout) ? 5 : 0;
}
