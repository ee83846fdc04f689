/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* On the host a program is a function, which the test calls as the kernel would. */
#ifndef AT_HOST_BPF_TRACING_H
#define AT_HOST_BPF_TRACING_H

#define BPF_PROG(name, ...) name(__VA_ARGS__)

#endif
