/*
 * vrrp_peers.c - whom a vrrp_instance speaks to by unicast, and from which address, or to
 * which group; see vrrp_draft.h.
 */
#include "common/conf/vrrp_draft.h"

#include <netinet/in.h>
#include <string.h>

/* One of each family is fine where there are two halves; keepalived takes the last one. */
static void
say_second(struct binder *b, const struct stmt *s, const struct addr *first)
{
	if (first->family != AF_UNSPEC)
		bind_say(b, CONF_WARNING, stmt_pos(s),
		    "'%s' is written twice here; the last one holds", stmt_name(s));
}

void
vrrp_bind_source(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct addr a;

	(void)d;
	if (vrrp_skips_address(b, s, "source address") || !value_addr(b, &s->words[1], &a))
		return;
	if (addr_is_multicast(&a) || addr_is_any(&a)) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' cannot be a source address",
		    s->words[1].text);
		return;
	}
	if (draft->half != AF_UNSPEC && a.family != draft->half)
		return;
	say_second(b, s, &draft->vrrp.source);
	draft->vrrp.source = a;
}

/* IP [min_ttl N] [max_ttl N] */
static bool
peer_line(struct binder *b, const struct stmt *s, struct addr *ret, struct ttl_range *ret_ttl)
{
	int64_t ttl;

	if (!value_addr(b, &s->words[0], ret))
		return false;
	if (addr_is_multicast(ret) || addr_is_any(ret)) {
		bind_say(b, CONF_ERROR, s->words[0].pos, "'%s' cannot be a peer", s->words[0].text);
		return false;
	}
	for (size_t i = 1; i < s->n_words; i += 2) {
		if (strcmp(s->words[i].text, "min_ttl") != 0 &&
		    strcmp(s->words[i].text, "max_ttl") != 0) {
			bind_say(b, CONF_ERROR, s->words[i].pos,
			    "'%.64s' is neither min_ttl nor max_ttl; one peer in a line",
			    s->words[i].text);
			return false;
		}
		if (i + 1 == s->n_words || !value_integer(b, &s->words[i + 1], 0, 255, &ttl)) {
			if (i + 1 == s->n_words)
				bind_say(b, CONF_ERROR, s->words[i].pos, "'%s' needs a value",
				    s->words[i].text);
			return false;
		}
		if (s->words[i].text[1] == 'i')
			ret_ttl->min = (uint8_t)ttl;
		else
			ret_ttl->max = (uint8_t)ttl;
	}
	if (ret_ttl->min > ret_ttl->max)
		bind_say(b, CONF_ERROR, stmt_pos(s), "min_ttl is above max_ttl: nothing is heard");
	return true;
}

#define PEERS_MAX 255

void
vrrp_bind_peers(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	struct vrrp_conf *v = &((struct draft *)object)->vrrp;

	(void)d;
	v->unicast = true;
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		struct ttl_range ttl = { 0, 255 };
		struct addr a;
		bool twice = false;

		if (vrrp_skips_address(b, s, "peer") || !vrrp_list_line(b, s) ||
		    !peer_line(b, s, &a, &ttl))
			continue;
		for (size_t i = 0; i < v->n_peers; i++)
			twice = twice || addr_equal(&v->peers[i], &a);
		if (twice) {
			bind_say(b, CONF_WARNING, stmt_pos(s), "the peer is here twice");
		} else if (v->n_peers >= PEERS_MAX) {
			bind_say(b, CONF_ERROR, stmt_pos(s), "more than %d peers", PEERS_MAX);
		} else {
			v->peers = conf_grow(v->peers, v->n_peers, sizeof(*v->peers));
			v->peer_ttls = conf_grow(v->peer_ttls, v->n_peers, sizeof(*v->peer_ttls));
			v->peer_ttls[v->n_peers] = ttl;
			v->peers[v->n_peers++] = a;
		}
	}
	if (block->first == NULL || (v->n_peers == 0 && block->first->left_out))
		bind_say(b, CONF_ERROR, stmt_pos(block),
		    "unicast without a peer: an advert would reach nobody");
}

void
vrrp_bind_destination(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct addr a;

	(void)d;
	if (vrrp_skips_address(b, s, "group") || !value_addr(b, &s->words[1], &a))
		return;
	if (!addr_is_multicast(&a)) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' is not a multicast address",
		    s->words[1].text);
		return;
	}
	if (draft->half != AF_UNSPEC && a.family != draft->half)
		return;
	say_second(b, s, &draft->vrrp.mcast_group);
	draft->vrrp.mcast_group = a;
}
