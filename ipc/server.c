/*
 * server.c - see server.h.  Who may come in, and org.varlink.service; a
 * connection's own life is in conn.c.
 */
#include "ipc/server.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "ipc/conn.h"
#include "ipc/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ipc.md 1.9: a stranger may connect, and must not keep the node's own daemons out. */
#define CONNECTIONS_MAX 128
#define PER_UID_MAX	16 /* of one user other than root */
#define PER_PEER_MAX	64 /* of a sibling's: proxyd takes one for each upstream of names */
#define RESERVED	8  /* for root, ourselves and the sibling daemons */
#define ACCEPT_BURST	16 /* per wake-up */
#define ACCEPT_PAUSE_US USEC_PER_SEC /* without descriptors left, instead of spinning */

struct ipc_server {
	struct ipc_server_config config;
	char *vendor, *product, *version, *url;
	uid_t *peer_uids;
	struct ipc_method introspection[2];
	struct ipc_conn_owner owner;
	struct ipc_listening listening;
	uv_poll_t poll;
	struct loop_timer pause;
	unsigned handles;
	uint64_t refused;
};

/* ---- org.varlink.service ---- */

static void
get_info(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct ipc_server *s = aux;

	(void)parameters;
	ipc_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", s->vendor, "product",
			    s->product, "version", s->version, "url", s->url, "interfaces",
			    ipc_interfaces_list(&s->owner.interfaces)));
}

static void
get_interface_description(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct ipc_server *s = aux;
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const char *text = ipc_interfaces_text(&s->owner.interfaces, name);

	if (text == NULL)
		ipc_error(call, "org.varlink.service.InterfaceNotFound",
		    json_pack("{s:s}", "interface", name));
	else
		ipc_reply(call, json_pack("{s:s}", "description", text));
}

/* ---- who may come in ---- */

static bool
is_peer_daemon(const struct ipc_server *s, uid_t uid)
{
	for (size_t i = 0; i < s->config.n_peer_uids; i++)
		if (s->peer_uids[i] == uid)
			return true;
	return false;
}

static size_t
connections_of(const struct ipc_server *s, uid_t uid)
{
	const struct ipc_conn *c;
	size_t n = 0;

	TAILQ_FOREACH (c, &s->owner.conns, entry)
		n += c->peer.uid == uid;
	return n;
}

/* NULL: welcome; else why not. */
static const char *
why_refused(const struct ipc_server *s, uid_t uid, bool ours)
{
	size_t max = s->config.connections_max;
	size_t reserved = MIN(RESERVED, max / 2);

	if (s->owner.n_conns >= max)
		return "too many connections";
	if (!ours && s->owner.n_conns >= max - reserved)
		return "too many connections (the rest is kept for the node's own)";
	if (uid != 0 && connections_of(s, uid) >= (ours ? PER_PEER_MAX : PER_UID_MAX))
		return "too many connections of this user";
	return NULL;
}

static bool
may_control(const struct ipc_server *s, int fd, uid_t uid)
{
	gid_t group = s->config.admin_group;

	return uid == 0 || uid == geteuid() ||
	       (group != (gid_t)-1 && ipc_socket_peer_in_group(fd, group));
}

static void
admit(struct ipc_server *s, int fd)
{
	struct ipc_peer peer = { 0 };
	const char *why;

	if (ipc_socket_peer(fd, &peer.uid, &peer.gid, &peer.pid) < 0) {
		close(fd);
		return;
	}
	peer.is_ours = peer.uid == 0 || peer.uid == geteuid() || is_peer_daemon(s, peer.uid);
	why = why_refused(s, peer.uid, peer.is_ours);
	if (why == NULL) {
		ipc_conn_new(&s->owner, fd, &peer, may_control(s, fd, peer.uid));
		return;
	}
	s->refused++;
	log_limited(&s->owner.complaints, loop_now(), LOG_WARNING, "bus: uid %u pid %d refused: %s",
	    (unsigned)peer.uid, (int)peer.pid, why);
	close(fd);
}

static void
on_connect(uv_poll_t *poll, int status, int events)
{
	struct ipc_server *s = CONTAINER_OF(poll, struct ipc_server, poll);

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(s->listening.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(s, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			log_limited(&s->owner.complaints, loop_now(), LOG_WARNING,
			    "bus: accept: %s", strerror(errno));
			uv_poll_stop(&s->poll);
			loop_timer_at(&s->pause, mono_add(loop_now(), ACCEPT_PAUSE_US));
		}
		return;
	}
}

static void
on_pause_over(struct loop_timer *timer, mono_t now)
{
	struct ipc_server *s = CONTAINER_OF(timer, struct ipc_server, pause);

	(void)now;
	uv_poll_start(&s->poll, UV_READABLE, on_connect);
}

/* ---- life ---- */

static void
copy_config(struct ipc_server *s, const struct ipc_server_config *config)
{
	s->config = *config;
	if (s->config.connections_max == 0)
		s->config.connections_max = CONNECTIONS_MAX;
	s->vendor = xstrdup(config->vendor);
	s->product = xstrdup(config->product);
	s->version = xstrdup(config->version);
	s->url = xstrdup(config->url);
	s->peer_uids = xcalloc(config->n_peer_uids, sizeof(*s->peer_uids));
	if (config->n_peer_uids > 0)
		memcpy(
		    s->peer_uids, config->peer_uids, config->n_peer_uids * sizeof(*s->peer_uids));
}

int
ipc_server_new(uv_loop_t *loop, const struct ipc_server_config *config, struct ipc_server **ret)
{
	struct ipc_listening listening;
	struct ipc_server *s;
	int error;

	error = ipc_socket_listen(config->path, config->group, &listening);
	if (error < 0)
		return error;
	s = xcalloc(1, sizeof(*s));
	copy_config(s, config);
	s->listening = listening;
	s->owner.loop = loop;
	TAILQ_INIT(&s->owner.conns);
	ipc_interfaces_init(&s->owner.interfaces);
	s->introspection[0] = (struct ipc_method){ "org.varlink.service.GetInfo", get_info, s };
	s->introspection[1] = (struct ipc_method){ "org.varlink.service.GetInterfaceDescription",
		get_interface_description, s };
	ipc_server_add(s, s->introspection, ARRAY_LEN(s->introspection));

	s->handles = 2;
	uv_poll_init(loop, &s->poll, s->listening.fd);
	loop_timer_init(loop, &s->pause, on_pause_over);
	uv_poll_start(&s->poll, UV_READABLE, on_connect);
	*ret = s;
	return 0;
}

void
ipc_server_describe(struct ipc_server *s, const struct ipc_model *model)
{
	ipc_interfaces_describe(&s->owner.interfaces, model);
}

void
ipc_server_add(struct ipc_server *s, const struct ipc_method *methods, size_t n)
{
	ipc_interfaces_add(&s->owner.interfaces, methods, n);
}

static void
release(struct ipc_server *s)
{
	if (--s->handles > 0)
		return;
	ipc_interfaces_done(&s->owner.interfaces);
	free(s->vendor);
	free(s->product);
	free(s->version);
	free(s->url);
	free(s->peer_uids);
	free(s);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	release(CONTAINER_OF((uv_poll_t *)handle, struct ipc_server, poll));
}

static void
on_pause_closed(struct loop_timer *timer)
{
	release(CONTAINER_OF(timer, struct ipc_server, pause));
}

void
ipc_server_free(struct ipc_server *s)
{
	struct ipc_conn *c;

	if (s == NULL)
		return;
	while ((c = TAILQ_FIRST(&s->owner.conns)) != NULL)
		ipc_conn_close(c);
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	loop_timer_close(&s->pause, on_pause_closed);
	ipc_socket_close(&s->listening);
}

struct ipc_server_stats
ipc_server_stats(const struct ipc_server *s)
{
	struct ipc_server_stats stats = {
		.connections = s->owner.n_conns,
		.refused = s->refused,
		.malformed = s->owner.malformed,
		.slow_closed = s->owner.slow_closed,
	};
	const struct ipc_conn *c;

	TAILQ_FOREACH (c, &s->owner.conns, entry)
		stats.subscribers += ipc_conn_subscribed(c);
	return stats;
}
