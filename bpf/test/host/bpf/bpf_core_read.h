/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* On the host the kernel's types are those of kernel.h as they stand: there is nothing to relocate. */
#ifndef AT_HOST_BPF_CORE_READ_H
#define AT_HOST_BPF_CORE_READ_H

#include "bpf_helpers.h"

#define bpf_core_field_offset(type, field) offsetof(type, field)
#define bpf_core_field_exists(type, field) 1
#define bpf_core_type_size(type) sizeof(type)
#define bpf_core_read(to, size, from) host_read(to, size, from)

#endif
