/* Operations on sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "workload.h"

static const struct bit families[] = {
	{ "inet", AF_INET },     { "inet6", AF_INET6 },     { "unix", AF_UNIX }, { "packet", AF_PACKET },
	{ "netlink", AF_NETLINK }, { "vsock", AF_VSOCK }, { NULL, 0 },
};

static const struct bit types[] = {
	{ "stream", SOCK_STREAM }, { "dgram", SOCK_DGRAM }, { "raw", SOCK_RAW },         { "rdm", SOCK_RDM },
	{ "seqpacket", SOCK_SEQPACKET }, { "dccp", SOCK_DCCP }, { "packet", SOCK_PACKET }, { NULL, 0 },
};

static const struct bit protocols[] = {
	{ "tcp", IPPROTO_TCP },       { "udp", IPPROTO_UDP },   { "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },     { "mptcp", 262 },         { "udplite", IPPROTO_UDPLITE },
	{ "dccp", IPPROTO_DCCP },     { "all", ETH_P_ALL },     { NULL, 0 },
};

static int make(char **args)
{
	unsigned long type = bits_of(args[1], types);

	return socket(bits_of(args[0], families), type | SOCK_CLOEXEC, args[2] ? bits_of(args[2], protocols) : 0);
}

static long closing(int descriptor, long result)
{
	int reason = errno;

	close(descriptor);
	errno = reason;
	return result;
}

/* socket FAMILY TYPE [PROTOCOL] */
static long op_socket(char **args, struct text *more)
{
	int one = make(args);
	(void)more;

	return one < 0 ? -1 : closing(one, 0);
}

static long op_fd_socket(char **args, struct text *more)
{
	(void)more;
	return make(args);
}

static socklen_t address_of(const char *host, const char *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (strchr(host, '/')) {
		struct sockaddr_un *local = (struct sockaddr_un *)address;
		local->sun_family = AF_UNIX;
		strncpy(local->sun_path, host, sizeof(local->sun_path) - 1);
		return sizeof(*local);
	}
	if (strchr(host, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(atoi(port));
		inet_pton(AF_INET6, host, &six->sin6_addr);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(atoi(port));
	inet_pton(AF_INET, host, &four->sin_addr);
	return sizeof(*four);
}

static long op_fd_bind(char **args, struct text *more)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(args[1], args[2], &address);
	int yes = 1;
	(void)more;

	setsockopt(atoi(args[0]), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	return bind(atoi(args[0]), (struct sockaddr *)&address, length);
}

static long op_fd_connect(char **args, struct text *more)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(args[1], args[2], &address);
	(void)more;

	return connect(atoi(args[0]), (struct sockaddr *)&address, length);
}

static long op_fd_listen_on(char **args, struct text *more)
{
	(void)more;
	return listen(atoi(args[0]), 16);
}

#define PATIENCE_MS 5000

/* Waits for a connection, but not for ever. */
static long op_fd_accept(char **args, struct text *more)
{
	struct pollfd wait = { .fd = atoi(args[0]), .events = POLLIN };
	(void)more;

	if (poll(&wait, 1, PATIENCE_MS) != 1) {
		errno = ETIMEDOUT;
		return -1;
	}
	return accept4(wait.fd, NULL, NULL, SOCK_CLOEXEC);
}

/* connect FAMILY TYPE PROTOCOL HOST PORT: a socket of its own. */
static long op_connect(char **args, struct text *more)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(args[3], args[4], &address);
	int one = make(args);
	(void)more;

	return one < 0 ? -1 : closing(one, connect(one, (struct sockaddr *)&address, length));
}

static long op_sendto(char **args, struct text *more)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(args[3], args[4], &address);
	int one = make(args);
	(void)more;

	return one < 0 ? -1 : closing(one, sendto(one, "x", 1, 0, (struct sockaddr *)&address, length));
}

static long op_socketpair(char **args, struct text *more)
{
	int both[2];
	(void)more;

	if (socketpair(bits_of(args[0], families), bits_of(args[1], types), 0, both) != 0)
		return -1;
	close(both[0]);
	return close(both[1]);
}

const struct operation network_operations[] = {
	{ "socket", 2, op_socket },         { "fd_socket", 2, op_fd_socket },     { "fd_bind", 2, op_fd_bind },
	{ "fd_connect", 2, op_fd_connect }, { "fd_listen_on", 1, op_fd_listen_on }, { "fd_accept", 1, op_fd_accept },
	{ "connect", 5, op_connect },       { "sendto", 5, op_sendto },           { "socketpair", 2, op_socketpair },
	{ NULL, 0, NULL },
};
