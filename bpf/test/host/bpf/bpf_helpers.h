/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stands in for libbpf's header where the programs are compiled for the host: maps are tables of ours, and the kernel's
 * memory is this process's own, so that the sanitizers see every access. Only what the programs use is here.
 */
#ifndef AT_HOST_BPF_HELPERS_H
#define AT_HOST_BPF_HELPERS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SEC(name)
#define __uint(name, value) int (*name)[value]
#define __type(name, type) __typeof__(type) *name
#define __ksym
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
/* A moment at which a rename of the test may happen. */
#define barrier() host_moment()
#define barrier_var(var) __asm__ volatile("" : "+r"(var))
#define __builtin_preserve_access_index(expression) (expression)

struct task_struct;

void *host_lookup(const void *map, const void *key);
long host_update(const void *map, const void *key, const void *value, __u64 flags);
long host_delete(const void *map, const void *key);
long host_output(const void *ring, const void *data, __u64 size);
/* Every look at the kernel's memory by address; renames of the test happen in between. */
long host_read(void *to, __u32 size, const void *from);
/* Between two looks that need no address; the same happens in it. */
void host_moment(void);
struct task_struct *host_task(void);
void *host_registers(void);

typedef long host_step(__u32 index, void *context);

static inline long host_loop(__u32 count, host_step *step, void *context)
{
	__u32 index = 0;

	while (index < count && !step(index, context))
		index++;
	return index;
}

static inline long host_ignore(const void *map, void *step, void *context)
{
	return !map + !step + !context;
}

static inline long host_read_text(void *to, __u32 size, const char *from)
{
	__u32 length = 0;

	while (length + 1 < size && from[length])
		length++;
	memcpy(to, from, length);
	((char *)to)[length] = 0;
	return length + 1;
}

#define bpf_map_lookup_elem(map, key) host_lookup(map, key)
#define bpf_map_update_elem(map, key, value, flags) host_update(map, key, value, flags)
#define bpf_map_delete_elem(map, key) host_delete(map, key)
#define bpf_for_each_map_elem(map, step, context, flags) host_ignore(map, (void *)(step), context)
#define bpf_loop(count, step, context, flags) host_loop(count, (host_step *)(step), context)
#define bpf_probe_read_kernel(to, size, from) host_read(to, size, from)
#define bpf_probe_read_kernel_str(to, size, from) host_read_text(to, size, from)
#define bpf_get_current_task_btf() host_task()
#define bpf_task_pt_regs(task) host_registers()
#define bpf_get_current_cgroup_id() 1ULL
#define bpf_get_current_ancestor_cgroup_id(level) ((void)(level), 0ULL)
#define bpf_get_current_pid_tgid() 0ULL
#define bpf_get_current_comm(to, size) host_read_text(to, size, "host")
#define bpf_get_smp_processor_id() 0U
#define bpf_ktime_get_boot_ns() 1000000000ULL
#define bpf_ringbuf_output(ring, data, size, flags) host_output(ring, data, size)
#define bpf_ringbuf_query(ring, flags) ((flags) == BPF_RB_RING_SIZE ? 8ULL << 20 : 0ULL)
#define bpf_ringbuf_reserve(ring, size, flags) ((void *)0)
#define bpf_ringbuf_submit(record, flags) ((void)(record))
#define bpf_ringbuf_discard(record, flags) ((void)(record))
#define bpf_spin_lock(lock) ((void)(lock))
#define bpf_spin_unlock(lock) ((void)(lock))

#endif
