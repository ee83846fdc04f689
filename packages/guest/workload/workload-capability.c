/* For each capability something that needs it, and does no harm where it is allowed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "workload.h"

/* A file of the probing user, in a folder that everybody may write. */
static int scratch(char *path)
{
	strcpy(path, "/tmp/workload-XXXXXX");
	return mkostemp(path, O_CLOEXEC);
}

static long with_file(long (*act)(int descriptor, const char *path))
{
	char path[32];
	int descriptor = scratch(path);
	long result = descriptor < 0 ? -1 : act(descriptor, path);
	int reason = errno;

	if (descriptor >= 0) {
		close(descriptor);
		unlink(path);
	}
	errno = reason;
	return result;
}

static long give_away(int descriptor, const char *path)
{
	(void)path;
	return fchown(descriptor, 4242, -1);
}

static long probe_chown(void)
{
	return with_file(give_away);
}

static long probe_net_raw(void)
{
	int one = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	return one < 0 ? -1 : close(one);
}

static long probe_net_bind_service(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(799) };
	int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long result = one < 0 ? -1 : bind(one, (struct sockaddr *)&address, sizeof(address));
	int reason = errno;

	close(one);
	errno = reason;
	return result;
}

static long probe_net_admin(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (one < 0 || ioctl(one, SIOCGIFFLAGS, &request) != 0)
		return -1;
	long result = ioctl(one, SIOCSIFFLAGS, &request);
	int reason = errno;
	close(one);
	errno = reason;
	return result;
}

static long probe_sys_admin(void)
{
	char name[64];

	return gethostname(name, sizeof(name)) != 0 ? -1 : sethostname(name, strlen(name));
}

static long probe_sys_chroot(void)
{
	return chroot("/");
}

static long probe_setuid(void)
{
	/* To another one and back, so that nothing is left of it. */
	return setresuid(-1, 4242, 0) != 0 ? -1 : setresuid(-1, 0, 0);
}

static long probe_setgid(void)
{
	return setresgid(-1, 4242, 0) != 0 ? -1 : setresgid(-1, 0, 0);
}

static long probe_sys_nice(void)
{
	struct sched_param first = { .sched_priority = 1 }, none = { 0 };

	/* setpriority would do too, but gives a reason of its own, EACCES. */
	return sched_setscheduler(0, SCHED_FIFO, &first) != 0 ? -1 : sched_setscheduler(0, SCHED_OTHER, &none);
}

static long probe_sys_time(void)
{
	struct timeval now;

	return gettimeofday(&now, NULL) != 0 ? -1 : settimeofday(&now, NULL);
}

static long probe_sys_resource(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -1;
	limit.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static long probe_syslog(void)
{
	return klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0) < 0 ? -1 : klogctl(8, NULL, 4) < 0 ? -1 : 0;
}

static long probe_sys_module(void)
{
	/* Allowed, there is no such module. */
	long result = syscall(SYS_delete_module, "workload_none", O_NONBLOCK);

	return result != 0 && errno == ENOENT ? 0 : result;
}

static long probe_sys_rawio(void)
{
	return ioperm(0x80, 1, 1);
}

static long probe_sys_pacct(void)
{
	return syscall(SYS_acct, NULL);
}

static long probe_mknod(void)
{
	unlink("/tmp/workload-device");
	return mknod("/tmp/workload-device", S_IFCHR | 0600, makedev(1, 3)) != 0 ? -1 : unlink("/tmp/workload-device");
}

static long probe_ipc_lock(void)
{
	struct rlimit none = { 0, 4096 };
	long result = setrlimit(RLIMIT_MEMLOCK, &none) != 0 ? -1 : mlockall(MCL_CURRENT);

	munlockall();
	return result;
}

static long probe_audit_write(void)
{
	struct {
		struct nlmsghdr head;
		char text[16];
	} message = { .head = { .nlmsg_len = sizeof(message), .nlmsg_type = AUDIT_USER, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int one = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (one < 0)
		return -1;
	long got = send(one, &message, sizeof(message), 0) < 0 ? -1 : recv(one, &answer, sizeof(answer), 0);
	int reason = errno;
	close(one);
	if (got >= 0 && answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error != 0) {
		got = -1;
		reason = -answer.error.error;
	}
	errno = reason;
	return got < 0 ? -1 : 0;
}

static const struct {
	const char *name;
	long (*run)(void);
} probes[] = {
	{ "chown", probe_chown },
	{ "net_raw", probe_net_raw },
	{ "net_bind_service", probe_net_bind_service },
	{ "net_admin", probe_net_admin },
	{ "sys_admin", probe_sys_admin },
	{ "sys_chroot", probe_sys_chroot },
	{ "setuid", probe_setuid },
	{ "setgid", probe_setgid },
	{ "sys_nice", probe_sys_nice },
	{ "sys_time", probe_sys_time },
	{ "sys_resource", probe_sys_resource },
	{ "syslog", probe_syslog },
	{ "sys_module", probe_sys_module },
	{ "sys_rawio", probe_sys_rawio },
	{ "sys_pacct", probe_sys_pacct },
	{ "mknod", probe_mknod },
	{ "ipc_lock", probe_ipc_lock },
	{ "audit_write", probe_audit_write },
};

static long op_capability(char **args, struct text *more)
{
	(void)more;
	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		if (strcmp(probes[i].name, args[0]) == 0)
			return probes[i].run();
	errno = ENOSYS;
	return -1;
}

const struct operation capability_operations[] = {
	{ "capability", 1, op_capability },
	{ NULL, 0, NULL },
};
