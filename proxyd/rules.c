/*
 * rules.c - see rules.h.
 */
#include "proxyd/rules.h"

#include "common/text.h"

#include <stdlib.h>

struct rules *
rules_new(const struct listener_conf *lc)
{
	struct rules *r;

	if (lc->upstream->key.n == 0)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->refs = 1;
	template_copy(&lc->upstream->key, &r->key);
	return r;
}

void
rules_ref(struct rules *r)
{
	if (r != NULL)
		__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
}

void
rules_unref(struct rules *r)
{
	if (r == NULL || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	template_done(&r->key);
	free(r);
}
