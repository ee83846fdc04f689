/*
 * Starts a program the way a container runtime does: born in its cgroup and its namespaces, on a root of its own. Or,
 * with --join, beside a process that is in a container already, as `exec` into one does.
 *
 *   launch --cgroup DIR [--new mnt,pid,net,ipc,uts,cgroup] [--root DIR] [--uid N] [--apparmor NAME] [--wait] [--no-bpf] -- PROGRAM ARG...
 *   launch --cgroup DIR --join PID [--uid N] [--apparmor NAME] -- PROGRAM ARG...
 *
 * With --wait it says {"op":"born","ret":<pid>} and runs the program when a line comes in: whoever watches can know the
 * container first. With --no-bpf a seccomp filter refuses bpf(2), as profiles of container engines do. Ends as the
 * program does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
	exit(125);
}

static uint64_t namespaces(char *list)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} known[] = {
		{ "mnt", CLONE_NEWNS },   { "pid", CLONE_NEWPID },       { "net", CLONE_NEWNET },  { "ipc", CLONE_NEWIPC },
		{ "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP }, { "user", CLONE_NEWUSER },
	};
	uint64_t flags = 0;

	for (char *name; (name = strsep(&list, ",")); )
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (strcmp(name, known[i].name) == 0)
				flags |= known[i].flag;
	return flags;
}

static void enter_root(const char *root)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	if (!root)
		return;
	must(mount(root, root, NULL, MS_BIND | MS_REC, NULL) == 0, "bind the root");
	must(chdir(root) == 0, "chdir to the root");
	/* Some roots have no place for it. */
	must(mount("proc", "proc", "proc", 0, NULL) == 0 || errno == ENOENT, "mount proc");
	must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	must(umount2(".", MNT_DETACH) == 0, "let go of the old root");
	must(chdir("/") == 0, "chdir");
}

static void join(int pid)
{
	static const char *const names[] = { "ipc", "uts", "net", "pid", "mnt" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		int descriptor = open(path, O_RDONLY | O_CLOEXEC);
		must(descriptor >= 0, path);
		/* Opened one by one: after that of mounts, /proc is another. */
		must(setns(descriptor, 0) == 0, path);
	}
}

static void become(int uid)
{
	must(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0, "become the user");
}

/* The program will run under this profile; what is forked in between inherits the wish. */
static void confine(const char *profile)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "exec %s", profile);
	int file = open("/proc/self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);

	must(file >= 0 && write(file, text, length) == length, profile);
	close(file);
}

/*
 * Node talks to its children through sockets, which a profile may refuse, those that are open already too. So a confined
 * program has pipes, and processes outside of the container carry what goes through them. Ends with `from`.
 */
static pid_t carry(int from, int to, const int *others)
{
	char bytes[4096];
	pid_t carrier = fork();

	must(carrier >= 0, "fork");
	if (carrier)
		return carrier;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 4; i++)
		if (others[i] != from && others[i] != to)
			close(others[i]);
	for (ssize_t length; (length = read(from, bytes, sizeof(bytes))) > 0; )
		for (ssize_t at = 0, done; at < length; at += done)
			if ((done = write(to, bytes + at, length - at)) < 0)
				_exit(0);
	_exit(0);
}

static void refuse_bpf(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up privileges to come");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "refuse bpf(2)");
}

static void wait_for_line(void)
{
	char byte, text[64];
	int length = snprintf(text, sizeof(text), "{\"op\":\"born\",\"ret\":%d}\n", getpid());

	must(write(STDOUT_FILENO, text, length) == length, "say so");
	do
		must(read(STDIN_FILENO, &byte, 1) == 1, "wait for a line");
	while (byte != '\n');
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cgroup", 1, NULL, 'c' }, { "new", 1, NULL, 'n' }, { "root", 1, NULL, 'r' }, { "uid", 1, NULL, 'u' },
		{ "wait", 0, NULL, 'w' },   { "join", 1, NULL, 'j' }, { "apparmor", 1, NULL, 'a' },
		{ "no-bpf", 0, NULL, 'b' }, { NULL, 0, NULL, 0 },
	};
	const char *cgroup = NULL, *root = NULL, *profile = NULL;
	int uid = 0, waits = 0, beside = 0, no_bpf = 0, status;
	uint64_t new = 0;

	for (int one; (one = getopt_long(argc, argv, "+", options, NULL)) >= 0; ) {
		switch (one) {
		case 'c': cgroup = optarg; break;
		case 'n': new = namespaces(optarg); break;
		case 'r': root = optarg; break;
		case 'u': uid = atoi(optarg); break;
		case 'w': waits = 1; break;
		case 'j': beside = atoi(optarg); break;
		case 'a': profile = optarg; break;
		case 'b': no_bpf = 1; break;
		default: return 125;
		}
	}
	must(cgroup && optind < argc, "needs --cgroup and a program");
	int folder = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(folder >= 0, cgroup);
	if (profile)
		confine(profile);
	if (beside)
		join(beside);
	struct clone_args how = {
		.flags = CLONE_INTO_CGROUP | new, .exit_signal = SIGCHLD, .cgroup = (uint64_t)folder,
	};
	int pipes[4] = { -1, -1, -1, -1 };
	pid_t carrier = 0;

	if (profile)
		must(pipe2(pipes, O_CLOEXEC) == 0 && pipe2(pipes + 2, O_CLOEXEC) == 0, "pipes");
	pid_t child = syscall(SYS_clone3, &how, sizeof(how));

	must(child >= 0, "clone3");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (profile)
			must(dup2(pipes[0], STDIN_FILENO) >= 0 && dup2(pipes[3], STDOUT_FILENO) >= 0, "use the pipes");
		if (new & CLONE_NEWNS)
			enter_root(root);
		if (waits)
			wait_for_line();
		if (uid)
			become(uid);
		if (no_bpf)
			refuse_bpf();
		execvp(argv[optind], argv + optind);
		must(0, argv[optind]);
	}
	if (profile) {
		carry(STDIN_FILENO, pipes[1], pipes);
		carrier = carry(pipes[2], STDOUT_FILENO, pipes);
		for (int i = 0; i < 4; i++)
			close(pipes[i]);
	}
	must(waitpid(child, &status, 0) == child, "wait for the program");
	if (carrier)
		waitpid(carrier, NULL, 0);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}
