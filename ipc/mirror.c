/*
 * mirror.c - see mirror.h.
 */
#include "ipc/mirror.h"

#include "common/text.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

#define KEY_SIZE    512	  /* of a composed key */
#define OBJECTS_MAX 65536 /* of one array: a sibling may be wrong, and must not take our memory */

struct ipc_mirror {
	const struct ipc_view_array *arrays;
	size_t n_arrays;
	void *aux;
	json_t **objects; /* by array: key -> object, what the consumer knows */
	json_t **fresh;	  /* the snapshot that is coming in; NULL each: none */
	bool in_snapshot, complete;
	char *epoch; /* of this connection's messages; NULL before the first */
	json_int_t sequence;
};

struct ipc_mirror *
ipc_mirror_new(const struct ipc_view_array *arrays, size_t n_arrays, void *aux)
{
	struct ipc_mirror *m = xcalloc(1, sizeof(*m));

	m->arrays = arrays;
	m->n_arrays = n_arrays;
	m->aux = aux;
	m->objects = xcalloc(m->n_arrays, sizeof(json_t *));
	m->fresh = xcalloc(m->n_arrays, sizeof(json_t *));
	for (size_t i = 0; i < m->n_arrays; i++)
		m->objects[i] = json_object();
	return m;
}

static void
drop_fresh(struct ipc_mirror *m)
{
	for (size_t i = 0; i < m->n_arrays; i++) {
		json_decref(m->fresh[i]);
		m->fresh[i] = NULL;
	}
	m->in_snapshot = false;
}

void
ipc_mirror_free(struct ipc_mirror *m)
{
	if (m == NULL)
		return;
	drop_fresh(m);
	for (size_t i = 0; i < m->n_arrays; i++)
		json_decref(m->objects[i]);
	free(m->objects);
	free(m->fresh);
	free(m->epoch);
	free(m);
}

/* ---- telling the consumer ---- */

static void
put(struct ipc_mirror *m, size_t i, const char *key, json_t *object)
{
	if (json_equal(json_object_get(m->objects[i], key), object))
		return;
	json_object_set(m->objects[i], key, object);
	m->arrays[i].on_object(m->aux, key, object);
}

static void
drop(struct ipc_mirror *m, size_t i, const char *key)
{
	json_t *object = json_incref(json_object_get(m->objects[i], key));

	if (object == NULL)
		return;
	json_object_del(m->objects[i], key);
	m->arrays[i].on_object(m->aux, key, NULL);
	json_decref(object); /* its strings may have been the consumer's key */
}

/* The new picture replaces the old one whole: first what is there, then what is not. */
static void
replace(struct ipc_mirror *m, size_t i)
{
	const char *key;
	json_t *object;
	void *next;

	json_object_foreach (m->fresh[i], key, object)
		put(m, i, key, object);
	json_object_foreach_safe(m->objects[i], next, key, object)
	{
		if (json_object_get(m->fresh[i], key) == NULL) {
			char *copy = xstrdup(key); /* the key dies with its entry */

			drop(m, i, copy);
			free(copy);
		}
	}
}

/* ---- one message ---- */

static const char *
take_object(struct ipc_mirror *m, size_t i, json_t *object)
{
	json_t *into = m->in_snapshot ? m->fresh[i] : m->objects[i];
	char buf[KEY_SIZE];
	const char *key;

	if (!json_is_object(object))
		return "an object expected";
	key = m->arrays[i].key(object, buf, sizeof(buf));
	if (key == NULL)
		return NULL; /* not for us */
	if (json_object_size(into) >= OBJECTS_MAX && json_object_get(into, key) == NULL)
		return "too many objects";
	if (m->in_snapshot)
		json_object_set(into, key, object);
	else
		put(m, i, key, object);
	return NULL;
}

static const char *
take_array(struct ipc_mirror *m, size_t i, const json_t *array)
{
	if (array == NULL || json_is_null(array))
		return NULL;
	if (!json_is_array(array))
		return "an array of objects expected";
	for (size_t k = 0; k < json_array_size(array); k++) {
		const char *nonsense = take_object(m, i, json_array_get(array, k));

		if (nonsense != NULL)
			return nonsense;
	}
	return NULL;
}

static void
take_removed_key(struct ipc_mirror *m, const char *key)
{
	for (size_t i = 0; i < m->n_arrays; i++) {
		size_t n = strlen(m->arrays[i].prefix);

		if (strncmp(key, m->arrays[i].prefix, n) != 0)
			continue;
		if (m->in_snapshot)
			json_object_del(m->fresh[i], key + n);
		else
			drop(m, i, key + n);
	}
}

static const char *
take_removed(struct ipc_mirror *m, const json_t *removed)
{
	if (removed == NULL || json_is_null(removed))
		return NULL;
	if (!json_is_array(removed))
		return "an array of keys expected";
	for (size_t k = 0; k < json_array_size(removed); k++) {
		const char *key = json_string_value(json_array_get(removed, k));

		if (key == NULL)
			return "a key expected";
		take_removed_key(m, key);
	}
	return NULL;
}

static const char *
take_content(struct ipc_mirror *m, const json_t *parameters)
{
	for (size_t i = 0; i < m->n_arrays; i++) {
		const char *nonsense = take_array(
		    m, i, json_object_get(parameters, m->arrays[i].array));

		if (nonsense != NULL)
			return nonsense;
	}
	return take_removed(m, json_object_get(parameters, "removed"));
}

/* One process, one epoch; its counter never runs backwards. */
static const char *
take_position(struct ipc_mirror *m, const json_t *parameters)
{
	const char *epoch = json_string_value(json_object_get(parameters, "epoch"));
	const json_t *sequence = json_object_get(parameters, "sequence");

	if (epoch == NULL || !json_is_integer(sequence))
		return "a message without epoch and sequence";
	if (m->epoch == NULL) {
		m->epoch = xstrdup(epoch);
		m->sequence = json_integer_value(sequence);
	}
	if (strcmp(m->epoch, epoch) != 0)
		return "its epoch changed within a connection";
	if (json_integer_value(sequence) < m->sequence)
		return "its sequence runs backwards";
	m->sequence = json_integer_value(sequence);
	return NULL;
}

static const char *
take_snapshot(struct ipc_mirror *m, const json_t *parameters)
{
	const char *nonsense;

	for (size_t i = 0; i < m->n_arrays && !m->in_snapshot; i++)
		m->fresh[i] = json_object();
	m->in_snapshot = true;
	nonsense = take_content(m, parameters);
	if (nonsense != NULL || !json_is_true(json_object_get(parameters, "complete")))
		return nonsense;
	for (size_t i = 0; i < m->n_arrays; i++)
		replace(m, i);
	drop_fresh(m);
	m->complete = true;
	return NULL;
}

const char *
ipc_mirror_apply(struct ipc_mirror *m, const json_t *parameters)
{
	const char *kind = json_string_value(json_object_get(parameters, "kind"));
	const char *nonsense = take_position(m, parameters);

	if (nonsense != NULL)
		return nonsense;
	if (kind == NULL)
		return "a message without kind";
	if (strcmp(kind, "snapshot") == 0)
		return take_snapshot(m, parameters);
	if (strcmp(kind, "update") == 0)
		return m->complete ? take_content(m, parameters) : "an update before the snapshot";
	return NULL; /* a heartbeat, or what a newer sibling has and we do not know */
}

bool
ipc_mirror_is_complete(const struct ipc_mirror *m)
{
	return m->complete;
}

void
ipc_mirror_disconnected(struct ipc_mirror *m)
{
	drop_fresh(m);
	m->complete = false;
	free(m->epoch);
	m->epoch = NULL;
}

void
ipc_mirror_describe(const struct ipc_mirror *m, json_t *link)
{
	bool known = m->epoch != NULL;

	json_object_set_new(link, "epoch", known ? json_string(m->epoch) : json_null());
	json_object_set_new(link, "sequence", known ? json_integer(m->sequence) : json_null());
}
