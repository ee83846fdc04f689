/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AppArmor has decided; these programs say what its decision was about. Each operation has two of them:
 *
 *   fexit/apparmor_X, which refused   the rules of the container would have: an alert of Action Block, through the
 *                                     throttle. They would not: a file permission of the profile itself, another
 *                                     profile; no alert, no budget, one counter.
 *   fexit/security_X, which let it    an Audit rule, an audited pod: the alert that it calls for. The rules would have
 *   through                           refused: the container is not under its profile, or this is what no profile can
 *                                     refuse; `Audit (Block)`, so that nobody takes it for enforced.
 *
 * That a system call fails is never enough. The verdict is that of the BPF-LSM programs, by the same code.
 */
#ifndef AT_APPARMOR_JUDGE_BPF_H
#define AT_APPARMOR_JUDGE_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

/* `ret`: what AppArmor, or all security modules, said. The verdict is in `a`. True where a rule of ours explains a refusal. */
static __always_inline bool at_account_for(struct at_access *a, int ret)
{
	const __u32 said = a->said;
	int result = at_conclude(a);

	if (ret && !result) {
		at_count(AT_COUNTER_REFUSED_BY_OTHERS, 1);
		return false;
	}
	if (!ret && result) {
		at_count(AT_COUNTER_UNENFORCED, 1);
		a->flags |= AT_EVENT_AUDITED;
		result = 0;
		if (a->mode & AT_MODE_NO_AUDIT || said == a->rule)
			return false;
		if (a->mode & AT_MODE_EXEC && at_exec_said(a->rule))
			return false;
	}
	at_raise_admitted(a, result);
	return result;
}

/* Judges one name of an access that is over. `inode`: whose owner counts. */
static __always_inline bool at_judged_name(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					   const struct inode *inode, enum at_operation operation, int ret)
{
	if (!at_judge_name(a, mnt, dentry, inode, operation))
		return false;
	return at_account_for(a, ret);
}

static __always_inline bool at_judged_file(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					   enum at_operation operation, int ret)
{
	return at_judged_name(a, mnt, dentry, dentry->d_inode, operation, ret);
}

/* A directory above a protected path got another name: no profile refuses that, and an audited pod is to hear of it. */
static __always_inline void at_judged_hint(struct at_access *a, struct vfsmount *mnt, struct dentry *dentry,
					   enum at_operation operation)
{
	const __u8 kind = a->kind;
	const __u16 mode = a->mode;

	a->operation = operation;
	a->flags = AT_EVENT_HINT;
	a->mode = AT_MODE_HINT | AT_MODE_NO_POSTURE;
	at_set_file(a, mnt, dentry);
	if (at_judge_file(a, mnt, dentry) == AT_WALK_DONE)
		at_account_for(a, 0);
	a->mode = mode;
	a->kind = kind;
}

/* What a Block process rule names got another name, or would have. */
static __always_inline bool at_judged_executable(struct at_access *a, const struct at_ruleset *set,
						 struct vfsmount *mnt, struct dentry *dentry,
						 enum at_operation operation, int ret)
{
	const __u8 kind = a->kind;
	const __u16 mode = a->mode;
	bool explained;

	if (!(set->features[AT_KIND_PROCESS] & AT_HAS_BLOCK))
		return false;
	a->kind = AT_KIND_PROCESS;
	a->mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_POSTURE | AT_MODE_NO_SOURCE;
	if (at_is_directory(dentry))
		a->mode |= AT_MODE_DIRECTORY;
	explained = at_judged_file(a, mnt, dentry, operation, ret);
	a->mode = mode;
	a->kind = kind;
	return explained;
}

#endif
