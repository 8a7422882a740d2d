/*
 * watch.c - see watch.h.  Each call is a wish (active.h) and a subscription to
 * the checks that come of it.
 */
#include "checkd/watch.h"

#include <stdlib.h>
#include <string.h>

struct watch {
	TAILQ_ENTRY(watch) entry;
	struct watches *all;
	struct wish wish;
	char *upstream;
	struct endpoint *servers;
	json_t *names; /* of its checks, as the subscription filters them */
	struct ipc_stream *stream;
};

struct watches {
	struct checks *checks;
	struct ipc_publisher *publisher;
	TAILQ_HEAD(, watch) list;
};

static void
watch_free(struct watch *w)
{
	free(w->upstream);
	free(w->servers);
	json_decref(w->names);
	free(w);
}

/* The caller has left, or we have ended the stream. */
static void
on_end(void *aux)
{
	struct watch *w = aux;

	TAILQ_REMOVE(&w->all->list, w, entry);
	checks_unwish(w->all->checks, &w->wish);
	watch_free(w);
}

static json_t *
names_of(const struct watch *w, const struct conf *conf)
{
	const struct upstream_conf *up = conf_upstream(conf, w->upstream);
	json_t *names = json_array();

	for (size_t i = 0; up != NULL && i < w->wish.n_servers; i++) {
		char *name = active_name(up, &w->servers[i]);

		if (name != NULL)
			json_array_append_new(names, json_string(name));
		free(name);
	}
	return names;
}

/* False: it is not a list of ADDRESS:PORT, or too long a one. */
static bool
take_servers(struct watch *w, const json_t *servers)
{
	size_t n = json_array_size(servers);

	if (n > WATCH_SERVERS_MAX)
		return false;
	w->servers = xcalloc(n > 0 ? n : 1, sizeof(*w->servers));
	for (size_t i = 0; i < n; i++)
		if (endpoint_parse(json_string_value(json_array_get(servers, i)), &w->servers[i]) <
		    0)
			return false;
	w->wish.servers = w->servers;
	w->wish.n_servers = n;
	return true;
}

void
watch_serve(struct watches *all, struct ipc_call *call, const json_t *parameters)
{
	const char *upstream = json_string_value(json_object_get(parameters, "upstream"));
	const struct upstream_conf *up = conf_upstream(checks_conf(all->checks), upstream);
	struct watch *w;

	if (up == NULL || up->health == NULL) {
		ipc_error(
		    call, "org.trivet.check.NoSuchUpstream", json_pack("{ss}", "name", upstream));
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->all = all;
	w->upstream = xstrdup(upstream);
	w->wish.upstream = w->upstream;
	if (!take_servers(w, json_object_get(parameters, "servers"))) {
		ipc_error_invalid(call, "servers");
		watch_free(w);
		return;
	}
	w->names = names_of(w, checks_conf(all->checks));
	TAILQ_INSERT_TAIL(&all->list, w, entry);
	checks_wish(all->checks, &w->wish); /* first: its checks are in the snapshot */
	w->stream = ipc_publish_stream(
	    all->publisher, call, w->names, json_object_get(parameters, "heartbeatMs"), on_end, w);
}

void
watches_reload(struct watches *all)
{
	struct watch *w, *next;

	for (w = TAILQ_FIRST(&all->list); w != NULL; w = next) {
		json_t *names = names_of(w, checks_conf(all->checks));
		bool same = json_equal(names, w->names);

		next = TAILQ_NEXT(w, entry);
		json_decref(names);
		if (!same)
			ipc_stream_end(w->stream);
	}
}

struct watches *
watches_new(struct checks *checks, struct ipc_publisher *publisher)
{
	struct watches *all = xcalloc(1, sizeof(*all));

	all->checks = checks;
	all->publisher = publisher;
	TAILQ_INIT(&all->list);
	return all;
}

void
watches_free(struct watches *all)
{
	struct watch *w;

	if (all == NULL)
		return;
	while ((w = TAILQ_FIRST(&all->list)) != NULL)
		ipc_stream_end(w->stream);
	free(all);
}
