/*
 * names.h - which element of an array has a name, when there may be many
 * thousands of them.  The array may move and grow; its elements begin with a
 * char *name and keep their places.
 *
 * Internal to common/conf, but for the struct in conf.h.
 */
#ifndef COMMON_CONF_NAMES_H
#define COMMON_CONF_NAMES_H

#include <stddef.h>

struct names {	       /* zeroed is empty */
	size_t *slots; /* index + 1; 0: free.  A power of two of them */
	size_t n_slots, n;
};

void names_done(struct names *);

/* Element 'index' of the array, which has just come, and whose name is new. */
void names_add(struct names *, const void *array, size_t stride, size_t index);

/* The element, or NULL. */
void *names_find(const struct names *, const void *array, size_t stride, const char *name);

#endif
