/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and user space agree on, byte by byte: keys and values of the shared maps and the records of
 * the rings. Included by the programs, by the addon and by the tests on the host. Little-endian; every struct is
 * naturally aligned and has no hidden padding (asserted at the end). `native` checks that it was built from the same
 * AT_LAYOUT_VERSION as the maps that it finds pinned.
 */
#ifndef AT_LAYOUT_H
#define AT_LAYOUT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define AT_LAYOUT_VERSION 2

#define AT_NAME_MAX 255        /* bytes of one component of a path */
#define AT_PATH_MAX 4095       /* bytes of a path that a rule may name and an event carries */
#define AT_DEPTH_MAX 128       /* components of a path */
#define AT_PROFILES_MAX 16     /* profiles of limits */
#define AT_COMM_MAX 16
#define AT_TTY_MAX 64

/* Kinds of rules; a posture each. */
enum at_kind { AT_KIND_PROCESS, AT_KIND_FILE, AT_KIND_NETWORK, AT_KIND_CAPABILITY, AT_KINDS };

/* What of a rule is compared. */
enum at_match {
	AT_MATCH_EXACT,         /* the whole path */
	AT_MATCH_EXECNAME,      /* its last component; process rules only */
	AT_MATCH_DIR,           /* the directory itself and what lies directly in it */
	AT_MATCH_DIR_RECURSIVE, /* the directory itself and all that lies below */
	AT_MATCH_PROTOCOL,      /* enum at_protocol */
	AT_MATCH_CAPABILITY,    /* number of the capability */
};

/* Names of the policy schema; one operation on a socket may match several (tcp, stream, all). */
enum at_protocol {
	AT_PROTOCOL_ALL, AT_PROTOCOL_TCP, AT_PROTOCOL_UDP, AT_PROTOCOL_RAW, AT_PROTOCOL_ICMP, AT_PROTOCOL_ICMPV6,
	AT_PROTOCOL_SCTP, AT_PROTOCOL_STREAM, AT_PROTOCOL_DGRAM, AT_PROTOCOL_RDM, AT_PROTOCOL_SEQPACKET,
	AT_PROTOCOL_DCCP, AT_PROTOCOL_PACKET, AT_PROTOCOLS,
};

/* In order of precedence at equal rank. */
enum at_action { AT_ACTION_BLOCK, AT_ACTION_AUDIT, AT_ACTION_ALLOW, AT_ACTIONS };

/*
 * Bits that narrow a rule. Block and Audit rules: readOnly leaves reads alone, ownerOnly leaves the owner alone; with
 * both, a write by anyone and any access of another match. Allow rules: readOnly allows reads only, ownerOnly allows
 * the owner only; with both, reads of the owner only.
 */
#define AT_COND_READ_ONLY 1
#define AT_COND_OWNER_ONLY 2
#define AT_CONDS 4

/* What a posture does with what no rule matched, where the kind has an Allow rule. */
enum at_posture { AT_POSTURE_NONE, AT_POSTURE_AUDIT, AT_POSTURE_BLOCK };

/* Rule numbers: 0 is none, this one stands for the default posture. */
#define AT_RULE_POSTURE 0xffffffffu

/* Features of one kind in a rule set, so that the programs do no work that no rule asks for. */
#define AT_HAS_RULES 0x1
#define AT_HAS_EXACT 0x2
#define AT_HAS_EXECNAME 0x4
#define AT_HAS_DIR 0x8
#define AT_HAS_SOURCE 0x10     /* some rule of this kind has a fromSource */
#define AT_HAS_NO_SOURCE 0x20  /* some rule of this kind has none */
#define AT_HAS_BLOCK 0x40      /* some Block rule, or posture block */
#define AT_HAS_WRITE_BLOCK 0x80 /* some rule that may refuse writes through descriptors that are open already */
#define AT_HAS_OWNER 0x100     /* some rule has ownerOnly */

/* Map rulesets: ARRAY, u32 number -> */
struct at_ruleset {
	/* Depths (number of components, 0 = "/") at which directory rules lie: [process|file][without|with source]. */
	__u64 dir_depths[2][2][3];
	__u32 features[AT_KINDS];  /* AT_HAS_* */
	__u8 posture[AT_KINDS];    /* enum at_posture; already AT_POSTURE_NONE where there is no Allow rule */
	__u8 audited;              /* Block and Allow are audited only: `Audit (Block)`, `Audit (Allow)` */
	__u8 hints;                /* the container has Block path rules: their ancestors are in map `hints` */
	__u8 pad[2];
};

/* Map rules: HASH. Hashes are those of include/hash.h under the secret in `settings`. */
struct at_rule_key {
	__u64 hash;        /* of the path, of the last component, or the number of protocol or capability */
	__u64 source_hash; /* of the executable in fromSource; 0 without */
	__u32 ruleset;
	__u8 kind;         /* enum at_kind */
	__u8 match;        /* enum at_match */
	__u16 depth;       /* components of the path; 0 for the other matches */
};

struct at_rule {
	__u32 rule[AT_ACTIONS][AT_CONDS]; /* numbers of rules; 0: none with that action under these conditions */
	__u32 names;         /* index in map `names` of the first component, to confirm a hit against the whole path */
	__u32 source_names;  /* the same of the source */
	__u16 name_count;    /* 0 where the hash is the thing itself (protocol, capability) */
	__u16 source_name_count;
};

/* Map names: ARRAY, components of the paths of rules, those of one path one after the other from the root. */
struct at_name {
	__u64 length;
	char text[AT_NAME_MAX + 1]; /* zero-padded */
};

/* Map hints: HASH; ancestors of paths under Block rules: not to be renamed, exchanged or mounted over. */
struct at_hint_key {
	__u64 hash;
	__u32 ruleset;
	__u32 depth;
};
struct at_hint {
	__u32 rule;   /* the Block rule whose alert is raised */
	__u32 names;
	__u32 name_count;
	__u32 kind;
};

/* Map members: HASH, cgroup id (of a container or of a cgroup below it) -> */
struct at_member {
	__u64 container; /* cgroup id under which the container was registered */
	__u32 slot;      /* index in map `containers` */
	__u32 pad;
};

/* Map containers: ARRAY, slot -> ; written by user space, but for the last two. */
struct at_container {
	__u64 container;   /* cgroup id; 0 where the slot is free */
	__u64 ruleset;     /* number; ~0: none. One aligned word: a rule set is replaced in one access */
	__u32 profile;     /* of limits */
	__u32 flags;       /* AT_CONTAINER_* */
	__u32 pid_ns;      /* inode numbers, for people */
	__u32 mnt_ns;
	__u64 root_dev;    /* s_dev of the root filesystem, kernel encoding; 0: unknown */
	__u64 root_ino;    /* inode of the root directory in that filesystem; 0: the filesystem's own root */
	__s32 children;     /* cgroups below it that programs have made members, less those that have gone */
	__u32 children_max; /* from then on its cgroups are no members, and found by their ancestors */
};
#define AT_CONTAINER_PRIVILEGED 0x1 /* may mount and pivot_root */
#define AT_CONTAINER_GATED 0x2      /* frozen until its rules are in */
/* Set by whoever registers a container before its first exec, cleared in the kernel by that exec: until then its tasks
 * are the runtime, which mounts, pivots and opens what no rule is about. */
#define AT_CONTAINER_STARTING 0x4

/*
 * The limits of one profile: one aligned word, read and written in one access.
 *   bit 63: on | 62..46: maxAlertPerSec | 45..29: throttleSec | 28..20: generation, raised by each "off" | 19..0: revision
 */
#define AT_LIMITS_ON(word) ((__u32)((word) >> 63))
#define AT_LIMITS_MAX_ALERT_PER_SEC(word) ((__u32)((word) >> 46) & 0x1ffff)
#define AT_LIMITS_THROTTLE_SEC(word) ((__u32)((word) >> 29) & 0x1ffff)
#define AT_LIMITS_GENERATION(word) ((__u32)((word) >> 20) & 0x1ff)
#define AT_LIMITS_VERSION(word) ((__u32)(word) & 0x1fffffff)

/* Map settings: ARRAY of one. */
struct at_settings {
	__u64 hash_secret[2];
	__u64 limits[AT_PROFILES_MAX];
	__s64 realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME, sampled by user space each second */
	__u32 layout_version;
	__u32 active;             /* generation of the set of programs that decides and emits; AT_ACTIVE_* */
	__u32 fail_closed;        /* FAIL_MODE=closed */
	__u32 init_mnt_ns;        /* inode number of the host's mount namespace, /proc/1/ns/mnt */
};

/* In `active`, of a set that is a bridge: it takes over the windows from the map of the set before (handover.bpf.h). */
#define AT_ACTIVE_MOVING 0x80000000u

/* What the records of the rings are. */
enum at_event_type {
	AT_EVENT_ALERT = 1,
	AT_EVENT_THRESHOLD,
	AT_EVENT_THRESHOLD_ENDED,
	AT_EVENT_CGROUP_CREATED, /* text 0: path of the cgroup from the root of the hierarchy; arg[0]: id of its parent (low, high) */
	AT_EVENT_CGROUP_REMOVED,
	AT_EVENT_TAMPERING,      /* a process of a container tried to open our maps, programs or links */
	AT_EVENT_LOST,           /* events that a ring did not take; each is announced once (struct at_lost_event) */
};

enum at_ring { AT_RING_ENFORCEMENT, AT_RING_AUDIT, AT_RINGS };

enum at_operation {
	AT_OP_NONE,
	/* process */
	AT_OP_EXEC, AT_OP_MAP_EXEC,
	/* file */
	AT_OP_OPEN, AT_OP_RECEIVE, AT_OP_CREATE, AT_OP_UNLINK, AT_OP_RENAME_FROM, AT_OP_RENAME_TO, AT_OP_LINK_FROM,
	AT_OP_LINK_TO, AT_OP_SYMLINK, AT_OP_MKDIR, AT_OP_RMDIR, AT_OP_CHMOD, AT_OP_CHOWN, AT_OP_TRUNCATE, AT_OP_WRITE,
	AT_OP_MAP_WRITE, AT_OP_MOUNT, AT_OP_MOVE_MOUNT, AT_OP_PIVOT_ROOT,
	/* network */
	AT_OP_SOCKET_CREATE, AT_OP_SOCKET_CONNECT, AT_OP_SOCKET_ACCEPT,
	/* capabilities */
	AT_OP_CAPABLE,
	AT_OP_BPF,
	AT_OPS,
};

#define AT_EVENT_UNREACHABLE 0x1 /* the path has no end at the root: text 0 is its known tail */
#define AT_EVENT_TRUNCATED 0x2   /* a text did not fit */
#define AT_EVENT_AUDITED 0x4     /* an audited pod's rule */
#define AT_EVENT_OVERFLOW 0x8    /* of the window that newcomers share when the map is full */
#define AT_EVENT_HINT 0x10       /* refused to protect an ancestor of the rule's path */
#define AT_EVENT_WRITE 0x20      /* the access was a write */

/* Begins every record of both rings; `size` bytes with what follows. */
struct at_event_head {
	__u64 number;     /* per ring, from 1; a missing number is a lost event */
	__u64 time_ns;    /* bpf_ktime_get_boot_ns */
	__u64 container;  /* cgroup id of the container; of the cgroup itself in AT_EVENT_CGROUP_* */
	__u32 size;
	__u16 type;       /* enum at_event_type */
	__u16 operation;  /* enum at_operation */
};

/* Texts of an event, in this order, right after the struct, without a zero at the end. */
enum at_text { AT_TEXT_RESOURCE, AT_TEXT_PROCESS, AT_TEXT_PARENT, AT_TEXT_CWD, AT_TEXTS };

struct at_event {
	struct at_event_head head;
	__s32 result;     /* 0, -EACCES, -EPERM */
	__u32 rule;       /* number of the rule, or AT_RULE_POSTURE */
	__u32 flags;      /* AT_EVENT_* */
	__u32 kind;       /* enum at_kind */
	__u32 host_pid;   /* tgid in the initial namespace; pid and ppid as the container sees them */
	__u32 host_ppid;
	__u32 pid;
	__u32 ppid;
	__u32 uid;        /* in the initial user namespace */
	__u32 pid_ns;
	__u32 mnt_ns;
	__u32 arg[4];     /* network: family, type, protocol, port; capability: number; open: flags; path in the other name of rename */
	__u16 text_length[AT_TEXTS];
	char comm[AT_COMM_MAX];
	char parent_comm[AT_COMM_MAX];
	char tty[AT_TTY_MAX];
	__u32 pad;
};

#define AT_RULES_COUNTED 8 /* first rules that dropped in an interval, each with a counter; the rest is "other" */

/* AT_EVENT_THRESHOLD (figures at the crossing) and AT_EVENT_THRESHOLD_ENDED (of the whole interval). */
struct at_threshold_event {
	struct at_event_head head;  /* time_ns: the crossing, or the end of the interval */
	__u64 interval_start_ns;
	__u64 interval_end_ns;
	__u64 dropped;
	__u64 first_dropped_ns;
	__u64 last_dropped_ns;
	__u64 limits;               /* the word in force at the crossing */
	__u64 dropped_by_operation[AT_OPS + 1]; /* the last one is unused, for alignment */
	__u64 dropped_by_rule[AT_RULES_COUNTED];
	__u32 rules[AT_RULES_COUNTED];
	__u64 dropped_by_other_rules;
	__u64 containers;           /* in the overflow window */
	__u64 crossings;            /* 1, or of how many intervals this is the sum: more ended unreported than are kept apart */
	__u64 lost;                 /* alerts that passed since the container's report before, and that the ring did not take */
	__u32 flags;
	__u32 profile;
	__u32 ended_by;             /* enum at_ended_by */
	__u32 trigger_rule;
	__u32 trigger_operation;
	__u32 trigger_host_pid;
	char trigger_comm[AT_COMM_MAX];
};

/* AT_EVENT_LOST, in the ring that lost them. head.time_ns: when it was announced; head.container 0: of no one container. */
struct at_lost_event {
	struct at_event_head head;
	__u64 count;
	__u64 first_ns;
	__u64 last_ns;
};

enum at_ended_by { AT_ENDED_BY_NONE, AT_ENDED_BY_EXPIRED, AT_ENDED_BY_LIMITS, AT_ENDED_BY_POLICY, AT_ENDED_BY_CONTAINER };

/* Map counters: PERCPU_ARRAY of u64. */
enum at_counter {
	AT_COUNTER_MATCHED,          /* alerts that a rule or a posture called for */
	AT_COUNTER_EMITTED,
	AT_COUNTER_LOST,             /* passed the throttle, but the ring (or its share) was full */
	AT_COUNTER_DROPPED,          /* throttled */
	AT_COUNTER_AUDIT_EMITTED,
	AT_COUNTER_AUDIT_LOST,
	AT_COUNTER_UNREACHABLE_ALLOWED,
	AT_COUNTER_UNREACHABLE_REFUSED,
	AT_COUNTER_MOUNTS_ALLOWED,
	AT_COUNTER_SCRATCH_MISSED,   /* no scratch was free: the event went without texts */
	AT_COUNTER_WALK_RETRIED,     /* a rename raced a walk */
	AT_COUNTER_OVERFLOWED,       /* decisions in the shared window */
	AT_COUNTER_TAMPERING,
	AT_COUNTER_REFUSED_BY_OTHERS, /* AppArmor refused what no rule of ours would have */
	AT_COUNTER_UNENFORCED,        /* a Block rule matched, and AppArmor let it through */
	AT_COUNTERS,
};

#endif
