/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Process rules: what was executed, and what was mapped as code although a rule forbids to execute it. */
#ifndef AT_APPARMOR_PROCESS_BPF_H
#define AT_APPARMOR_PROCESS_BPF_H

#include "judge.bpf.h"

static __always_inline int at_judged_exec(struct linux_binprm *bprm, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	struct file *file;

	set = at_begin(&a, AT_KIND_PROCESS, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return 0;
	file = bprm->file;
	at_set_source(&a, set);
	a.mode = AT_MODE_EXEC;
	at_judged_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_EXEC, ret);
	return 0;
}

/* Once for each execve: AppArmor looks at what is executed, not at the interpreter of a script. */
SEC("fexit/apparmor_bprm_creds_for_exec")
int BPF_PROG(at_refused_exec, struct linux_binprm *bprm, int ret)
{
	return ret < 0 ? at_judged_exec(bprm, ret) : 0;
}

/* For every link of the chain: the script, its interpreter, the interpreter's. */
SEC("fexit/security_bprm_check")
int BPF_PROG(at_passed_exec, struct linux_binprm *bprm, int ret)
{
	if (ret)
		return 0;
	at_container_started();
	if (bprm->interp == bprm->filename)
		at_forget_exec();
	return at_judged_exec(bprm, 0);
}

static __always_inline int at_judged_mapping(struct file *file, int ret)
{
	struct at_access a;

	if (at_begin_mapping(&a, file))
		at_judged_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_MAP_EXEC, ret);
	return 0;
}

SEC("fexit/apparmor_mmap_file")
int BPF_PROG(at_refused_mmap_exec, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags,
	     int ret)
{
	return ret < 0 && file && prot & PROT_EXEC ? at_judged_mapping(file, ret) : 0;
}

SEC("fexit/security_mmap_file")
int BPF_PROG(at_passed_mmap_exec, struct file *file, unsigned long prot, unsigned long flags, int ret)
{
	return !ret && file && prot & PROT_EXEC ? at_judged_mapping(file, 0) : 0;
}

static __always_inline int at_judged_mprotect(struct vm_area_struct *vma, int ret)
{
	struct file *file = vma->vm_file;

	return file ? at_judged_mapping(file, ret) : 0;
}

SEC("fexit/apparmor_file_mprotect")
int BPF_PROG(at_refused_mprotect_exec, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	return ret < 0 && prot & PROT_EXEC ? at_judged_mprotect(vma, ret) : 0;
}

/* On overlayfs a map shows the layer's file, which the kernel opened for itself, and AppArmor lets that through. */
SEC("fexit/security_file_mprotect")
int BPF_PROG(at_passed_mprotect_exec, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	return !ret && prot & PROT_EXEC ? at_judged_mprotect(vma, 0) : 0;
}

#endif
