/*
 * ends.h - what the ends of the benchmarks have in common: sockets, the clock,
 * and the way in which whoever measures leads a client.
 *
 * A client says "ready" when all is connected, begins at a line from its standard
 * input, says its figures in a line and ends at another: the sessions stand
 * meanwhile, and whoever asked has read the clocks.
 *
 * What fails ends the program, with the reason.
 */
#ifndef TESTS_BENCH_ENDS_H
#define TESTS_BENCH_ENDS_H

#include <stdint.h>
#include <sys/epoll.h>

#define EVENTS	256
#define FDS_MAX 20000

_Noreturn void die(const char *what);
int check(int rc, const char *what); /* rc, which is not negative */
int64_t now_ns(void);
int number(const char *text); /* from a command line: 1 to 1 << 30 */

/* Where the other end is, or where we listen: once, before all else. */
void set_peer(const char *address, const char *port);
int connected(int type);
int serving(int type); /* bound, non-blocking */

void watch(int poll, int fd, uint32_t events);
/* One at least; a client that hears nothing for half a minute dies. */
int wait_events(int poll, struct epoll_event events[static EVENTS]);

void wait_for_line(void);
void say_ready(void);

#endif
