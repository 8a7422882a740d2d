/*
 * dial.h - how a listener's sessions reach servers: what their sockets are set
 * to, and which local addresses they leave from.  Immutable; shared by the
 * routes of all data threads.
 */
#ifndef PROXYD_DIAL_H
#define PROXYD_DIAL_H

#include "common/conf/conf.h"
#include "common/mono.h"

#include <sys/socket.h>

struct dial;

/* NULL when the listener wants nothing: connecting then costs no call more. */
struct dial *dial_new(const struct listener_conf *);
void dial_ref(struct dial *); /* both accept NULL */
void dial_unref(struct dial *);

/* Set the options of a fresh socket; what the kernel does not take is left. */
void dial_prepare(const struct dial *, int fd);

/* How many local addresses there are to try for a server of that family; at least 1. */
unsigned dial_sources(const struct dial *, int family);

/*
 * Bind to the n-th of them, the port left to connect(2), which may then use one
 * for several destinations at a time (ip(7), IP_BIND_ADDRESS_NO_PORT).  0 or -errno.
 */
int dial_bind(const struct dial *, int fd, int family, unsigned n);

/*
 * No port is left on any of n local addresses: the server has done nothing wrong,
 * it was not asked.  One line in a while for the process.
 */
void dial_say_no_port(const char *server, unsigned n, mono_t now);

/*
 * Bind to the address of a client, which is nobody's here (IP_TRANSPARENT); port
 * 0 is left to connect(2).  0, or -errno: -EAFNOSUPPORT when it is of another
 * family than the server.
 */
int dial_bind_as(const struct endpoint *client, int fd, int family);

#endif
