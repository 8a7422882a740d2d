/*
 * limit.c - see limit.h.
 */
#include "proxyd/limit.h"

#include "common/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define BUCKETS_MAX 65536U

struct limit_key {
	struct limit_zone *zone; /* a reference */
	LIST_ENTRY(limit_key) entry;
	unsigned n;
	uint8_t size;
	uint8_t bytes[];
};

LIST_HEAD(key_list, limit_key);

struct limit_zone {
	char *name, *key;
	size_t size, n_keys;
	unsigned refs; /* of rules and of keys; under the lock of all zones */
	pthread_mutex_t lock;
	uint64_t secret; /* nobody outside can aim at one bucket */
	struct key_list *buckets;
	size_t n_buckets;
	LIST_ENTRY(limit_zone) entry;
};

static LIST_HEAD(, limit_zone) zones = LIST_HEAD_INITIALIZER(zones);
static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;

static struct limit_zone *
zone_new(const char *name, const char *key, size_t size)
{
	struct limit_zone *z = xcalloc(1, sizeof(*z));
	size_t keys = size / LIMIT_KEY_COST;

	z->name = xstrdup(name);
	z->key = xstrdup(key);
	z->size = size;
	if (getrandom(&z->secret, sizeof(z->secret), GRND_NONBLOCK) != sizeof(z->secret))
		z->secret = (uint64_t)(uintptr_t)z;
	for (z->n_buckets = 64; z->n_buckets < keys && z->n_buckets < BUCKETS_MAX;)
		z->n_buckets *= 2;
	z->buckets = xcalloc(z->n_buckets, sizeof(*z->buckets));
	pthread_mutex_init(&z->lock, NULL);
	LIST_INSERT_HEAD(&zones, z, entry);
	return z;
}

struct limit_zone *
limit_zone_open(const char *name, const char *key, size_t size)
{
	struct limit_zone *z;

	pthread_mutex_lock(&zones_lock);
	LIST_FOREACH (z, &zones, entry)
		if (strcmp(z->name, name) == 0 && strcmp(z->key, key) == 0 && z->size == size)
			break;
	if (z == NULL)
		z = zone_new(name, key, size);
	z->refs++;
	pthread_mutex_unlock(&zones_lock);
	return z;
}

static void
zone_ref(struct limit_zone *z)
{
	pthread_mutex_lock(&zones_lock);
	z->refs++;
	pthread_mutex_unlock(&zones_lock);
}

void
limit_zone_close(struct limit_zone *z)
{
	bool is_last;

	if (z == NULL)
		return;
	pthread_mutex_lock(&zones_lock);
	is_last = --z->refs == 0;
	if (is_last)
		LIST_REMOVE(z, entry);
	pthread_mutex_unlock(&zones_lock);
	if (!is_last)
		return;
	pthread_mutex_destroy(&z->lock);
	free(z->buckets);
	free(z->name);
	free(z->key);
	free(z);
}

const char *
limit_zone_name(const struct limit_zone *z)
{
	return z->name;
}

/* A polynomial of a secret modulo 2^61 - 1: universal whatever the keys. */
static struct key_list *
bucket_of(const struct limit_zone *z, const uint8_t *key, size_t size)
{
	const uint64_t prime = (UINT64_C(1) << 61) - 1;
	uint64_t factor = z->secret % prime, hash = size;

	for (size_t i = 0; i < size; i++)
		hash = (uint64_t)(((unsigned __int128)hash * factor + key[i] + 1) % prime);
	return &z->buckets[hash % z->n_buckets];
}

static struct limit_key *
find(const struct key_list *bucket, const uint8_t *key, size_t size)
{
	struct limit_key *k;

	LIST_FOREACH (k, bucket, entry)
		if (k->size == size && memcmp(k->bytes, key, size) == 0)
			return k;
	return NULL;
}

static int
take(struct limit_zone *z, const uint8_t *key, size_t size, unsigned max, struct limit_key **ret)
{
	struct key_list *bucket = bucket_of(z, key, size);
	struct limit_key *k = find(bucket, key, size);

	if (k != NULL && k->n >= max)
		return -EDQUOT;
	if (k == NULL) {
		if (z->n_keys >= z->size / LIMIT_KEY_COST)
			return -ENOSPC;
		k = calloc(1, sizeof(*k) + size);
		if (k == NULL)
			return -ENOSPC;
		k->zone = z;
		zone_ref(z);
		k->size = (uint8_t)size;
		memcpy(k->bytes, key, size);
		LIST_INSERT_HEAD(bucket, k, entry);
		z->n_keys++;
	}
	k->n++;
	*ret = k;
	return 0;
}

int
limit_take(struct limit_zone *z, const void *key, size_t size, unsigned max, struct limit_key **ret)
{
	int rc;

	*ret = NULL;
	if (size == 0)
		return 0;
	pthread_mutex_lock(&z->lock);
	rc = take(z, key, size < LIMIT_KEY_MAX ? size : LIMIT_KEY_MAX, max, ret);
	pthread_mutex_unlock(&z->lock);
	return rc;
}

void
limit_give(struct limit_key *k)
{
	struct limit_zone *z;
	bool is_last;

	if (k == NULL)
		return;
	z = k->zone;
	pthread_mutex_lock(&z->lock);
	is_last = --k->n == 0;
	if (is_last) {
		LIST_REMOVE(k, entry);
		z->n_keys--;
	}
	pthread_mutex_unlock(&z->lock);
	if (!is_last)
		return;
	free(k);
	limit_zone_close(z);
}

const struct limit_zone *
limit_key_zone(const struct limit_key *k)
{
	return k->zone;
}

const uint8_t *
limit_key_bytes(const struct limit_key *k, size_t *ret_size)
{
	*ret_size = k->size;
	return k->bytes;
}

size_t
limit_zone_keys(struct limit_zone *z)
{
	size_t n;

	pthread_mutex_lock(&z->lock);
	n = z->n_keys;
	pthread_mutex_unlock(&z->lock);
	return n;
}
