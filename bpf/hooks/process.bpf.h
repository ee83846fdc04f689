/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Process rules: what is executed, and what is mapped as code although a rule forbids to execute it. */
#ifndef AT_HOOKS_PROCESS_BPF_H
#define AT_HOOKS_PROCESS_BPF_H

#include "../alert.bpf.h"

/* The first exec in a mount namespace of its own is the container's: from here on its tasks are judged. */
static __always_inline void at_container_started(void)
{
	const struct at_settings *settings = at_settings();
	struct task_struct *task = bpf_get_current_task_btf();
	struct at_container *container;
	__u32 slot;

	container = at_current_container(&slot);
	if (!container || !(container->flags & AT_CONTAINER_STARTING) || !settings)
		return;
	if (task->nsproxy->mnt_ns->ns.inum != settings->init_mnt_ns)
		__sync_fetch_and_and(&container->flags, ~AT_CONTAINER_STARTING);
}

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

/*
 * ld.so can run a file that nobody may execute by mapping it. Only what a Block rule names is refused here: not what
 * has no path, since just-in-time compilers map memory files, and not what the posture forbids to execute.
 */
static __always_inline int at_decide_mapping(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct at_ruleset *set;
	struct at_access a;

	set = at_begin(&a, AT_KIND_PROCESS, AT_HAS_BLOCK, AT_ALSO_NOTHING);
	if (!set)
		return 0;
	at_set_source(&a, set);
	a.mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_POSTURE;
	/* The kernel maps what it executes; that was judged when it was executed. */
	if (task->mm->exe_file == file)
		a.mode |= AT_MODE_NO_AUDIT;
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
