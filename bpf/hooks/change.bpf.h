/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* File rules on what makes, removes and renames files and changes their attributes; all of it counts as writing. */
#ifndef AT_HOOKS_CHANGE_BPF_H
#define AT_HOOKS_CHANGE_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

static __always_inline int at_decide_change(struct vfsmount *mnt, struct dentry *dentry, enum at_operation operation,
					    __u32 mode)
{
	struct at_access a;

	if (!at_begin_change(&a, AT_ALSO_NOTHING))
		return 0;
	a.mode = mode;
	return at_decide_file(&a, mnt, dentry, operation);
}

SEC("lsm/path_mknod")
int BPF_PROG(at_path_mknod, const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev, int ret)
{
	return ret ? ret : at_decide_change(dir->mnt, dentry, AT_OP_CREATE, 0);
}

SEC("lsm/path_mkdir")
int BPF_PROG(at_path_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode, int ret)
{
	return ret ? ret : at_decide_change(dir->mnt, dentry, AT_OP_MKDIR, 0);
}

SEC("lsm/path_symlink")
int BPF_PROG(at_path_symlink, const struct path *dir, struct dentry *dentry, const char *old_name, int ret)
{
	return ret ? ret : at_decide_change(dir->mnt, dentry, AT_OP_SYMLINK, 0);
}

SEC("lsm/path_unlink")
int BPF_PROG(at_path_unlink, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : at_decide_change(dir->mnt, dentry, AT_OP_UNLINK, 0);
}

SEC("lsm/path_rmdir")
int BPF_PROG(at_path_rmdir, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : at_decide_change(dir->mnt, dentry, AT_OP_RMDIR, 0);
}

SEC("lsm/path_chmod")
int BPF_PROG(at_path_chmod, const struct path *path, umode_t mode, int ret)
{
	return ret ? ret : at_decide_change(path->mnt, path->dentry, AT_OP_CHMOD, 0);
}

SEC("lsm/path_chown")
int BPF_PROG(at_path_chown, const struct path *path, __u64 uid, __u64 gid, int ret)
{
	return ret ? ret : at_decide_change(path->mnt, path->dentry, AT_OP_CHOWN, 0);
}

/* Up to 6.1 for all three; from 6.2 on for truncate(2) alone. */
SEC("lsm/path_truncate")
int BPF_PROG(at_path_truncate, const struct path *path, int ret)
{
	if (ret)
		return ret;
	return at_decide_change(path->mnt, path->dentry, AT_OP_TRUNCATE, at_is_truncate_call() ? 0 : AT_MODE_NO_AUDIT);
}

/* From 6.2 on: ftruncate(2), and open(2) with O_TRUNC. */
SEC("lsm/file_truncate")
int BPF_PROG(at_file_truncate, struct file *file, int ret)
{
	if (ret)
		return ret;
	return at_decide_change(file->f_path.mnt, file->f_path.dentry, AT_OP_TRUNCATE,
				at_is_truncate_call() ? 0 : AT_MODE_NO_AUDIT);
}

/*
 * Two names: the old one first, and the first refusal ends it. A rename takes all that lies below a directory along,
 * so an ancestor of a protected path stays where it is; an exchange moves both.
 */
SEC("lsm/path_rename")
int BPF_PROG(at_path_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, unsigned int flags, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	int result = 0;

	if (ret)
		return ret;
	set = at_begin_change(&a, AT_ALSO_NAMES);
	if (!set)
		return 0;
	if (set->features[AT_KIND_FILE] & AT_HAS_RULES)
		result = at_decide_file(&a, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM);
	if (!result && set->hints && at_is_directory(old_dentry))
		result = at_decide_hint(&a, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM, AT_MODE_NEEDS_PATH);
	if (!result)
		result = at_decide_executable(&a, set, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM);
	if (!result && set->features[AT_KIND_FILE] & AT_HAS_RULES)
		result = at_decide_name(&a, new_dir->mnt, new_dentry,
					new_dentry->d_inode ? new_dentry->d_inode : old_dentry->d_inode,
					AT_OP_RENAME_TO);
	if (!result && set->hints && at_is_directory(new_dentry))
		result = at_decide_hint(&a, new_dir->mnt, new_dentry, AT_OP_RENAME_TO, AT_MODE_NEEDS_PATH);
	if (!result && flags & RENAME_EXCHANGE)
		result = at_decide_executable(&a, set, new_dir->mnt, new_dentry, AT_OP_RENAME_TO);
	return result;
}

/* A hard link is another name for the same file, so what a rule protects gets none. */
SEC("lsm/path_link")
int BPF_PROG(at_path_link, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	int result = 0;

	if (ret)
		return ret;
	set = at_begin_change(&a, AT_ALSO_NAMES);
	if (!set)
		return 0;
	if (set->features[AT_KIND_FILE] & AT_HAS_RULES)
		result = at_decide_file(&a, new_dir->mnt, old_dentry, AT_OP_LINK_FROM);
	if (!result)
		result = at_decide_executable(&a, set, new_dir->mnt, old_dentry, AT_OP_LINK_FROM);
	if (!result && set->features[AT_KIND_FILE] & AT_HAS_RULES)
		result = at_decide_name(&a, new_dir->mnt, new_dentry, old_dentry->d_inode, AT_OP_LINK_TO);
	return result;
}

#endif
