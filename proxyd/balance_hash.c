/*
 * balance_hash.c - the same server for the same key, by the key's CRC over the
 * sum of weights, computed as nginx does so that nodes of both kinds agree.  A
 * server that cannot be had is passed over by hashing again.
 *
 * The sum counts every primary, also those that are down: a server that goes
 * and comes back moves nobody else's clients.  The key is everybody's when it
 * is empty: then turns are taken.
 */
#include "proxyd/balance.h"
#include "proxyd/crc32.h"

#include "common/text.h"

#define TRIES_MAX 20 /* as in nginx; then turns are taken */

/* The sum of weights, with the weights that the file or the operator gave. */
static uint64_t
total_weight(const struct pool *pool)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pool->n; i++)
		if (!pool->servers[i]->params.backup)
			total += pool_weight(pool->servers[i]);
	return total;
}

static struct pool_server *
at_weight(const struct pool *pool, uint64_t at)
{
	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];

		if (s->params.backup)
			continue;
		if (at < pool_weight(s))
			return s;
		at -= pool_weight(s);
	}
	return NULL;
}

/* The key, after the first try with the number of the try before it, in decimal. */
static uint32_t
hash_of(const struct pick_ask *ask, unsigned try)
{
	char digits[2] = { (char)('0' + try / 10), (char)('0' + try % 10) };
	uint32_t crc = CRC32_INIT;

	if (try >= 10)
		crc = crc32_update(crc, digits, 2);
	else if (try > 0)
		crc = crc32_update(crc, digits + 1, 1);
	return ~crc32_update(crc, ask->key, ask->key_size) >> 16 & 0x7fff;
}

static struct pool_server *
choose(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	uint64_t total = backup ? 0 : total_weight(pool), hash = 0;

	for (unsigned try = 0; try <= TRIES_MAX && total > 0 && ask->key_size > 0; try++) {
		struct pool_server *s;

		hash += hash_of(ask, try);
		s = at_weight(pool, hash % total);
		if (s != NULL && balance_eligible(pool, s, ask, false))
			return s;
	}
	return balance_round_robin.choose(pool, ask, backup);
}

const struct balancer balance_hash = { "hash", choose, NULL };
