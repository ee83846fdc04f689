/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as the programs read them. Only names matter: libbpf finds every field in the BTF of the
 * running kernel (CO-RE), so offsets, the order of fields and all that is left out here are of no account.
 */
#ifndef AT_KERNEL_H
#define AT_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#define EACCES 13
#define EPERM 1
#define EEXIST 17

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef __u16 umode_t;
typedef __u32 fmode_t;
typedef __u32 dev_t;
typedef struct { __u32 val; } kuid_t;
typedef struct { __u32 val; } kgid_t;

struct seqcount { __u32 sequence; };
typedef struct seqcount seqcount_t;
struct seqcount_spinlock { seqcount_t seqcount; };
typedef struct seqcount_spinlock seqcount_spinlock_t;

struct qstr {
	union {
		struct {
			__u32 hash;
			__u32 len;
		};
	};
	const unsigned char *name;
};

struct super_block {
	dev_t s_dev;
	unsigned long s_magic;
	struct dentry *s_root;
};

struct inode {
	umode_t i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	void *i_private;
};

struct dentry {
	seqcount_spinlock_t d_seq;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	unsigned char d_iname[32];
	struct super_block *d_sb;
};

/* As of later kernels, which call the place of short names otherwise. */
struct dentry___renamed { unsigned char d_shortname[32]; };

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct ns_common { __u32 inum; };

struct mnt_namespace {
	struct ns_common ns;
	struct mount *root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	fmode_t f_mode;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};

struct mm_struct { struct file *exe_file; };
struct fs_struct { struct path root; struct path pwd; };

struct pid_namespace { struct ns_common ns; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid { unsigned int level; struct upid numbers[1]; };

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
};

struct tty_struct { char name[64]; };
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };
struct signal_struct { struct pid *pids[4]; struct tty_struct *tty; };

struct cred { kuid_t uid; kuid_t fsuid; };

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
};

struct sock_common { unsigned short skc_family; __u16 skc_num; };
struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};
struct socket { short type; struct sock *sk; };
struct sockaddr;
struct user_namespace;

struct kernfs_node { __u64 id; };
struct cgroup_root { int hierarchy_id; };
struct cgroup_subsys_state { struct cgroup *cgroup; struct cgroup_subsys_state *parent; };
struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct bpf_map { __u32 id; };
struct bpf_prog_aux { __u32 used_map_cnt; struct bpf_map **used_maps; };
struct bpf_prog { struct bpf_prog_aux *aux; };
struct bpf_link { __u32 id; struct bpf_prog *prog; };

#if defined(__TARGET_ARCH_x86)
struct pt_regs { unsigned long orig_ax; };
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs { __u64 regs[31]; };
struct pt_regs { int syscallno; };
#endif

#pragma clang attribute pop

/* Macros of the kernel's headers, which BTF does not have. */
#define FMODE_WRITE 0x2
#define FMODE_EXEC_FLAG 0x20       /* __FMODE_EXEC, in f_flags */
#define FMODE_CREATED 0x100000
#define FMODE_NOACCOUNT 0x20000000
#define O_TRUNC 01000
#define S_IFDIR 0040000
#define S_ISDIR(mode) (((mode) & S_IFMT) == S_IFDIR)
#define MS_REMOUNT 0x20
#define MS_BIND 0x1000
#define MS_PROPAGATION 0x1e0000    /* MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED */
#define RENAME_EXCHANGE 0x2
#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define AF_SMC 43
#define MAY_WRITE 0x2
#define MAY_APPEND 0x8
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_ISREG(mode) (((mode) & S_IFMT) == S_IFREG)
#define PROT_WRITE 0x2
#define PROT_EXEC 0x4
#define MAP_TYPE 0xf
#define MAP_SHARED 0x1
#define MAP_SHARED_VALIDATE 0x3
#define VM_SHARED 0x8
#define CAP_OPT_NOAUDIT 0x2
#define MNT_NS_INTERNAL ((__u64)-22) /* ERR_PTR(-EINVAL): a mount that the kernel made for itself */
#define MNT_NS_ANON_INO 0xEFFFFFF7u /* from 6.18: the number of every anonymous mount namespace */
#define BPF_FS_MAGIC 0xcafe4a11

#endif
