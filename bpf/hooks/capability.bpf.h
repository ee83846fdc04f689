/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Capability rules: capabilities that a task has and uses. Those it lacks are refused before this hook is asked. */
#ifndef AT_HOOKS_CAPABILITY_BPF_H
#define AT_HOOKS_CAPABILITY_BPF_H

#include "../alert.bpf.h"

SEC("lsm/capable")
int BPF_PROG(at_capable, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options,
	     int ret)
{
	const struct at_ruleset *set;
	struct at_access a;

	if (ret)
		return ret;
	/* The kernel only asks whether it could; nothing is used yet. */
	if (options & CAP_OPT_NOAUDIT)
		return 0;
	set = at_begin(&a, AT_KIND_CAPABILITY, AT_HAS_RULES, false);
	if (!set)
		return 0;
	at_set_source(&a, set);
	a.operation = AT_OP_CAPABLE;
	a.arg[0] = capability;
	a.file.hash = capability;
	at_judge(&a);
	return at_conclude_and_raise(&a);
}

#endif
