/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Capability rules: capabilities that a task has and uses. Those it lacks are refused before this hook is asked. */
#ifndef AT_HOOKS_CAPABILITY_BPF_H
#define AT_HOOKS_CAPABILITY_BPF_H

#include "../alert.bpf.h"
#include "../access.bpf.h"

SEC("lsm/capable")
int BPF_PROG(at_capable, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options,
	     int ret)
{
	struct at_access a;

	if (ret)
		return ret;
	if (!at_judge_capability(&a, capability, options))
		return 0;
	return at_conclude_and_raise(&a);
}

#endif
