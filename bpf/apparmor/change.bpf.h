/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* File rules on what made, removed and renamed files and changed their attributes; all of it counts as writing. */
#ifndef AT_APPARMOR_CHANGE_BPF_H
#define AT_APPARMOR_CHANGE_BPF_H

#include "judge.bpf.h"

static __always_inline int at_judged_change(struct vfsmount *mnt, struct dentry *dentry, enum at_operation operation,
					    __u32 mode, int ret)
{
	struct at_access a;

	if (!at_begin_change(&a, AT_ALSO_NOTHING))
		return 0;
	a.mode = mode;
	at_judged_file(&a, mnt, dentry, operation, ret);
	return 0;
}

/* The two programs of an operation whose name is a dentry in the directory `dir`. */
#define AT_JUDGED_IN(name, operation, ...)                                                                              \
	SEC("fexit/apparmor_path_" #name)                                                                               \
	int BPF_PROG(at_refused_##name, const struct path *dir, struct dentry *dentry, ##__VA_ARGS__, int ret)         \
	{                                                                                                               \
		return ret < 0 ? at_judged_change(dir->mnt, dentry, operation, 0, ret) : 0;                             \
	}                                                                                                               \
	SEC("fexit/security_path_" #name)                                                                               \
	int BPF_PROG(at_passed_##name, const struct path *dir, struct dentry *dentry, ##__VA_ARGS__, int ret)          \
	{                                                                                                               \
		return ret ? 0 : at_judged_change(dir->mnt, dentry, operation, 0, 0);                                   \
	}

AT_JUDGED_IN(mknod, AT_OP_CREATE, umode_t mode, unsigned int dev)
AT_JUDGED_IN(mkdir, AT_OP_MKDIR, umode_t mode)
AT_JUDGED_IN(symlink, AT_OP_SYMLINK, const char *old_name)
AT_JUDGED_IN(unlink, AT_OP_UNLINK)
AT_JUDGED_IN(rmdir, AT_OP_RMDIR)

/* The same of an operation on a path. */
#define AT_JUDGED_ON(name, operation, mode, ...)                                                                       \
	SEC("fexit/apparmor_path_" #name)                                                                               \
	int BPF_PROG(at_refused_##name, const struct path *path, ##__VA_ARGS__, int ret)                               \
	{                                                                                                               \
		return ret < 0 ? at_judged_change(path->mnt, path->dentry, operation, mode, ret) : 0;                   \
	}                                                                                                               \
	SEC("fexit/security_path_" #name)                                                                               \
	int BPF_PROG(at_passed_##name, const struct path *path, ##__VA_ARGS__, int ret)                                \
	{                                                                                                               \
		return ret ? 0 : at_judged_change(path->mnt, path->dentry, operation, mode, 0);                         \
	}

static __always_inline __u32 at_truncate_mode(void)
{
	return at_is_truncate_call() ? 0 : AT_MODE_NO_AUDIT;
}

AT_JUDGED_ON(chmod, AT_OP_CHMOD, 0, umode_t mode_bits)
AT_JUDGED_ON(chown, AT_OP_CHOWN, 0, __u64 uid, __u64 gid)
AT_JUDGED_ON(truncate, AT_OP_TRUNCATE, at_truncate_mode())

/* From 6.2 on: ftruncate(2), and open(2) with O_TRUNC. */
SEC("fexit/apparmor_file_truncate")
int BPF_PROG(at_refused_ftruncate, struct file *file, int ret)
{
	if (ret >= 0)
		return 0;
	return at_judged_change(file->f_path.mnt, file->f_path.dentry, AT_OP_TRUNCATE, at_truncate_mode(), ret);
}

SEC("fexit/security_file_truncate")
int BPF_PROG(at_passed_ftruncate, struct file *file, int ret)
{
	if (ret)
		return 0;
	return at_judged_change(file->f_path.mnt, file->f_path.dentry, AT_OP_TRUNCATE, at_truncate_mode(), 0);
}

/* Two names. A refusal is explained by the first that the rules would have refused. */
static __always_inline int at_judged_rename(const struct path *old_dir, struct dentry *old_dentry,
					    const struct path *new_dir, struct dentry *new_dentry, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	bool explained = false;

	set = at_begin_change(&a, AT_ALSO_NAMES);
	if (!set)
		return 0;
	if (set->features[AT_KIND_FILE] & AT_HAS_RULES)
		explained = at_judged_file(&a, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM, ret);
	if (!ret && set->hints && at_is_directory(old_dentry))
		at_judged_hint(&a, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM);
	if (!ret)
		at_judged_executable(&a, set, old_dir->mnt, old_dentry, AT_OP_RENAME_FROM, 0);
	if (!explained && set->features[AT_KIND_FILE] & AT_HAS_RULES)
		at_judged_name(&a, new_dir->mnt, new_dentry,
			       new_dentry->d_inode ? new_dentry->d_inode : old_dentry->d_inode, AT_OP_RENAME_TO, ret);
	return 0;
}

SEC("fexit/apparmor_path_rename")
int BPF_PROG(at_refused_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, unsigned int flags, int ret)
{
	return ret < 0 ? at_judged_rename(old_dir, old_dentry, new_dir, new_dentry, ret) : 0;
}

SEC("fexit/security_path_rename")
int BPF_PROG(at_passed_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, unsigned int flags, int ret)
{
	return ret ? 0 : at_judged_rename(old_dir, old_dentry, new_dir, new_dentry, 0);
}

/* A profile refuses a link that would allow more than the file itself allows: so what a rule protects gets none. */
static __always_inline int at_judged_link(struct dentry *old_dentry, const struct path *new_dir,
					  struct dentry *new_dentry, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	bool explained = false;

	set = at_begin_change(&a, AT_ALSO_NAMES);
	if (!set)
		return 0;
	if (set->features[AT_KIND_FILE] & AT_HAS_RULES)
		explained = at_judged_file(&a, new_dir->mnt, old_dentry, AT_OP_LINK_FROM, ret);
	if (!explained)
		explained = at_judged_executable(&a, set, new_dir->mnt, old_dentry, AT_OP_LINK_FROM, ret);
	if (!explained && set->features[AT_KIND_FILE] & AT_HAS_RULES)
		at_judged_name(&a, new_dir->mnt, new_dentry, old_dentry->d_inode, AT_OP_LINK_TO, ret);
	return 0;
}

SEC("fexit/apparmor_path_link")
int BPF_PROG(at_refused_link, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry, int ret)
{
	return ret < 0 ? at_judged_link(old_dentry, new_dir, new_dentry, ret) : 0;
}

SEC("fexit/security_path_link")
int BPF_PROG(at_passed_link, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry, int ret)
{
	return ret ? 0 : at_judged_link(old_dentry, new_dir, new_dentry, 0);
}

#endif
