/*
 * attempt.h - one run over the network: a socket, a deadline, and an end that
 * comes once.  Apart from the probe, because libuv closes handles after the
 * run is over.
 */
#ifndef CHECKD_ATTEMPT_H
#define CHECKD_ATTEMPT_H

#include "checkd/poller.h"
#include "checkd/probe.h"
#include "common/loop.h"

#include <sys/socket.h>

struct attempt;

struct attempt_class {
	size_t size; /* of its own struct, which begins with a struct attempt */
	void (*on_ready)(struct attempt *, int events);
	/* The time is over; NULL: a timeout, 'waiting' says for what. */
	void (*on_late)(struct attempt *);
	const char *waiting;
	void (*done)(struct attempt *); /* what its own struct holds goes; may be NULL */
};

struct attempt {
	const struct attempt_class *class;
	struct attempt_probe *owner; /* NULL: the run is over */
	const char *waiting;	     /* for what; class->waiting at first */
	struct polled socket;
	mono_t began;
	struct loop_timer timer;
};

/* A probe whose runs are attempts begins with this; its done is attempt_probe_done. */
struct attempt_probe {
	struct probe probe;
	struct attempt *attempt; /* NULL: no run is on */
};
void attempt_probe_done(struct probe *);

/*
 * Begin a run on 'fd' (taken over): zeroed but for this part.  For as long as
 * the check's timeout it waits for 'events' (UV_READABLE, UV_WRITABLE).
 */
struct attempt *attempt_begin(
    struct probe *, const struct attempt_class *, int fd, mono_t began, int events);
void attempt_wait(struct attempt *, int events);

/* Its socket outlives it: the caller's now, and polled no more; the run ends next. */
int attempt_take_socket(struct attempt *);

/* The same run goes on with another socket (taken over); its own is closed. */
void attempt_replace_socket(struct attempt *, int fd, int events);

/* End the run and report it; the attempt must not be touched any more. */
void attempt_finish(struct attempt *, enum check_reason, const char *detail);

/* A run that could not even begin. */
void attempt_refuse(struct probe *, mono_t began, enum check_reason, const char *detail);

/* What an errno of connect, send or recv means. */
enum check_reason attempt_reason(int err);

/*
 * A non-blocking socket that is connected to the probe's peer, or (TCP) being
 * connected, from where the check says (bindto, bind_if, bind_port).  'tune' sets options
 * first; NULL: none.  Or -errno, *ret_what the call that failed.
 */
int attempt_connect(
    const struct probe *, int type, int protocol, void (*tune)(int fd), const char **ret_what);

/* That place, with the peer's family when only a port is said; false: anywhere. */
bool attempt_source(const struct probe *, struct sockaddr_storage *ret, socklen_t *ret_size);

/* What became of a connection that was being made: 0 or an errno. */
int attempt_connected(const struct attempt *);

#endif
