/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an access is, before it is decided: the same for programs that refuse and for those that tell what AppArmor
 * refused. False, or no rule set, where nothing is to be decided. at_judge_* are for what has no path, and go on to the
 * verdict of the rules.
 */
#ifndef AT_ACCESS_BPF_H
#define AT_ACCESS_BPF_H

#include "verdict.bpf.h"
#include "protocols.bpf.h"

/* Opens that a filesystem makes for itself, as overlayfs does on its layers. FMODE_BACKING has changed its bit. */
static __always_inline bool at_is_inner(const struct file *file)
{
	return file->f_mode & FMODE_NOACCOUNT;
}

static __always_inline bool at_begin_open(struct at_access *a, const struct file *file)
{
	const struct at_ruleset *set;

	set = at_begin(a, AT_KIND_FILE, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return false;
	/* Files to be executed are the business of process rules. */
	if (file->f_flags & FMODE_EXEC_FLAG || at_is_inner(file))
		return false;
	at_set_source(a, set);
	a->write = file->f_mode & (FMODE_WRITE | FMODE_CREATED) || file->f_flags & O_TRUNC;
	a->arg[0] = file->f_flags;
	/* Created by this very system call: path_mknod has raised what there is to raise. */
	if (file->f_mode & FMODE_CREATED)
		a->mode = AT_MODE_NO_AUDIT;
	return true;
}

/* A descriptor that another process hands over. */
static __always_inline bool at_begin_receive(struct at_access *a, const struct file *file)
{
	const struct at_ruleset *set;

	set = at_begin(a, AT_KIND_FILE, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set || at_is_inner(file))
		return false;
	at_set_source(a, set);
	a->write = !!(file->f_mode & FMODE_WRITE);
	a->arg[0] = file->f_flags;
	return true;
}

/* To change names and attributes is to write. `also`: as for at_begin. */
static __always_inline const struct at_ruleset *at_begin_change(struct at_access *a, enum at_also also)
{
	const struct at_ruleset *set;

	set = at_begin(a, AT_KIND_FILE, AT_HAS_RULES, also);
	if (!set)
		return 0;
	at_set_source(a, set);
	a->write = 1;
	return set;
}

/*
 * Truncation is part of an open with O_TRUNC too; then file_open has raised what there is to raise. The numbers of
 * truncate, ftruncate and their 64-bit kin, of the architecture and of its 32-bit programs, belong to no other system
 * call that truncates.
 */
static __always_inline bool at_is_truncate_call(void)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u32 number;

#if defined(__TARGET_ARCH_x86)
	number = regs->orig_ax & ~0x40000000;
	if (number == 76 || number == 77)
		return true;
#else
	number = regs->syscallno;
	if (number == 45 || number == 46)
		return true;
#endif
	return number == 92 || number == 93 || number == 193 || number == 194;
}

/*
 * ld.so can run a file that nobody may execute by mapping it. Only what a Block rule names is looked at: not what has
 * no path, since just-in-time compilers map memory files, and not what the posture forbids to execute.
 */
static __always_inline bool at_begin_mapping(struct at_access *a, const struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct at_ruleset *set;

	set = at_begin(a, AT_KIND_PROCESS, AT_HAS_BLOCK, AT_ALSO_NOTHING);
	if (!set)
		return false;
	at_set_source(a, set);
	a->mode = AT_MODE_ONLY_BLOCK | AT_MODE_NO_POSTURE;
	/* The kernel maps what it executes; that was judged when it was executed. */
	if (task->mm->exe_file == file)
		a->mode |= AT_MODE_NO_AUDIT;
	return true;
}

static __always_inline bool at_judge_socket(struct at_access *a, __u32 family, __u32 type, __u32 protocol,
					    __u32 port_and_operation)
{
	const struct at_ruleset *set;

	set = at_begin(a, AT_KIND_NETWORK, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return false;
	at_set_source(a, set);
	a->operation = port_and_operation & 0xffff;
	a->short_arg[0] = family;
	a->short_arg[1] = type;
	a->short_arg[2] = protocol;
	a->short_arg[3] = port_and_operation >> 16;
	a->file.hash = at_protocols(family, type & 0xf, protocol);
	at_judge(a);
	return true;
}

static __always_inline bool at_judge_capability(struct at_access *a, int capability, unsigned int options)
{
	const struct at_ruleset *set;

	/* The kernel only asks whether it could; nothing is used yet. */
	if (options & CAP_OPT_NOAUDIT)
		return false;
	set = at_begin(a, AT_KIND_CAPABILITY, AT_HAS_RULES, AT_ALSO_NOTHING);
	if (!set)
		return false;
	at_set_source(a, set);
	a->operation = AT_OP_CAPABLE;
	a->arg[0] = capability;
	a->file.hash = capability;
	at_judge(a);
	return true;
}

#endif
