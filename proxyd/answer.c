/*
 * answer.c - see answer.h.
 */
#include "proxyd/answer.h"

#include "common/mono.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

void
answer_begin(struct answer *a)
{
	*a = (struct answer){ .ttl_s = ANSWER_TTL_MAX_S };
}

void
answer_fail(struct answer *a, const char *why)
{
	*a = (struct answer){ .why = why };
}

/* ---- one question ---- */

void
answer_part_holds(struct answer_part *part, unsigned ttl_s)
{
	part->ttl_s = MIN(part->ttl_s, ttl_s);
}

void
answer_part_add(struct answer_part *part, const struct addr *addr, unsigned ttl_s)
{
	answer_part_holds(part, ttl_s);
	if (part->n < ANSWER_MAX)
		part->addrs[part->n++] = *addr;
}

/* ---- all of them ---- */

/* Not less than a second: what is good for none is asked for again soon enough. */
static void
holds(struct answer *a, unsigned ttl_s)
{
	a->ttl_s = MIN(a->ttl_s, MAX(ttl_s, 1));
}

static void
add_part(struct answer *a, const struct target *like, const struct answer_part *part)
{
	holds(a, part->ttl_s);
	for (size_t i = 0; i < part->n && a->n < ANSWER_MAX; i++) {
		a->targets[a->n] = *like;
		a->targets[a->n++].at.addr = part->addrs[i];
	}
}

enum answer_outcome
answer_add(struct answer *a, const struct target *like, const struct answer_part *parts, size_t n)
{
	enum answer_outcome all = ANSWER_NONE;

	for (size_t i = 0; i < n; i++)
		if (parts[i].outcome == ANSWER_LOST) {
			answer_fail(a, parts[i].why);
			return ANSWER_LOST;
		}
	for (size_t i = 0; i < n; i++)
		if (parts[i].outcome == ANSWER_FOUND) {
			add_part(a, like, &parts[i]);
			all = ANSWER_FOUND;
		} else {
			a->why = parts[i].why;
		}
	return all;
}

/* ---- services ---- */

unsigned
answer_best(const struct answer_service *services, size_t n)
{
	unsigned best = UINT16_MAX;

	for (size_t i = 0; i < n; i++)
		best = MIN(best, services[i].priority);
	return best;
}

bool
answer_like(struct answer *a, const struct answer_service *s, unsigned best, struct target *ret)
{
	if (s->name[0] == '\0')
		return false;
	holds(a, s->ttl_s);
	*ret = (struct target){
		.at.port = s->port, .weight = MAX(s->weight, 1), .backup = s->priority != best
	};
	return true;
}

/* ---- putting in order ---- */

static int
compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int d = addr_cmp(&x->at.addr, &y->at.addr);

	if (d == 0)
		d = (int)x->at.port - (int)y->at.port;
	return d != 0 ? d : (int)x->backup - (int)y->backup; /* the better one is kept */
}

void
answer_settle(struct answer *a, bool told, int64_t valid_us)
{
	size_t kept = 0;

	if (!told)
		a->ttl_s = 0;
	else if (valid_us > 0)
		a->ttl_s = (unsigned)MIN(valid_us / USEC_PER_SEC, ANSWER_TTL_MAX_S);
	qsort(a->targets, a->n, sizeof(*a->targets), compare);
	for (size_t i = 0; i < a->n; i++)
		if (kept == 0 || !endpoint_equal(&a->targets[i].at, &a->targets[kept - 1].at))
			a->targets[kept++] = a->targets[i];
	a->n = kept;
	if (kept == 0 && a->why == NULL)
		a->why = "no address";
}

bool
answer_equal(const struct answer *a, const struct answer *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!endpoint_equal(&a->targets[i].at, &b->targets[i].at) ||
		    a->targets[i].weight != b->targets[i].weight ||
		    a->targets[i].backup != b->targets[i].backup)
			return false;
	return true;
}
