/*
 * load.c - both ends of small traffic, see ends.h: cheap, so that what lies
 * between them is what is measured.  An end that costs more than the forwarder is
 * the one that everybody waits for, and a round trip then says how slow the end is.
 *
 *	load serve ADDRESS PORT                   echo, TCP and UDP
 *	load short ADDRESS PORT CONNECTIONS AT_A_TIME
 *	load pingpong ADDRESS PORT SESSIONS ROUNDS
 *	load datagrams ADDRESS PORT SIZE FLOWS WINDOW ROUNDS SETS
 */
#include "tests/bench/ends.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SIZE	  64 /* of a message over TCP */
#define TIMEOUT_S 2  /* a datagram that has not come by then is lost */

static char buffer[65536];

/* ---- the server ---- */

static void
accept_all(int poll, int listening)
{
	int fd;

	while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		watch(poll, fd, EPOLLIN);
}

static void
echo_datagrams(int fd)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size)) >= 0)
		sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, size);
}

static void
echo(int fd)
{
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

static void
serve(void)
{
	int poll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	int tcp = serving(SOCK_STREAM), udp = serving(SOCK_DGRAM);
	struct epoll_event events[EVENTS];

	watch(poll, tcp, EPOLLIN);
	watch(poll, udp, EPOLLIN);
	for (;;) {
		int n = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == tcp)
				accept_all(poll, tcp);
			else if (events[i].data.fd == udp)
				echo_datagrams(udp);
			else
				echo(events[i].data.fd);
		}
	}
}

/* ---- clients ---- */

static void
say(int fd)
{
	if (send(fd, buffer, SIZE, MSG_NOSIGNAL) != SIZE)
		die("send");
}

/* Whether the answer is there whole; got: so much of it was. */
static bool
hear(int fd, unsigned *got)
{
	ssize_t n = recv(fd, buffer, SIZE - *got, 0);

	if (n <= 0)
		die("recv");
	*got += (unsigned)n;
	if (*got < SIZE)
		return false;
	*got = 0;
	return true;
}

static unsigned got[FDS_MAX];

static void
open_short(int poll)
{
	int fd = connected(SOCK_STREAM);

	say(fd);
	watch(poll, fd, EPOLLIN);
}

/* Connect, a message there and back, close. */
static void
run_short(int connections, int at_a_time)
{
	int poll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"), left = connections;
	struct epoll_event events[EVENTS];
	int open = 0;
	int64_t began;

	say_ready();
	began = now_ns();
	for (; open < at_a_time && left > 0; open++, left--)
		open_short(poll);
	while (open > 0)
		for (int i = 0, n = wait_events(poll, events); i < n; i++) {
			int fd = events[i].data.fd;

			if (!hear(fd, &got[fd]))
				continue;
			close(fd);
			if (left-- > 0)
				open_short(poll);
			else
				open--;
		}
	printf("%d %.6f\n", connections, (double)(now_ns() - began) / 1e9);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t sent[FDS_MAX];
static int rounds_left[FDS_MAX];

static void
say_again(int fd)
{
	sent[fd] = now_ns();
	say(fd);
}

/* So many sessions at a time, each one message after the other: all stand before the first. */
static void
run_pingpong(int sessions, int rounds)
{
	int poll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"), left = sessions;
	size_t n_took = 0, wanted = (size_t)sessions * (size_t)rounds;
	int64_t *took = calloc(wanted, sizeof(*took)), began;
	struct epoll_event events[EVENTS];
	int *fds = calloc((size_t)sessions, sizeof(*fds));

	if (took == NULL || fds == NULL)
		die("calloc");
	for (int i = 0; i < sessions; i++) {
		fds[i] = connected(SOCK_STREAM);
		say(fds[i]);
		while (!hear(fds[i], &got[fds[i]])) {
		}
		rounds_left[fds[i]] = rounds;
		watch(poll, fds[i], EPOLLIN);
	}
	say_ready();
	began = now_ns();
	for (int i = 0; i < sessions; i++)
		say_again(fds[i]);
	while (left > 0)
		for (int i = 0, n = wait_events(poll, events); i < n; i++) {
			int fd = events[i].data.fd;

			if (!hear(fd, &got[fd]))
				continue;
			took[n_took++] = now_ns() - sent[fd];
			if (--rounds_left[fd] > 0)
				say_again(fd);
			else
				left--;
		}
	qsort(took, n_took, sizeof(*took), compare);
	printf("%zu %.6f %.3f %.3f\n", n_took, (double)(now_ns() - began) / 1e9,
	    (double)took[n_took / 2] / 1e3, (double)took[n_took * 99 / 100] / 1e3);
	free(took);
	free(fds);
}

static void
open_flows(int *fds, int flows)
{
	static const struct timeval timeout = { .tv_sec = TIMEOUT_S };

	for (int i = 0; i < flows; i++) {
		if (fds[i] > 0)
			close(fds[i]);
		fds[i] = connected(SOCK_DGRAM);
		check(setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)),
		    "SO_RCVTIMEO");
	}
}

/* 'window' datagrams from each flow, then as many answers to each.  How many were lost. */
static int
exchange(const int *fds, size_t size, int flows, int window)
{
	int lost = 0;

	for (int i = 0; i < flows; i++)
		for (int j = 0; j < window; j++)
			send(fds[i], buffer, size, 0);
	for (int i = 0; i < flows; i++)
		for (int j = 0; j < window; j++)
			lost += recv(fds[i], buffer, sizeof(buffer), 0) != (ssize_t)size;
	return lost;
}

/* With each set the flows are new. */
static void
run_datagrams(size_t size, int flows, int window, int rounds, int sets)
{
	static int fds[FDS_MAX];
	int64_t began;
	int lost = 0;

	open_flows(fds, flows);
	say_ready();
	began = now_ns();
	for (int set = 0; set < sets; set++) {
		if (set > 0)
			open_flows(fds, flows);
		for (int round = 0; round < rounds; round++)
			lost += exchange(fds, size, flows, window);
	}
	printf(
	    "%d %.6f %d\n", flows * window * rounds * sets, (double)(now_ns() - began) / 1e9, lost);
}

int
main(int argc, char **argv)
{
	const char *what = argc >= 4 ? argv[1] : "";
	int n[5] = { 0 };

	for (int i = 4; i < argc && i < 9; i++)
		n[i - 4] = number(argv[i]);
	if (argc >= 4)
		set_peer(argv[2], argv[3]);
	if (strcmp(what, "serve") == 0 && argc == 4)
		serve();
	else if (strcmp(what, "short") == 0 && argc == 6)
		run_short(n[0], n[1]);
	else if (strcmp(what, "pingpong") == 0 && argc == 6)
		run_pingpong(n[0], n[1]);
	else if (strcmp(what, "datagrams") == 0 && argc == 9)
		run_datagrams((size_t)n[0], n[1], n[2], n[3], n[4]);
	else {
		fprintf(stderr, "load: see the head of load.c\n");
		return 2;
	}
	wait_for_line();
	return 0;
}
