/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of files, found by our own walk from a dentry up to the root of its mount namespace. Nothing of it depends on
 * who asks: not on the caller's root, not on its working directory, not on the name by which it got there.
 *
 * A walk has passes. The first counts components and takes a fingerprint of all that it passed: each dentry, its
 * sequence number, each mount. The second hashes the names. A dentry's sequence number is odd while it is renamed and
 * grows with each rename; the first pass reads it before the dentry, the second after the name. Equal fingerprints therefore mean that
 * between the passes there was a moment when every name and every parent were as seen. Otherwise the walk is repeated.
 *
 * The kernel's own walk watches rename_lock, which counts all renames of the machine. Where its address is known (the
 * loader has CAP_SYSLOG) that is tried first: if nothing at all was renamed during a judgement, no dentry's number need
 * be looked at, and where the rules have no directories one pass counts and hashes.
 *
 * The programs hold the RCU read lock: dentries, their names and mounts stay readable. Positions are plain addresses
 * because a mount is found from the vfsmount inside it, which the verifier allows no typed pointer.
 */
#ifndef AT_WALK_BPF_H
#define AT_WALK_BPF_H

#include "maps.bpf.h"
#include "window.bpf.h"
#include <bpf/bpf_core_read.h>
#include "hash.h"

#define AT_STEPS_MAX (AT_DEPTH_MAX + 32) /* components and mounts of one walk */
#define AT_PARTIALS 3                    /* ancestors of which one pass remembers the hash */

enum at_walk_state {
	AT_WALK_GOING,
	AT_WALK_DONE,
	AT_WALK_UNREACHABLE, /* no end at the root of a namespace, or too deep or too long */
	AT_WALK_INTERNAL,    /* a mount that the kernel made for itself */
	AT_WALK_OUTSIDE,     /* not below the container's root in its filesystem */
	AT_WALK_RACED,       /* renamed meanwhile */
};

/* A file's place, and what is known of its path. */
struct at_place {
	__u64 mnt;     /* struct vfsmount */
	__u64 dentry;
	__u64 print;   /* fingerprint of the counting pass */
	__u64 hash;    /* of the whole path */
	__u16 count;   /* components */
	__u16 length;  /* bytes: a slash and a name for each component */
	__u16 inside;  /* components below the root of the mount it is seen through */
	__u8 state;    /* enum at_walk_state */
	__u8 within;   /* the path inside the filesystem is meant, whatever it is mounted on */
};

/* A pass on its way. */
struct at_walk {
	__u64 mnt, root, dentry; /* where it is, and the root of that mount; inside a filesystem no mount, and `root_ino` */
	__u64 print;
	__u64 sum;               /* of the components passed, as if the last one passed were the first */
	__u64 last;              /* hash of the last component */
	__u64 partial[AT_PARTIALS]; /* the same below an ancestor; later the ancestor's hash */
	__u64 wanted;            /* depths whose ancestors are asked for; the last bit is that of all deeper ones too */
	__u32 names;             /* to confirm: index of the component at depth `low` */
	__u16 depth;             /* of the component at hand */
	__u16 length;
	__u8 depths[AT_PARTIALS];
	__u8 partials;
	__u8 state;
	__u8 low, high;          /* to confirm: from where to where; while hashing: only ancestors above `high` */
	__u8 flags;              /* AT_WALK_* */
};

#define AT_WALK_CROSSED 1 /* has left the mount that it began in */
#define AT_WALK_CALM 2    /* nothing was renamed so far, as rename_lock tells: numbers are not read */
#define AT_WALK_HASHED 4  /* the file's path has its hash from a pass that counted as well */
#define AT_WALK_DIFFERS 8 /* a component is another than the rule's */

/* What a step sees of a dentry. The first three fields lie in struct dentry as they do here: d_parent, d_name. */
struct at_component {
	__u64 parent;
	__u32 hash;
	__u32 length;
	__u64 name;
};

/* 0: rename_lock is left alone. Set before loading. */
const volatile __u32 at_watch_rename_lock = 1;

extern const void rename_lock __ksym __weak;

static __always_inline __u64 at_mix(__u64 print, __u64 value)
{
	return (print ^ value ^ (print >> 29)) * AT_HASH_MULTIPLIER;
}

static __always_inline __u64 at_mount_of(__u64 vfsmount)
{
	return vfsmount - bpf_core_field_offset(struct mount, mnt);
}

/* Reads a pointer or a number through an address; each use has the stack for itself only as long as it lasts. */
static __always_inline __u64 at_read_word(const void *from)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), from);
	return word;
}

static __always_inline __u32 at_read_half(const void *from)
{
	__u32 half = 0;

	bpf_probe_read_kernel(&half, sizeof(half), from);
	return half;
}

#define AT_READ(pointer, field) at_read_word(__builtin_preserve_access_index(&(pointer)->field))
#define AT_READ_HALF(pointer, field) at_read_half(__builtin_preserve_access_index(&(pointer)->field))

static __always_inline __u32 at_sequence(__u64 dentry)
{
	return AT_READ_HALF((const struct dentry *)dentry, d_seq.seqcount.sequence);
}

/* The number of renames of the whole machine, odd during one; 1 where it is not known. */
static __always_inline __u32 at_renames(void)
{
	if (!at_watch_rename_lock || !&rename_lock)
		return 1;
	return at_read_half(&rename_lock);
}

static __always_inline void at_enter_mount(struct at_walk *w, __u64 vfsmount)
{
	w->mnt = vfsmount;
	w->root = AT_READ((const struct vfsmount *)vfsmount, mnt_root);
	w->print = at_mix(w->print, vfsmount);
}

/* What a mount lies on; as in struct mount. */
struct at_below {
	__u64 parent;
	__u64 mountpoint;
};

static __always_inline void at_read_below(struct at_below *below, const struct mount *mount)
{
	if (bpf_core_field_offset(struct mount, mnt_mountpoint) == bpf_core_field_offset(struct mount, mnt_parent) + 8) {
		bpf_core_read(below, sizeof(*below), &mount->mnt_parent);
	} else {
		below->parent = AT_READ(mount, mnt_parent);
		below->mountpoint = AT_READ(mount, mnt_mountpoint);
	}
}

/*
 * The root of mount `w->mnt` is reached: goes on in the mount below it, or ends. The task's own namespace is asked first,
 * whose root is found by typed pointers: it is that mount, or the one that everything else is mounted on.
 */
static __always_inline void at_cross(struct at_walk *w)
{
	const struct mount *mount = (const struct mount *)at_mount_of(w->mnt);
	const struct mount *first = bpf_get_current_task_btf()->nsproxy->mnt_ns->root;
	struct at_below below;
	__u64 ns;
	__u32 number;

	if (mount == first) {
		w->state = AT_WALK_DONE;
		return;
	}
	at_read_below(&below, mount);
	if (below.parent == (__u64)first && below.mountpoint == (__u64)first->mnt.mnt_root) {
		w->state = AT_WALK_DONE;
		return;
	}
	if (below.parent != (__u64)mount) {
		w->dentry = below.mountpoint;
		at_enter_mount(w, below.parent + bpf_core_field_offset(struct mount, mnt));
		return;
	}
	ns = AT_READ(mount, mnt_ns);
	if (ns == MNT_NS_INTERNAL) {
		w->state = AT_WALK_INTERNAL;
		return;
	}
	/* Detached mounts have no namespace, clones by open_tree an anonymous one: without a number, or all with the same. */
	number = ns ? AT_READ_HALF((const struct mnt_namespace *)ns, ns.inum) : 0;
	w->state = number && number != MNT_NS_ANON_INO ? AT_WALK_DONE : AT_WALK_UNREACHABLE;
}

/* Inside a filesystem: is this the root that the path counts from? */
static __always_inline bool at_filesystem_root(struct at_walk *w, __u64 parent)
{
	const struct dentry *dentry = (const struct dentry *)w->dentry;
	const __u64 root_ino = w->root;
	__u64 at;

	if (root_ino) {
		at = AT_READ(dentry, d_inode);
		if (at && AT_READ((const struct inode *)at, i_ino) == root_ino) {
			w->state = AT_WALK_DONE;
			return true;
		}
	}
	if (parent != w->dentry)
		return false;
	at = AT_READ(dentry, d_sb);
	if (AT_READ((const struct super_block *)at, s_root) != w->dentry)
		w->state = AT_WALK_UNREACHABLE;
	else
		w->state = root_ino ? AT_WALK_OUTSIDE : AT_WALK_DONE;
	return true;
}

static __always_inline bool at_read_component(struct at_component *c, __u64 address)
{
	const struct dentry *dentry = (const struct dentry *)address;

	if (bpf_core_field_offset(struct dentry, d_name) == bpf_core_field_offset(struct dentry, d_parent) + 8)
		return !bpf_probe_read_kernel(c, 24, (void *)dentry + bpf_core_field_offset(struct dentry, d_parent));
	return !bpf_core_read(&c->parent, sizeof(c->parent), &dentry->d_parent) &&
	       !bpf_core_read(&c->hash, 16, &dentry->d_name);
}

/* One step: true where `c` is a component. Otherwise a mount was crossed, or the walk is over (`w->state`). */
static __always_inline bool at_step(struct at_walk *w, struct at_component *c)
{
	if (w->mnt && w->dentry == w->root) {
		at_cross(w);
		return false;
	}
	if (!at_read_component(c, w->dentry)) {
		w->state = AT_WALK_UNREACHABLE;
		return false;
	}
	if (!w->mnt && at_filesystem_root(w, c->parent))
		return false;
	if (c->parent == w->dentry || c->length > AT_NAME_MAX) {
		w->state = AT_WALK_UNREACHABLE;
		return false;
	}
	return true;
}

/*
 * Takes a dentry and its sequence number into the fingerprint. The counting pass reads the number before the dentry,
 * the others when they are done with it. Where nothing is renamed there is no need of either.
 */
static __always_inline void at_note_step(struct at_walk *w, __u64 dentry, __u32 sequence)
{
	w->print = at_mix(w->print, dentry ^ ((__u64)sequence << 40));
}

/* `root_ino`: inode of the directory that paths inside the filesystem count from; 0: the filesystem's own root. */
static __always_inline void at_begin_walk(struct at_walk *w, const struct at_place *place, __u64 root_ino)
{
	w->state = AT_WALK_GOING;
	w->flags &= ~AT_WALK_CROSSED;
	w->print = 0;
	w->dentry = place->dentry;
	w->depth = place->count;
	if (place->within) {
		w->mnt = 0;
		w->root = root_ino;
	} else {
		at_enter_mount(w, place->mnt);
	}
}

#endif
