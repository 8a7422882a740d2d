/*
 * udp_homes.c - see udp_homes.h.
 */
#include "proxyd/udp_homes.h"

#include "proxyd/relay_udp_priv.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 1024

struct udp_home {
	struct udp_key key;
	struct udp_homes *homes;
	struct worker *worker;
	int fd;
	LIST_ENTRY(udp_home) entry;
};

struct udp_homes {
	pthread_mutex_t lock;
	unsigned n; /* atomic: none, and nobody takes the lock */
	LIST_HEAD(, udp_home) buckets[BUCKETS];
};

/* Nobody outside can add to it, so that any hash will do. */
static size_t
bucket_of(const struct udp_key *k)
{
	uint32_t words[UDP_KEY_WORDS], sum = 0;

	memcpy(words, k, sizeof(words));
	for (size_t i = 0; i < UDP_KEY_WORDS; i++)
		sum = (sum ^ words[i]) * UINT32_C(0x9e3779b1);
	return (sum >> 16) % BUCKETS;
}

struct udp_homes *
udp_homes_new(void)
{
	struct udp_homes *h = xcalloc(1, sizeof(*h));

	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void
udp_homes_free(struct udp_homes *h)
{
	if (h == NULL)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

struct udp_home *
udp_homes_add(struct udp_homes *h, const struct udp_key *key, struct worker *w, int fd)
{
	struct udp_home *home = xcalloc(1, sizeof(*home));

	home->key = *key;
	home->key.binding = 0;
	home->homes = h;
	home->worker = w;
	home->fd = fd;
	pthread_mutex_lock(&h->lock);
	LIST_INSERT_HEAD(&h->buckets[bucket_of(&home->key)], home, entry);
	__atomic_fetch_add(&h->n, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&h->lock);
	return home;
}

void
udp_home_left(struct udp_home *home)
{
	struct udp_homes *h;

	if (home == NULL)
		return;
	h = home->homes;
	pthread_mutex_lock(&h->lock);
	LIST_REMOVE(home, entry);
	__atomic_fetch_sub(&h->n, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&h->lock);
	free(home);
}

static struct udp_datagram *
copy_of(const struct udp_datagram *d)
{
	struct udp_datagram *copy = malloc(sizeof(*copy) + d->data.iov_len);

	if (copy == NULL)
		return NULL;
	*copy = *d;
	copy->data.iov_base = copy + 1;
	memcpy(copy + 1, d->data.iov_base, d->data.iov_len);
	return copy;
}

static void
hand(const struct udp_home *home, struct listener *l, int via, const struct udp_datagram *d)
{
	struct worker *w = home->worker;
	struct udp_datagram *copy;

	if (__atomic_load_n(&w->n_handed, __ATOMIC_RELAXED) >= UDP_HANDED_MAX)
		return;
	copy = copy_of(d);
	if (copy == NULL)
		return;
	__atomic_fetch_add(&w->n_handed, 1, __ATOMIC_RELAXED);
	worker_send(w, &(struct command){ .kind = COMMAND_DATAGRAM,
			   .listener = l,
			   .fd = home->fd,
			   .via = via,
			   .datagram = copy });
}

/* Under the lock: what is here has not ended, so its thread is there. */
bool
udp_homes_hand(struct udp_homes *h, const struct udp_key *key, struct listener *l, int via,
    const struct udp_datagram *d)
{
	struct udp_key k = *key;
	struct udp_home *home;

	if (h == NULL || __atomic_load_n(&h->n, __ATOMIC_RELAXED) == 0)
		return false;
	k.binding = 0;
	pthread_mutex_lock(&h->lock);
	LIST_FOREACH (home, &h->buckets[bucket_of(&k)], entry)
		if (memcmp(&home->key, &k, sizeof(k)) == 0)
			break;
	if (home != NULL)
		hand(home, l, via, d);
	pthread_mutex_unlock(&h->lock);
	return home != NULL;
}

void
udp_homes_hold(struct udp_homes *h)
{
	if (h != NULL)
		pthread_mutex_lock(&h->lock);
}

void
udp_homes_go_on(struct udp_homes *h)
{
	if (h != NULL)
		pthread_mutex_unlock(&h->lock);
}
