/*
 * vrrp_dual.c - the halves of a vrrp_instance with addresses of both families; see
 * vrrp_draft.h.
 */
#include "common/conf/vrrp_draft.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* The families of the addresses that are advertised, as bits. */
enum { HAS_IPV4 = 1, HAS_IPV6 = 2 };

static unsigned
families_of(const struct stmt *instance)
{
	unsigned found = 0;

	for (const struct stmt *block = instance->first; block != NULL; block = block->next) {
		if (strcmp(stmt_name(block), "virtual_ipaddress") != 0)
			continue;
		for (const struct stmt *s = block->first; s != NULL; s = s->next) {
			char *host = xstrndup(stmt_name(s), strcspn(stmt_name(s), "/"));
			struct addr a;

			if (addr_parse(host, &a) == 0)
				found |= a.family == AF_INET6 ? HAS_IPV6 : HAS_IPV4;
			free(host);
		}
	}
	return found;
}

bool
vrrp_has_both_families(const struct stmt *instance)
{
	return families_of(instance) == (HAS_IPV4 | HAS_IPV6);
}

void
vrrp_keep_half(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;
	struct routing_conf *r = &v->routing;
	size_t n = 0, n_advertised = 0;

	for (size_t i = 0; i < v->n_vips; i++) {
		if (v->vips[i].addr.family != draft->half) {
			vip_conf_done(&v->vips[i]);
			continue;
		}
		n_advertised += i < v->n_advertised;
		v->vips[n++] = v->vips[i];
	}
	v->n_vips = n;
	v->n_advertised = n_advertised;
	n = 0;
	for (size_t i = 0; i < v->n_peers; i++)
		if (v->peers[i].family == draft->half) {
			v->peer_ttls[n] = v->peer_ttls[i];
			v->peers[n++] = v->peers[i];
		}
	if (v->unicast && n == 0 && v->n_peers > 0)
		bind_say(b, CONF_ERROR, v->pos, "'%s' has no unicast_peer of IPv%d", v->dual,
		    draft->half == AF_INET ? 4 : 6);
	v->n_peers = n;
	n = 0;
	for (size_t i = 0; i < r->n_routes; i++)
		if (r->routes[i].route.family == draft->half)
			memcpy(&r->routes[n++], &r->routes[i], sizeof(*r->routes));
	r->n_routes = n;
	n = 0;
	for (size_t i = 0; i < r->n_rules; i++)
		if (r->rules[i].rule.family == draft->half)
			memcpy(&r->rules[n++], &r->rules[i], sizeof(*r->rules));
	r->n_rules = n;
}
