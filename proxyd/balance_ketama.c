/*
 * balance_ketama.c - consistent hashing: each server line stands at 160 points
 * for each unit of weight on a ring of CRCs, and a key belongs to the next point
 * from its own CRC on.  A server that comes or goes moves only the keys between
 * its points and those before them.
 *
 * The points are those of nginx (hash KEY consistent) and of the memcached
 * clients it follows, so that a mixed estate agrees: the CRC of host, NUL, port
 * and the four little-endian bytes of the point before.  A name that stands for
 * several addresses is one place on the ring; the addresses take turns.
 */
#include "proxyd/balance.h"
#include "proxyd/crc32.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

#define POINTS_EACH 160
#define POINTS_MAX  (1u << 20) /* 16 MiB of ring; heavier pools get fewer points each */
#define LINES_MAX   256	       /* asked for one session */

struct point {
	uint32_t hash;
	uint32_t order; /* of two servers at one point the first in the file has it */
	const char *line;
};

struct ketama {
	size_t n;
	struct point points[];
};

/* The CRC, unfinished, of what all points of a line begin with. */
static uint32_t
base_of(const char *line)
{
	const char *colon = strrchr(line, ':');
	size_t host = strlen(line);
	uint32_t crc;

	if (colon != NULL && colon[1 + strspn(colon + 1, "0123456789")] == '\0')
		host = (size_t)(colon - line);
	crc = crc32_update(CRC32_INIT, line, host);
	crc = crc32_update(crc, "", 1);
	return line[host] == ':' ? crc32_update(crc, line + host + 1, strlen(line + host + 1))
				 : crc;
}

static int
compare(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static size_t
points_of(const struct pool_server *s, uint64_t total)
{
	uint64_t n = (uint64_t)pool_weight(s) * POINTS_EACH;

	if (total * POINTS_EACH > POINTS_MAX) /* in proportion, and each has one */
		n = 1 + (uint64_t)pool_weight(s) * (POINTS_MAX / 2) / total;
	return n;
}

static void
add_points(struct ketama *k, const struct pool_server *s, size_t n)
{
	uint32_t base = base_of(s->line), before = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[4] = { (uint8_t)before, (uint8_t)(before >> 8),
			(uint8_t)(before >> 16), (uint8_t)(before >> 24) };

		before = ~crc32_update(base, bytes, sizeof(bytes));
		k->points[k->n] = (struct point){ before, (uint32_t)k->n, s->line };
		k->n++;
	}
}

static void
drop_doubles(struct ketama *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		if (n == 0 || k->points[n - 1].hash != k->points[i].hash)
			k->points[n++] = k->points[i];
	k->n = n;
}

/* Names with several addresses have the same points for each: once is enough. */
static bool
is_on_ring(const struct pool *pool, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!pool->servers[k]->params.backup &&
		    strcmp(pool->servers[k]->line, pool->servers[i]->line) == 0)
			return true;
	return pool->servers[i]->params.backup;
}

static void
prepare(struct pool *pool)
{
	uint64_t total = 0;
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		if (!is_on_ring(pool, i))
			total += pool_weight(pool->servers[i]);
	for (size_t i = 0; i < pool->n; i++)
		if (!is_on_ring(pool, i))
			n += points_of(pool->servers[i], total);
	free(pool->ring);
	pool->ring = xcalloc(1, sizeof(*pool->ring) + n * sizeof(struct point));
	for (size_t i = 0; i < pool->n; i++)
		if (!is_on_ring(pool, i))
			add_points(
			    pool->ring, pool->servers[i], points_of(pool->servers[i], total));
	qsort(pool->ring->points, pool->ring->n, sizeof(struct point), compare);
	drop_doubles(pool->ring);
}

/* The first point at or behind the hash; the ring closes. */
static size_t
find_point(const struct ketama *k, uint32_t hash)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->points[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low % k->n;
}

/* Of the servers of one line, those of several addresses take turns. */
static struct pool_server *
of_line(struct pool *pool, const struct pick_ask *ask, const char *line)
{
	struct pool_server *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];

		if (!balance_eligible(pool, s, ask, false) || strcmp(s->line, line) != 0)
			continue;
		s->current += pool_weight(s);
		total += pool_weight(s);
		if (best == NULL || s->current > best->current)
			best = s;
	}
	if (best != NULL)
		best->current -= total;
	return best;
}

/*
 * Along the ring until a line has a server, not for ever: it is walked under
 * the pool's lock.  (nginx gives up after 20 points.)
 */
static struct pool_server *
walk(struct pool *pool, const struct pick_ask *ask, size_t at)
{
	const struct ketama *k = pool->ring;
	const char *before = NULL;

	for (size_t i = 0, asked = 0; i < k->n && asked < LINES_MAX; i++) {
		const char *line = k->points[(at + i) % k->n].line;
		struct pool_server *s;

		if (line == before)
			continue;
		s = of_line(pool, ask, line);
		if (s != NULL)
			return s;
		before = line;
		asked++;
	}
	return balance_round_robin.choose(pool, ask, false);
}

static struct pool_server *
choose(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	uint32_t hash = ~crc32_update(CRC32_INIT, ask->key, ask->key_size);

	if (backup || pool->ring == NULL || pool->ring->n == 0 || ask->key_size == 0)
		return balance_round_robin.choose(pool, ask, backup);
	return walk(pool, ask, find_point(pool->ring, hash));
}

const struct balancer balance_ketama = { "consistentHash", choose, prepare };
