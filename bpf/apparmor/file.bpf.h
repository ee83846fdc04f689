/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* File rules on files that were opened, handed over, or used through a descriptor that is older than the rule. */
#ifndef AT_APPARMOR_FILE_BPF_H
#define AT_APPARMOR_FILE_BPF_H

#include "judge.bpf.h"

static __always_inline int at_judged_open(struct file *file, int ret)
{
	struct at_access a;

	if (at_begin_open(&a, file))
		at_judged_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_OPEN, ret);
	return 0;
}

SEC("fexit/apparmor_file_open")
int BPF_PROG(at_refused_open, struct file *file, int ret)
{
	return ret < 0 ? at_judged_open(file, ret) : 0;
}

SEC("fexit/security_file_open")
int BPF_PROG(at_passed_open, struct file *file, int ret)
{
	return ret ? 0 : at_judged_open(file, 0);
}

static __always_inline int at_judged_receive(struct file *file, int ret)
{
	struct at_access a;

	if (at_begin_receive(&a, file))
		at_judged_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_RECEIVE, ret);
	return 0;
}

SEC("fexit/apparmor_file_receive")
int BPF_PROG(at_refused_receive, struct file *file, int ret)
{
	return ret < 0 ? at_judged_receive(file, ret) : 0;
}

SEC("fexit/security_file_receive")
int BPF_PROG(at_passed_receive, struct file *file, int ret)
{
	return ret ? 0 : at_judged_receive(file, 0);
}

/*
 * AppArmor asks anew about descriptors that were opened under an older profile: for writing and, unlike the BPF-LSM
 * programs, for reading too, which counts as a descriptor that came in from elsewhere.
 */
static __always_inline int at_refused_use(struct file *file, bool write, enum at_operation operation, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;

	if (!S_ISREG(file->f_inode->i_mode) || at_is_inner(file))
		return 0;
	set = at_begin(&a, AT_KIND_FILE, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return 0;
	at_set_source(&a, set);
	a.write = write;
	at_judged_file(&a, file->f_path.mnt, file->f_path.dentry, operation, ret);
	return 0;
}

SEC("fexit/apparmor_file_permission")
int BPF_PROG(at_refused_permission, struct file *file, int mask, int ret)
{
	const bool write = mask & (MAY_WRITE | MAY_APPEND);

	return ret < 0 ? at_refused_use(file, write, write ? AT_OP_WRITE : AT_OP_RECEIVE, ret) : 0;
}

SEC("fexit/apparmor_mmap_file")
int BPF_PROG(at_refused_mmap, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags,
	     int ret)
{
	const unsigned long type = flags & MAP_TYPE;
	bool write;

	if (ret >= 0 || !file || prot & PROT_EXEC)
		return 0;
	write = prot & PROT_WRITE && (type == MAP_SHARED || type == MAP_SHARED_VALIDATE);
	return at_refused_use(file, write, write ? AT_OP_MAP_WRITE : AT_OP_RECEIVE, ret);
}

#endif
