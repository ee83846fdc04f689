/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File rules on files that are opened, come in from outside, or were open before the rule was there. What changes names
 * is in hooks/change.bpf.h.
 */
#ifndef AT_HOOKS_FILE_BPF_H
#define AT_HOOKS_FILE_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

SEC("lsm/file_open")
int BPF_PROG(at_file_open, struct file *file, int ret)
{
	struct at_access a;

	if (ret)
		return ret;
	if (!at_begin_open(&a, file))
		return 0;
	return at_decide_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_OPEN);
}

SEC("lsm/file_receive")
int BPF_PROG(at_file_receive, struct file *file, int ret)
{
	struct at_access a;

	if (ret)
		return ret;
	if (!at_begin_receive(&a, file))
		return 0;
	return at_decide_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_RECEIVE);
}

/* A write through a descriptor that may be older than the rule. Opening it raised the audit alerts. */
static __always_inline int at_decide_write(struct file *file, enum at_operation operation)
{
	const struct at_ruleset *set;
	struct at_access a;

	if (!S_ISREG(file->f_inode->i_mode) || at_is_inner(file))
		return 0;
	set = at_begin(&a, AT_KIND_FILE, AT_HAS_WRITE_BLOCK, AT_ALSO_NOTHING);
	if (!set || set->audited)
		return 0;
	at_set_source(&a, set);
	a.write = 1;
	a.mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_AUDIT | AT_MODE_NO_POSTURE;
	return at_decide_file(&a, file->f_path.mnt, file->f_path.dentry, operation);
}

SEC("lsm/file_permission")
int BPF_PROG(at_file_permission, struct file *file, int mask, int ret)
{
	if (ret)
		return ret;
	if (!(mask & (MAY_WRITE | MAY_APPEND)))
		return 0;
	return at_decide_write(file, AT_OP_WRITE);
}

/*
 * A shared mapping of a descriptor that writes can be made writable later, and on overlayfs mprotect shows the layer's
 * file then, which is not judged: so it counts as a write whatever it is mapped for.
 */
SEC("lsm/mmap_file")
int BPF_PROG(at_mmap_write, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int ret)
{
	const unsigned long type = flags & MAP_TYPE;

	if (ret)
		return ret;
	if (!file || !(file->f_mode & FMODE_WRITE) || (type != MAP_SHARED && type != MAP_SHARED_VALIDATE))
		return 0;
	return at_decide_write(file, AT_OP_MAP_WRITE);
}

SEC("lsm/file_mprotect")
int BPF_PROG(at_mprotect_write, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	struct file *file;

	if (ret)
		return ret;
	file = vma->vm_file;
	if (!file || !(prot & PROT_WRITE) || !(vma->vm_flags & VM_SHARED))
		return 0;
	return at_decide_write(file, AT_OP_MAP_WRITE);
}

#endif
