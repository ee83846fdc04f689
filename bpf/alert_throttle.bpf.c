// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All programs and maps of the node's enforcement, one object: the kernel's BTF is parsed once, and programs share maps
 * and subprograms. User space sets the sizes of the maps, pins them, and fills them (include/layout.h says with what).
 *
 *   task ─▶ cgroup ─▶ members ─▶ containers ─▶ rulesets          container.bpf.h
 *   file ─▶ walk to the root ─▶ hashes of path and ancestors      walk.bpf.h, path.bpf.h
 *        ─▶ rules, confirmed against names ─▶ verdict             rules.bpf.h, verdict.bpf.h
 *        ─▶ throttle ─▶ event ─▶ ring                             alert.bpf.h, window.bpf.h, event.bpf.h, ring.bpf.h
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "hooks/process.bpf.h"
#include "hooks/file.bpf.h"
#include "hooks/change.bpf.h"
#include "hooks/network.bpf.h"
#include "hooks/capability.bpf.h"
#include "hooks/mount.bpf.h"
#include "hooks/bpf.bpf.h"
#include "cgroup.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
