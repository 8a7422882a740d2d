/*
 * relay_udp_table.c - a data thread's UDP sessions by whose datagrams are theirs
 * (relay_udp_priv.h).
 */
#include "proxyd/relay_udp_priv.h"

#include <string.h>

struct udp_key
udp_key_of(const struct binding *b, const struct udp_datagram *d)
{
	struct udp_key k = { .binding = b->id };

	if (d->from.sa.sa_family == AF_INET) {
		k.from[0] = d->from.v4.sin_addr.s_addr;
		k.family_port = (uint32_t)AF_INET << 16 | d->from.v4.sin_port;
	} else {
		memcpy(k.from, &d->from.v6.sin6_addr, sizeof(k.from));
		k.scope = d->from.v6.sin6_scope_id;
		k.family_port = (uint32_t)AF_INET6 << 16 | d->from.v6.sin6_port;
	}
	if (d->local.family == AF_INET)
		k.local[0] = d->local.v4.s_addr;
	else if (d->local.family == AF_INET6) {
		memcpy(k.local, &d->local.v6.ipi6_addr, sizeof(k.local));
		k.interface = d->local.v6.ipi6_ifindex;
	}
	return k;
}

/* Multilinear, of secret factors: universal whatever the keys. */
static size_t
bucket_of(const struct udp *u, const struct udp_key *k)
{
	uint32_t words[UDP_KEY_WORDS];
	uint64_t sum = 0;

	memcpy(words, k, sizeof(words));
	for (size_t i = 0; i < UDP_KEY_WORDS; i++)
		sum += u->secret[i] * ((uint64_t)words[i] + 1);
	return (size_t)(sum >> 32) % UDP_BUCKETS;
}

struct udp_flow *
udp_flow_find(const struct udp *u, const struct udp_key *k)
{
	struct udp_flow *f;

	LIST_FOREACH (f, &u->buckets[bucket_of(u, k)], in_bucket)
		if (memcmp(&f->key, k, sizeof(*k)) == 0)
			return f;
	return NULL;
}

void
udp_flow_hash(struct udp *u, struct udp_flow *f)
{
	f->is_hashed = true;
	LIST_INSERT_HEAD(&u->buckets[bucket_of(u, &f->key)], f, in_bucket);
}

void
udp_flow_unhash(struct udp_flow *f)
{
	if (f->is_hashed)
		LIST_REMOVE(f, in_bucket);
	f->is_hashed = false;
	udp_home_left(f->home);
	f->home = NULL;
}
