/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A little kernel for the programs that run on the host: one task, and files with their dentries and mounts. Everything
 * is made anew for each access, so that the sanitizers tell what belongs to an earlier one. Renames go in small steps,
 * each before a certain look at memory: what is seen then is what another CPU would show.
 */
#ifndef AT_HOST_WORLD_H
#define AT_HOST_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#define HOST_CHAIN_MAX 300
#define HOST_NAME_ROOM 320 /* the kernel reads names in words, and a name and its length are not renamed in one access */
#define HOST_RENAME_STEPS 7

extern __u32 host_rename_lock __asm__("rename_lock");
__asm__(".data\n.weak rename_lock\n.balign 8\nrename_lock: .long 1, 0\n.text\n");

struct host_rename {
	struct dentry *dentry;
	char *name;
	__u32 length;
	__u32 at[HOST_RENAME_STEPS]; /* before which look each step is taken, in order */
	__u32 done;
};

static struct host_world {
	void *made[4096];
	__u32 made_count;
	__u32 looks;
	struct host_rename renames[8];
	__u32 rename_count;
	struct dentry *chain[HOST_CHAIN_MAX]; /* of the path that was made first: component 1 .. */
	__u32 chain_count;
} world;

static void *host_make(size_t size)
{
	void *made = calloc(1, size);

	if (!made || world.made_count == sizeof(world.made) / sizeof(*world.made))
		abort();
	world.made[world.made_count++] = made;
	return made;
}

static void host_forget(void)
{
	while (world.made_count)
		free(world.made[--world.made_count]);
	memset(&world, 0, sizeof(world));
}

static void host_take_step(struct host_rename *rename)
{
	switch (rename->done++) {
	case 0: host_rename_lock += host_rename_lock & 1 ? 0 : 1; break;
	case 1: rename->dentry->d_seq.seqcount.sequence++; break;
	case 2: rename->dentry->d_name.name = (const unsigned char *)rename->name; break;
	case 3: rename->dentry->d_name.hash++; break;
	case 4: rename->dentry->d_name.len = rename->length; break;
	case 5: rename->dentry->d_seq.seqcount.sequence++; break;
	}
}

/* Renames follow one another: nobody else renames while rename_lock is held. */
static void host_tick(bool calm)
{
	world.looks++;
	for (__u32 i = 0; i < world.rename_count; i++) {
		struct host_rename *rename = &world.renames[i];

		while (rename->done < HOST_RENAME_STEPS && rename->at[rename->done] <= world.looks) {
			if (rename->done == 6)
				host_rename_lock += calm ? 1 : 0;
			host_take_step(rename);
		}
		if (rename->done < HOST_RENAME_STEPS)
			return;
	}
}

static __u32 host_renames_begun(void)
{
	__u32 begun = 0;

	while (begun < world.rename_count && world.renames[begun].done > 0)
		begun++;
	return begun;
}

static struct dentry *host_dentry(struct dentry *parent, struct super_block *sb, const char *name, __u32 length)
{
	struct dentry *dentry = host_make(sizeof(*dentry));
	char *text = host_make(HOST_NAME_ROOM);

	memcpy(text, name, length);
	/* What lies behind a name is no part of it. */
	memset(text + length, '#', HOST_NAME_ROOM - length);
	dentry->d_parent = parent ? parent : dentry;
	dentry->d_name.name = (const unsigned char *)text;
	dentry->d_name.len = length;
	dentry->d_sb = sb;
	dentry->d_inode = host_make(sizeof(*dentry->d_inode));
	dentry->d_inode->i_mode = 0040000;
	dentry->d_inode->i_ino = 1000 + world.made_count;
	dentry->d_inode->i_sb = sb;
	return dentry;
}

static struct super_block *host_filesystem(dev_t dev)
{
	struct super_block *sb = host_make(sizeof(*sb));

	sb->s_dev = dev;
	sb->s_root = host_dentry(0, sb, "/", 1);
	return sb;
}

/* Adds the components of a path below a dentry; notes them in the chain where `note`. */
static struct dentry *host_components(struct dentry *at, const char *path, __u32 length, bool note)
{
	for (__u32 from = 0; from < length;) {
		__u32 end = from;

		while (end < length && path[end] != '/')
			end++;
		if (end > from) {
			at = host_dentry(at, at->d_sb, path + from, end - from);
			if (note && world.chain_count < HOST_CHAIN_MAX)
				world.chain[world.chain_count++] = at;
		}
		from = end + 1;
	}
	return at;
}

static struct mount *host_mount(struct mount *parent, struct dentry *on, struct dentry *root, struct mnt_namespace *ns)
{
	struct mount *mount = host_make(sizeof(*mount));

	mount->mnt_parent = parent ? parent : mount;
	mount->mnt_mountpoint = on ? on : root;
	mount->mnt.mnt_root = root;
	mount->mnt.mnt_sb = root->d_sb;
	mount->mnt_ns = ns;
	return mount;
}

#endif
