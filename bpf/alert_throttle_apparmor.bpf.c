// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs of a node on which AppArmor enforces: they refuse nothing, and tell what was refused by whose rule. Maps,
 * walk, rules, verdict, throttle and rings are those of alert_throttle.bpf.c, under the same names and pins, so that a
 * node changes from one enforcer to the other as from one version to the next. An object of its own, because neither
 * set of programs is of use where the other one is, and each program costs its verification.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "apparmor/process.bpf.h"
#include "apparmor/file.bpf.h"
#include "apparmor/change.bpf.h"
#include "apparmor/other.bpf.h"
#include "cgroup.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
