/*
 * guest.c - see guest.h.
 */
#include "proxyd/guest.h"

#include "proxyd/facts.h"
#include "proxyd/rules.h"

#include <string.h>
#include <sys/socket.h>

#define KEY_MAX 512 /* of a hash; what is longer is cut, for everybody in the same way */

static void
ask_socket(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), struct endpoint *ret)
{
	struct sockaddr_storage ss;
	socklen_t size = sizeof(ss);

	if (ask(fd, (struct sockaddr *)&ss, &size) == 0)
		endpoint_from_sockaddr((struct sockaddr *)&ss, ret);
}

static int
peer_name(int fd, struct sockaddr *sa, socklen_t *size)
{
	return getpeername(fd, sa, size);
}

static int
own_name(int fd, struct sockaddr *sa, socklen_t *size)
{
	return getsockname(fd, sa, size);
}

static void
learn(const struct session *s, struct facts *f)
{
	*f = (struct facts){ .connection = s->index, .hostname = "" };
	ask_socket(s->fd[FLOW_CLIENT], peer_name, &f->peer);
	ask_socket(s->fd[FLOW_CLIENT], own_name, &f->local);
	f->client = f->peer;
}

struct server *
guest_pick(struct worker *w, struct session *s)
{
	const struct rules *rules = s->route->rules;
	char key[KEY_MAX];
	struct facts facts;
	size_t n = 0;

	if (rules != NULL && rules->key.n > 0) {
		learn(s, &facts);
		n = facts_render(&rules->key, &facts, key, sizeof(key), ESCAPE_NONE);
	}
	return upstream_pick(s->route->up,
	    &(struct pick_ask){ .tried = &s->tried, .key = key, .key_size = n, .now = w->now });
}
