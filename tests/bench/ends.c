/*
 * ends.c - see ends.h.
 */
#include "tests/bench/ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define WAIT_MS 30000

static struct sockaddr_in peer;

void
die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

int
check(int rc, const char *what)
{
	if (rc < 0)
		die(what);
	return rc;
}

int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int
number(const char *text)
{
	int n = atoi(text);

	if (n <= 0 || n > 1 << 30) {
		fprintf(stderr, "%s: what number is %s?\n", program_invocation_short_name, text);
		exit(2);
	}
	return n;
}

void
set_peer(const char *address, const char *port)
{
	peer = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)number(port)) };
	if (inet_pton(AF_INET, address, &peer.sin_addr) != 1)
		die(address);
}

static int
make_socket(int type)
{
	static const int on = 1;
	int fd = check(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");

	if ((type & SOCK_STREAM) != 0)
		check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "TCP_NODELAY");
	return fd;
}

int
connected(int type)
{
	int fd = make_socket(type);

	check(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), "connect");
	return fd;
}

int
serving(int type)
{
	static const int on = 1;
	int fd = make_socket(type | SOCK_NONBLOCK);

	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), "SO_REUSEADDR");
	check(bind(fd, (struct sockaddr *)&peer, sizeof(peer)), "bind");
	if ((type & SOCK_STREAM) != 0)
		check(listen(fd, 4096), "listen");
	return fd;
}

void
watch(int poll, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	check(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
}

int
wait_events(int poll, struct epoll_event events[static EVENTS])
{
	int n = check(epoll_wait(poll, events, EVENTS, WAIT_MS), "epoll_wait");

	if (n == 0) {
		errno = ETIMEDOUT;
		die("an answer");
	}
	return n;
}

void
wait_for_line(void)
{
	char line[16];

	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		exit(1);
}

void
say_ready(void)
{
	puts("ready");
	wait_for_line();
}
