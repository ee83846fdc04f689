/*
 * Runs on the host: joins its standard input and output with a port of the loopback. QEMU starts one per connection
 * that the guest makes to a forwarded port; its own forwarding takes a single connection at a time.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0 at the end of the input. */
static int pass(int from, int to)
{
	char buffer[65536];
	ssize_t got = read(from, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < got; ) {
		ssize_t put = write(to, buffer + at, got - at);
		if (put <= 0)
			return 0;
		at += put;
	}
	return got > 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (host < 0 || connect(host, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("relay");
		return 1;
	}
	struct pollfd ends[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = host, .events = POLLIN } };

	for (;;) {
		if (poll(ends, 2, -1) < 0)
			return 1;
		if (ends[0].revents && !pass(STDIN_FILENO, host)) {
			shutdown(host, SHUT_WR);
			ends[0].fd = -1;
		}
		if (ends[1].revents && !pass(host, STDOUT_FILENO))
			return 0;
	}
}
