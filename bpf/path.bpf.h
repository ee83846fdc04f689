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
#ifndef AT_PATH_BPF_H
#define AT_PATH_BPF_H

#include "maps.bpf.h"
#include "window.bpf.h"
#include <bpf/bpf_core_read.h>
#include "hash.h"

#define AT_STEPS_MAX (AT_DEPTH_MAX + 32) /* components and mounts of one walk */
#define AT_PARTIALS 4                    /* ancestors of which one pass remembers the hash */
#define AT_DEPTH_WORDS 3                 /* of a bitmap of depths */

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
	__u64 mnt, root, dentry; /* where it is, and the root of that mount */
	__u64 print;
	__u64 root_ino;          /* inside the filesystem: the container's root, or 0 for the filesystem's own */
	__u64 sum;               /* of the components passed, as if the last one passed were the first */
	__u64 last;              /* hash of the last component */
	__u64 partial[AT_PARTIALS]; /* the same below an ancestor */
	__u32 ruleset;
	__u32 names;             /* to confirm: index of the component at depth `low` */
	__u8 depths[AT_PARTIALS];
	__u16 depth;             /* of the component at hand */
	__u16 length;
	__u8 partials;
	__u8 state;
	__u8 low, high;
	__u8 differs;
	__u8 select;             /* which of a rule set's bitmaps, + 1; 0: none */
	__u8 limit;              /* only ancestors above this depth */
	__u8 flags;              /* AT_WALK_* */
};

#define AT_WALK_CROSSED 1 /* has left the mount that it began in */
#define AT_WALK_CALM 2    /* nothing was renamed so far, as rename_lock tells: numbers are not read */
#define AT_WALK_HASHED 4  /* the file's path has its hash from a pass that counted as well */

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

struct at_words { __u64 word[AT_HASH_WORDS]; };

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

/* The root of mount `w->mnt` is reached: goes on in the mount below it, or ends. */
static __always_inline void at_cross(struct at_walk *w)
{
	const struct mount *mount = (const struct mount *)at_mount_of(w->mnt);
	struct at_below below;
	__u64 ns;

	at_read_below(&below, mount);
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
	/* Detached mounts have no namespace, clones by open_tree an anonymous one, which has no number. */
	w->state = ns && AT_READ_HALF((const struct mnt_namespace *)ns, ns.inum) ? AT_WALK_DONE : AT_WALK_UNREACHABLE;
}

/* Inside a filesystem: is this the root that the path counts from? */
static __always_inline bool at_filesystem_root(struct at_walk *w, __u64 parent)
{
	const struct dentry *dentry = (const struct dentry *)w->dentry;
	__u64 at;

	if (w->root_ino) {
		at = AT_READ(dentry, d_inode);
		if (at && AT_READ((const struct inode *)at, i_ino) == w->root_ino) {
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
		w->state = w->root_ino ? AT_WALK_OUTSIDE : AT_WALK_DONE;
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
 * the others when they are done with it.
 */
static __always_inline void at_note_step(struct at_walk *w, __u32 sequence)
{
	w->print = at_mix(w->print, w->dentry ^ ((__u64)sequence << 40));
}

static __always_inline void at_begin_walk(struct at_walk *w, const struct at_place *place)
{
	w->state = AT_WALK_GOING;
	w->flags &= ~AT_WALK_CROSSED;
	w->print = 0;
	w->dentry = place->dentry;
	w->depth = place->count;
	if (place->within)
		w->mnt = 0;
	else
		at_enter_mount(w, place->mnt);
}

struct at_walk_context { struct at_walk *walk; };

/* The walk goes on without a component: notes how far it came in the mount that it began in. 1 where it is over. */
static __always_inline long at_note_crossing(struct at_walk *w)
{
	if (!(w->flags & AT_WALK_CROSSED))
		w->low = w->depth;
	w->flags |= AT_WALK_CROSSED;
	return w->state != AT_WALK_GOING;
}

/* Counts a component; 1 where the path is too long. */
static __always_inline long at_count_component(struct at_walk *w, const struct at_component *c)
{
	if (w->depth == AT_DEPTH_MAX || w->length + 1 + c->length > AT_PATH_MAX) {
		w->state = AT_WALK_UNREACHABLE;
		return 1;
	}
	w->depth++;
	w->length += 1 + c->length;
	w->dentry = c->parent;
	return 0;
}

static long at_count_step(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	const __u32 sequence = w->flags & AT_WALK_CALM ? 0 : at_sequence(w->dentry);
	struct at_component c;

	if (!at_step(w, &c))
		return at_note_crossing(w);
	if (sequence & 1) {
		w->state = AT_WALK_RACED;
		return 1;
	}
	at_note_step(w, sequence);
	w->sum = w->print; /* mounts above the first component are of no account */
	return at_count_component(w, &c);
}

static __always_inline void at_begin_count(struct at_walk *w, struct at_place *place)
{
	place->count = 0;
	w->length = 0;
	at_begin_walk(w, place);
}

static __always_inline void at_end_of_count(const struct at_walk *w, struct at_place *place)
{
	place->count = w->depth;
	place->inside = w->low;
	place->length = w->length;
	place->state = w->state == AT_WALK_GOING ? AT_WALK_UNREACHABLE : w->state;
}

/* First pass: fills all of `place` but the hash. */
__noinline int at_walk_count(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	at_begin_count(w, place);
	bpf_loop(AT_STEPS_MAX, at_count_step, &context, 0);
	at_end_of_count(w, place);
	place->print = w->sum;
	return 0;
}

/* Reads up to 32 bytes of a name, padded with zeros. */
static __always_inline void at_read_words(struct at_words *words, __u64 name, __u32 length, __u32 from)
{
	__u32 size = length - from;

	__builtin_memset(words, 0, sizeof(*words));
	barrier_var(size); /* the comparison has to be with the very register that is passed on */
	if (size > sizeof(*words))
		size = sizeof(*words);
	bpf_probe_read_kernel(words, size, (void *)(name + from));
}

/* The keyed hash of a component in the kernel's memory. Global, so that the verifier looks at it once. */
__noinline __u64 at_hash_component(__u64 name, __u32 length)
{
	const struct at_settings *settings = at_settings();
	struct at_words words;
	__u64 hash;

	if (!settings)
		return 0;
	hash = at_hash_begin(settings->hash_secret, length);
	for (__u32 from = 0; from < AT_NAME_MAX; from += sizeof(words)) {
		if (from >= length)
			break;
		at_read_words(&words, name, length, from);
		hash = at_hash_block(hash, words.word);
	}
	return at_hash_end(hash);
}

/* Horner's rule: what was below is now one component further down. */
static __always_inline __u64 at_hash_append(__u64 below, __u64 component)
{
	const struct at_settings *settings = at_settings();

	return settings ? below * at_hash_step(settings->hash_secret) + component : 0;
}

/* The hash of the ancestor at `depth`, from the hash of the path and the sum of what lies below the ancestor. */
__noinline __u64 at_ancestor_hash(__u64 path, __u64 below, __u32 depth)
{
	const struct at_settings *settings = at_settings();

	return settings ? path - below * at_hash_power(at_hash_step(settings->hash_secret), depth + 1) : 0;
}

/* Does the rule set have a directory at this depth? `select` - 1 counts through dir_depths[kind][source]. */
static __always_inline bool at_has_directory(const struct at_walk *w, __u32 depth)
{
	__u32 select = w->select, ruleset = w->ruleset, word;
	const struct at_ruleset *set;

	if (!select || depth >= w->limit || w->partials >= AT_PARTIALS)
		return false;
	set = bpf_map_lookup_elem(&rulesets, &ruleset);
	if (!set)
		return false;
	word = (select - 1) * AT_DEPTH_WORDS + (depth >> 6);
	if (word >= sizeof(set->dir_depths) / sizeof(__u64))
		return false;
	return ((const __u64 *)set->dir_depths)[word] >> (depth & 63) & 1;
}

static __always_inline void at_note_partial(struct at_walk *w, __u32 depth)
{
	__u32 at = w->partials;

	if (!at_has_directory(w, depth) || at >= AT_PARTIALS)
		return;
	w->partial[at] = w->sum;
	w->depths[at] = depth;
	w->partials = at + 1;
}

/* The component at hand is done with: 1 if it was the first of the path. */
static __always_inline long at_end_step(struct at_walk *w, const struct at_component *c)
{
	at_note_step(w, w->flags & AT_WALK_CALM ? 0 : at_sequence(w->dentry));
	w->dentry = c->parent;
	return --w->depth == 0;
}

static long at_hash_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;
	__u64 hash;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	hash = at_hash_component(c.name, c.length);
	if (!w->last)
		w->last = hash;
	at_note_partial(w, w->depth);
	w->sum = at_hash_append(w->sum, hash);
	return at_end_step(w, &c);
}

/* Begins a pass over a path that was counted; true where there is anything to pass. */
static __always_inline bool at_begin_pass(struct at_walk *w, const struct at_place *place)
{
	at_begin_walk(w, place);
	return place->count;
}

/* Was the pass over the path that was counted? Otherwise it was renamed meanwhile. */
static __always_inline bool at_end_pass_over(struct at_walk *w, const struct at_place *place)
{
	const bool same = !place->count || (!w->depth && w->print == place->print);

	w->state = same ? AT_WALK_DONE : AT_WALK_RACED;
	return same;
}

static long at_hash_and_count(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;
	__u64 hash;

	if (!at_step(w, &c))
		return at_note_crossing(w);
	hash = at_hash_component(c.name, c.length);
	if (!w->last)
		w->last = hash;
	w->sum = at_hash_append(w->sum, hash);
	at_note_step(w, 0);
	w->partial[0] = w->print; /* as w->sum in at_count_step; there are no partial sums here */
	return at_count_component(w, &c);
}

/* Both passes in one, for when nothing is renamed and no ancestor's hash is asked for. */
__noinline int at_walk_calm(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	w->last = 0;
	w->partials = 0;
	w->partial[0] = 0;
	at_begin_count(w, place);
	bpf_loop(AT_STEPS_MAX, at_hash_and_count, &context, 0);
	at_end_of_count(w, place);
	place->print = w->partial[0];
	place->hash = at_hash_append(w->sum, 0);
	w->flags |= AT_WALK_HASHED;
	return 0;
}

/*
 * Second pass: the hash of the path, of its last component, and the sums below those ancestors that the rule set has
 * directories at: the deepest AT_PARTIALS of them above `w->limit`. Ends in AT_WALK_DONE or AT_WALK_RACED.
 */
__noinline int at_walk_hash(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->sum = 0;
	w->last = 0;
	w->partials = 0;
	if (at_begin_pass(w, place))
		bpf_loop(AT_STEPS_MAX, at_hash_loop, &context, 0);
	if (!at_end_pass_over(w, place))
		return 0;
	at_note_partial(w, 0);
	place->hash = at_hash_append(w->sum, 0);
	return 0;
}

/* Is a component that of map `names` at `index`? */
__noinline int at_same_name(__u64 text, __u32 length, __u32 index)
{
	const struct at_name *name = bpf_map_lookup_elem(&names, &index);
	struct at_words words;

	if (!name || name->length != length)
		return 0;
	for (__u32 from = 0; from < AT_NAME_MAX; from += sizeof(words)) {
		if (from >= length)
			break;
		at_read_words(&words, text, length, from);
		for (int i = 0; i < AT_HASH_WORDS; i++)
			if (words.word[i] != *(__u64 *)(name->text + from + i * 8))
				return 0;
	}
	return 1;
}

static long at_confirm_loop(__u32 index, struct at_walk_context *context)
{
	struct at_walk *w = context->walk;
	struct at_component c;

	if (!at_step(w, &c))
		return w->state != AT_WALK_GOING;
	if (w->depth >= w->low && w->depth <= w->high &&
	    !at_same_name(c.name, c.length, w->names + w->depth - w->low))
		w->differs = 1;
	return at_end_step(w, &c);
}

/* Compares the components from `w->low` to `w->high` with those in map `names` from `w->names` on: 1 where they agree. */
__noinline int at_walk_confirm(struct at_place *place, struct at_walk *w)
{
	struct at_walk_context context = { w };

	if (!place || !w)
		return 0;
	w->differs = 0;
	if (at_begin_pass(w, place))
		bpf_loop(AT_STEPS_MAX, at_confirm_loop, &context, 0);
	return at_end_pass_over(w, place) && !w->differs;
}

#endif
