/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Process rules: what is executed, and what is mapped as code although a rule forbids to execute it. */
#ifndef AT_HOOKS_PROCESS_BPF_H
#define AT_HOOKS_PROCESS_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

/* Runs for every link of the chain: the script, its interpreter, the interpreter's. */
SEC("lsm/bprm_check_security")
int BPF_PROG(at_bprm_check_security, struct linux_binprm *bprm, int ret)
{
	const struct at_ruleset *set;
	struct at_access a;
	struct file *file;

	if (ret)
		return ret;
	at_container_started();
	set = at_begin(&a, AT_KIND_PROCESS, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return 0;
	file = bprm->file;
	at_set_source(&a, set);
	a.mode = AT_MODE_EXEC;
	if (bprm->interp == bprm->filename)
		at_forget_exec();
	return at_decide_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_EXEC);
}

static __always_inline int at_decide_mapping(struct file *file)
{
	struct at_access a;

	if (!at_begin_mapping(&a, file))
		return 0;
	return at_decide_file(&a, file->f_path.mnt, file->f_path.dentry, AT_OP_MAP_EXEC);
}

SEC("lsm/mmap_file")
int BPF_PROG(at_mmap_exec, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int ret)
{
	if (ret)
		return ret;
	if (!file || !(prot & PROT_EXEC))
		return 0;
	return at_decide_mapping(file);
}

SEC("lsm/file_mprotect")
int BPF_PROG(at_mprotect_exec, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	struct file *file;

	if (ret)
		return ret;
	file = vma->vm_file;
	if (!file || !(prot & PROT_EXEC))
		return 0;
	return at_decide_mapping(file);
}

#endif
