/*
 * session.c - see session.h.
 */
#include "proxyd/session.h"

#include <stdlib.h>

void
session_table_init(struct session_table *t, uint32_t seed)
{
	t->n_chunks = t->n_used = 0;
	t->first = seed & ~UINT32_C(1);
	TAILQ_INIT(&t->free);
}

void
session_table_done(struct session_table *t)
{
	for (uint32_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	session_table_init(t, t->first);
}

static bool
grow(struct session_table *t)
{
	struct session *chunk;

	if (t->n_chunks == SESSION_CHUNKS)
		return false;
	chunk = calloc(SESSION_CHUNK, sizeof(*chunk));
	if (chunk == NULL)
		return false;
	for (uint32_t i = 0; i < SESSION_CHUNK; i++) {
		chunk[i].index = t->n_chunks * SESSION_CHUNK + i;
		chunk[i].generation = t->first;
		TAILQ_INSERT_TAIL(&t->free, &chunk[i], queue);
	}
	t->chunks[t->n_chunks++] = chunk;
	return true;
}

struct session *
session_new(struct session_table *t)
{
	struct session *s = TAILQ_FIRST(&t->free);

	if (s == NULL && grow(t))
		s = TAILQ_FIRST(&t->free);
	if (s == NULL)
		return NULL;
	TAILQ_REMOVE(&t->free, s, queue);
	t->n_used++;
	*s = (struct session){
		.index = s->index, .generation = s->generation + 1, .fd = { -1, -1 }
	};
	return s;
}

/* An even generation is nobody's: what is in use has an odd one. */
void
session_free(struct session_table *t, struct session *s)
{
	s->generation++;
	t->n_used--;
	TAILQ_INSERT_HEAD(&t->free, s, queue); /* the warmest record next */
}

struct session *
session_find(const struct session_table *t, uint32_t index, uint32_t generation)
{
	struct session *s;

	if (index / SESSION_CHUNK >= t->n_chunks)
		return NULL;
	s = &t->chunks[index / SESSION_CHUNK][index % SESSION_CHUNK];
	return s->generation == generation ? s : NULL;
}

struct session *
session_each(const struct session_table *t, uint32_t *index)
{
	while (*index < t->n_chunks * SESSION_CHUNK) {
		struct session *s = &t->chunks[*index / SESSION_CHUNK][*index % SESSION_CHUNK];

		(*index)++;
		if (s->generation % 2 == 1)
			return s;
	}
	return NULL;
}
