/*
 * lease.c - see lease.h.
 */
#include "proxyd/lease.h"

#include "common/text.h"
#include "common/util.h"

#include <stdlib.h>

#define HEARTBEAT_MS 1000

/* One list of servers, asked for. */
struct ask {
	struct lease *lease;
	struct ipc_view *view;
	json_t *names; /* of the checks that it has spoken of, a set */
};

struct lease {
	uv_loop_t *loop;
	char *run_dir, *upstream;
	struct lease_events events;
	json_t *servers;
	struct ask *now, *next; /* next: not whole yet; NULL: the list has not changed */
};

static void
ask_free(struct ask *ask)
{
	if (ask == NULL)
		return;
	ipc_view_free(ask->view);
	json_decref(ask->names);
	free(ask);
}

/* ---- what comes ---- */

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf, (void)size;
	return json_string_value(json_object_get(object, "name"));
}

static void
on_object(void *aux, const char *name, const json_t *check)
{
	struct ask *ask = aux;
	struct lease *lease = ask->lease;

	if (check != NULL)
		json_object_set_new(ask->names, name, json_true());
	else
		json_object_del(ask->names, name);
	if (check != NULL || !lease_has(lease, name))
		lease->events.on_check(lease->events.aux, name, check);
}

/* The new list is complete: what only the old one asked for is no more. */
static void
change_over(struct lease *lease)
{
	struct ask *old = lease->now;
	const char *name;
	json_t *unused;

	lease->now = lease->next;
	lease->next = NULL;
	json_object_foreach (old->names, name, unused)
		if (!lease_has(lease, name))
			lease->events.on_check(lease->events.aux, name, NULL);
	ask_free(old);
}

static void
on_state(void *aux, enum ipc_view_state state, const char *why)
{
	struct ask *ask = aux;
	struct lease *lease = ask->lease;
	bool live = state == IPC_VIEW_LIVE;

	if (ask == lease->next && live)
		change_over(lease);
	if (ask == lease->now)
		lease->events.on_live(lease->events.aux, live, why);
}

/* ---- what is asked ---- */

static struct ask *
ask_new(struct lease *lease)
{
	static const struct ipc_view_array arrays[] = {
		{ .array = "checks", .key = name_of, .prefix = "", .on_object = on_object },
	};
	struct ask *ask = xcalloc(1, sizeof(*ask));
	const struct ipc_view_config config = {
		.daemon = "checkd",
		.run_dir = lease->run_dir,
		.method = "org.trivet.check.Watch",
		.parameters = json_pack(
		    "{ss sO}", "upstream", lease->upstream, "servers", lease->servers),
		.heartbeat_ms = HEARTBEAT_MS,
		.arrays = arrays,
		.n_arrays = ARRAY_LEN(arrays),
		.on_state = on_state,
		.aux = ask,
	};

	ask->lease = lease;
	ask->names = json_object();
	ask->view = ipc_view_new(lease->loop, &config);
	json_decref(config.parameters);
	return ask;
}

void
lease_set(struct lease *lease, json_t *servers)
{
	if (json_equal(lease->servers, servers))
		return;
	json_decref(lease->servers);
	lease->servers = json_incref(servers);
	ask_free(lease->next);
	lease->next = NULL;
	if (lease->now == NULL)
		lease->now = ask_new(lease);
	else
		lease->next = ask_new(lease);
}

/* ---- life ---- */

struct lease *
lease_new(
    uv_loop_t *loop, const char *run_dir, const char *upstream, const struct lease_events *events)
{
	struct lease *lease = xcalloc(1, sizeof(*lease));

	lease->loop = loop;
	lease->run_dir = xstrdup(run_dir);
	lease->upstream = xstrdup(upstream);
	lease->events = *events;
	return lease;
}

void
lease_free(struct lease *lease)
{
	if (lease == NULL)
		return;
	ask_free(lease->now);
	ask_free(lease->next);
	json_decref(lease->servers);
	free(lease->run_dir);
	free(lease->upstream);
	free(lease);
}

const char *
lease_upstream(const struct lease *lease)
{
	return lease->upstream;
}

bool
lease_is_live(const struct lease *lease)
{
	return lease->now != NULL && ipc_view_state(lease->now->view) == IPC_VIEW_LIVE;
}

bool
lease_has(const struct lease *lease, const char *check)
{
	return (lease->now != NULL && json_object_get(lease->now->names, check) != NULL) ||
	       (lease->next != NULL && json_object_get(lease->next->names, check) != NULL);
}
