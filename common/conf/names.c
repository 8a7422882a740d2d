/*
 * names.c - see names.h.  Open addressing, never more than half full.
 */
#include "common/conf/names.h"

#include "common/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

static const char *
name_at(const void *array, size_t stride, size_t index)
{
	return *(char *const *)((const char *)array + index * stride);
}

/* FNV-1a: whoever writes the configuration does not attack it. */
static size_t
hash(const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *p = name; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

static void
put(struct names *t, const char *name, size_t index)
{
	size_t i = hash(name) & (t->n_slots - 1);

	while (t->slots[i] != 0)
		i = (i + 1) & (t->n_slots - 1);
	t->slots[i] = index + 1;
}

static void
grow(struct names *t, const void *array, size_t stride)
{
	struct names bigger = { .n_slots = t->n_slots > 0 ? t->n_slots * 2 : FIRST_SLOTS,
		.n = t->n };

	bigger.slots = xcalloc(bigger.n_slots, sizeof(*bigger.slots));
	for (size_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] != 0)
			put(&bigger, name_at(array, stride, t->slots[i] - 1), t->slots[i] - 1);
	free(t->slots);
	*t = bigger;
}

void
names_add(struct names *t, const void *array, size_t stride, size_t index)
{
	if (2 * (t->n + 1) > t->n_slots)
		grow(t, array, stride);
	put(t, name_at(array, stride, index), index);
	t->n++;
}

void *
names_find(const struct names *t, const void *array, size_t stride, const char *name)
{
	if (t->n == 0)
		return NULL;
	for (size_t i = hash(name) & (t->n_slots - 1); t->slots[i] != 0;
	     i = (i + 1) & (t->n_slots - 1))
		if (strcmp(name_at(array, stride, t->slots[i] - 1), name) == 0)
			return (char *)array + (t->slots[i] - 1) * stride;
	return NULL;
}

void
names_done(struct names *t)
{
	free(t->slots);
	*t = (struct names){ 0 };
}
