/*
 * bulk.c - both ends of bulk transfers, see ends.h.
 *
 *	bulk serve ADDRESS PORT WAY KIB           any number of connections
 *	bulk run ADDRESS PORT WAY KIB STREAMS     the bytes moved, and the seconds
 *
 * A client dies of the first transfer that fails, the server lives on.
 *
 * WAY: 1 down, 2 up, 3 both at once.  KIB go each way through each connection;
 * the end of the stream follows them.
 */
#include "tests/bench/ends.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK  (256 * 1024)
#define IN_ONE (1024 * 1024)

enum { DOWN = 1, UP = 2 }; /* bits of a way */

struct end {
	int64_t to_send, received;
	bool sends, eof, broken;
};

static struct end ends[FDS_MAX];
static char out[CHUNK], in[IN_ONE];

static void
begin(int poll, int fd, bool sends, int64_t size)
{
	if (fd >= FDS_MAX) {
		errno = EMFILE;
		die("a connection");
	}
	ends[fd] = (struct end){ .to_send = sends ? size : 0, .sends = sends };
	watch(poll, fd, EPOLLIN | (sends ? EPOLLOUT : 0));
}

static void
send_some(int poll, int fd, struct end *e)
{
	size_t size = e->to_send < CHUNK ? (size_t)e->to_send : CHUNK;
	ssize_t n = send(fd, out, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	e->broken = n < 0 && errno != EAGAIN;
	if (n < 0)
		return;
	e->to_send -= n;
	if (e->to_send > 0)
		return;
	e->broken = shutdown(fd, SHUT_WR) < 0;
	check(epoll_ctl(poll, EPOLL_CTL_MOD, fd, &ev), "epoll_ctl");
}

static void
receive_some(int fd, struct end *e)
{
	ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);

	e->broken = n < 0 && errno != EAGAIN;
	e->received += n > 0 ? n : 0;
	e->eof = n == 0;
}

/* True: it has ended, both ways or by a failure. */
static bool
step(int poll, const struct epoll_event *ev)
{
	int fd = ev->data.fd;
	struct end *e = &ends[fd];

	if ((ev->events & EPOLLOUT) != 0 && e->to_send > 0)
		send_some(poll, fd, e);
	if (!e->broken && !e->eof && (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		receive_some(fd, e);
	return e->broken || (e->eof && e->to_send == 0);
}

static void
serve(unsigned way, int64_t size)
{
	int poll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	int listening = serving(SOCK_STREAM), fd;
	struct epoll_event events[EVENTS];

	watch(poll, listening, EPOLLIN);
	for (;;)
		for (int i = 0, n = epoll_wait(poll, events, EVENTS, -1); i < n; i++) {
			if (events[i].data.fd != listening) {
				if (step(poll, &events[i]))
					close(events[i].data.fd);
				continue;
			}
			while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0)
				begin(poll, fd, (way & DOWN) != 0, size);
		}
}

static void
run(unsigned way, int64_t size, int streams)
{
	int poll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"), left = streams;
	int *fds = calloc((size_t)streams, sizeof(*fds));
	struct epoll_event events[EVENTS];
	int64_t began, moved = 0;

	if (fds == NULL)
		die("calloc");
	for (int i = 0; i < streams; i++)
		fds[i] = connected(SOCK_STREAM);
	say_ready();
	began = now_ns();
	for (int i = 0; i < streams; i++)
		begin(poll, fds[i], (way & UP) != 0, size);
	while (left > 0)
		for (int i = 0, n = wait_events(poll, events); i < n; i++) {
			const struct end *e = &ends[events[i].data.fd];

			if (!step(poll, &events[i]))
				continue;
			if (e->broken)
				die("a transfer");
			if (e->received != ((way & DOWN) != 0 ? size : 0)) {
				errno = ENODATA;
				die("a transfer");
			}
			moved += e->received + (e->sends ? size : 0);
			close(events[i].data.fd);
			left--;
		}
	printf("%lld %.6f\n", (long long)moved, (double)(now_ns() - began) / 1e9);
	free(fds);
}

int
main(int argc, char **argv)
{
	const char *what = argc >= 6 ? argv[1] : "";
	int64_t size = 0;
	int way = 0;

	if (argc >= 6) {
		set_peer(argv[2], argv[3]);
		way = number(argv[4]);
		size = (int64_t)number(argv[5]) * 1024;
	}
	if (strcmp(what, "serve") == 0 && argc == 6)
		serve((unsigned)way, size);
	else if (strcmp(what, "run") == 0 && argc == 7)
		run((unsigned)way, size, number(argv[6]));
	else {
		fprintf(stderr, "bulk: see the head of bulk.c\n");
		return 2;
	}
	wait_for_line();
	return 0;
}
