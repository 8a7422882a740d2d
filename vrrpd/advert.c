/*
 * advert.c - see advert.h.
 */
#include "vrrpd/advert.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
advert_init(struct advert *a)
{
	*a = (struct advert){ .ear.wire = &a->wire };
}

void
advert_done(struct advert *a)
{
	vrrp_sock_unlisten(a->sock, &a->ear);
	vrrp_sock_put(a->sock);
	vrrp_sock_put(a->voice);
	free(a->addrs);
	free(a->peers);
	free(a->ttls);
	free(a->forms);
	proof_done(&a->proof);
	*a = (struct advert){ 0 };
}

static struct addr *
advertised(const struct vrrp_conf *conf)
{
	struct addr *addrs = xcalloc(MAX(conf->n_advertised, 1), sizeof(*addrs));

	for (size_t i = 0; i < conf->n_advertised; i++)
		addrs[i] = conf->vips[i].addr;
	return addrs;
}

static struct addr *
copy_addrs(const struct addr *addrs, size_t n)
{
	struct addr *copy = xcalloc(MAX(n, 1), sizeof(*copy));

	if (n > 0)
		memcpy(copy, addrs, n * sizeof(*copy));
	return copy;
}

static struct vrrp_ttls *
copy_ttls(const struct vrrp_conf *conf)
{
	struct vrrp_ttls *ttls = xcalloc(MAX(conf->n_peers, 1), sizeof(*ttls));

	for (size_t i = 0; i < conf->n_peers; i++)
		ttls[i] = (struct vrrp_ttls){ conf->peer_ttls[i].min, conf->peer_ttls[i].max };
	return ttls;
}

/*
 * In which form each peer is spoken to: as before, if it is the same peer and
 * the configuration asks for the same form as before.
 */
static enum vrrp_cksum *
forms_of(const struct advert *old, const struct vrrp_conf *conf, enum vrrp_cksum form)
{
	enum vrrp_cksum *forms = xcalloc(MAX(conf->n_peers, 1), sizeof(*forms));

	for (size_t i = 0; i < conf->n_peers; i++) {
		forms[i] = form;
		for (size_t k = 0; k < old->wire.n_peers; k++)
			if (old->wire.cksum == form && addr_equal(&old->peers[k], &conf->peers[i]))
				forms[i] = old->forms[k];
	}
	return forms;
}

void
advert_configure(struct advert *a, const struct vrrp_conf *conf)
{
	struct addr primary = a->wire.primary;
	enum vrrp_cksum form = conf->version == 2 || conf->v3_checksum_as_v2 ? VRRP_CKSUM_MESSAGE
									     : VRRP_CKSUM_PSEUDO;
	enum vrrp_cksum *forms = forms_of(a, conf, form);

	free(a->addrs);
	free(a->peers);
	free(a->ttls);
	free(a->forms);
	a->ttls = copy_ttls(conf);
	a->ttl = conf->unicast ? conf->unicast_ttl : VRRP_IP_TTL;
	a->skip_addrs = conf->skip_check_adv_addr;
	a->last = (struct addr){ 0 };
	a->forms = forms;
	proof_configure(&a->proof, conf->hmac);
	a->addrs = advertised(conf);
	a->peers = copy_addrs(conf->peers, conf->n_peers);
	a->group = conf->mcast_group;
	a->wire = (struct vrrp_wire){
		.version = conf->version,
		.family = conf->family,
		.vrid = conf->vrid,
		.interval_us = conf->advert_us,
		.auth_pass = conf->auth == VRRP_AUTH_PASS,
		.cksum = form,
		.primary = primary,
		.unicast = conf->unicast,
		.peers = a->peers,
		.n_peers = conf->n_peers,
		.ttls = a->ttls,
		.addrs = a->addrs,
		.n_addrs = MIN(conf->n_advertised, (size_t)VRRP_ADDRS_MAX),
		.hmac = proof_hmac(&a->proof),
	};
	memcpy(a->wire.pass, conf->auth_pass, sizeof(a->wire.pass));
	a->differs = 0;
	vrrp_sock_refilter(a->sock);
}

int
advert_open(struct advert *a, struct sock_set *set, const struct netlink_link *link)
{
	struct vrrp_sock *sock = NULL;
	int r = 0;

	if (link != NULL && (r = vrrp_sock_get(set, link, a->wire.family, &sock)) == 0 &&
	    !a->wire.unicast && (r = vrrp_sock_join(sock, &a->group)) != 0) {
		vrrp_sock_put(sock);
		sock = NULL;
	}
	vrrp_sock_unlisten(a->sock, &a->ear);
	vrrp_sock_put(a->sock);
	a->sock = sock;
	if (sock != NULL)
		vrrp_sock_listen(sock, &a->ear);
	return r;
}

static struct proof_time
wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct proof_time){ ts.tv_sec, (int32_t)ts.tv_nsec };
}

int
advert_speak(struct advert *a, struct sock_set *set, const struct netlink_link *link)
{
	struct vrrp_sock *sock = NULL;
	int r = 0;

	if (link != NULL && a->voice != NULL && vrrp_sock_index(a->voice) == link->index)
		return 0;
	if (link != NULL && (r = vrrp_sock_get(set, link, a->wire.family, &sock)) == 0)
		vrrp_sock_borrow_source(sock);
	vrrp_sock_put(a->voice);
	a->voice = sock;
	return r;
}

static int
send_to(struct advert *a, const struct addr *destination, enum vrrp_cksum form, uint8_t priority,
    int64_t interval_us, void *tag)
{
	struct vrrp_sock *sock = a->voice != NULL ? a->voice : a->sock;
	uint8_t buf[VRRP_PKT_MAX];
	ssize_t n;

	a->wire.cksum = form;
	n = vrrp_pkt_encode(&a->wire, priority, interval_us, destination, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	if (tag == NULL)
		return vrrp_sock_send(sock, &a->wire.primary, destination, a->ttl, buf, (size_t)n);
	vrrp_sock_post(sock, &a->wire.primary, destination, a->ttl, buf, (size_t)n, tag);
	return 0;
}

/* 'tag' NULL: at once. */
static int
send_to_all(struct advert *a, uint8_t priority, int64_t interval_us, void *tag)
{
	enum vrrp_cksum form = a->wire.cksum;
	int first = 0;

	if (a->sock == NULL || a->wire.primary.family == AF_UNSPEC)
		return -ENETDOWN;
	a->sent++;
	if (priority == VRRP_PRIORITY_LEAVE)
		a->zero_sent++;
	if (a->wire.hmac != NULL) {
		struct proof_time now = wall_clock();

		proof_stamp(&a->proof, &now);
	}
	if (!a->wire.unicast)
		return send_to(a, &a->group, form, priority, interval_us, tag);
	for (size_t i = 0; i < a->wire.n_peers; i++) {
		int r = send_to(a, &a->peers[i], a->forms[i], priority, interval_us, tag);

		first = first != 0 ? first : r;
	}
	a->wire.cksum = form;
	return first;
}

int
advert_send(struct advert *a, uint8_t priority, int64_t interval_us)
{
	return send_to_all(a, priority, interval_us, NULL);
}

int
advert_post(struct advert *a, uint8_t priority, void *tag)
{
	return send_to_all(a, priority, 0, tag);
}

/*
 * A peer is answered in the form of version 3's checksum over IPv4 that it uses
 * itself.  (To a group it cannot be: its members may differ.)
 */
static void
adapt(struct advert *a, const struct vrrp_pkt *pkt)
{
	if (!a->wire.unicast || a->wire.family != AF_INET)
		return;
	for (size_t i = 0; i < a->wire.n_peers; i++)
		if (addr_equal(&a->peers[i], &pkt->advert.source))
			a->forms[i] = pkt->cksum;
}

/* The trailer is right; is it also news? */
static enum vrrp_pkt_err
check_replay(struct advert *a, const struct vrrp_pkt *pkt, unsigned *differs)
{
	struct proof_time now;
	uint64_t sequence;

	if (a->wire.hmac == NULL || pkt->trailer == NULL)
		return VRRP_PKT_OK;
	now = wall_clock();
	sequence = vrrp_hmac_sequence(pkt->trailer);
	if (!proof_accept(&a->proof, &pkt->advert.source, sequence, &now))
		return VRRP_PKT_ERR_HMAC_STALE;
	if (proof_clock_is_off(&a->proof, sequence, &now))
		*differs |= VRRP_DIFFERS_CLOCK;
	return VRRP_PKT_OK;
}

enum vrrp_pkt_err
advert_hear(struct advert *a, const struct vrrp_pkt *pkt)
{
	unsigned differs = 0;
	enum vrrp_pkt_err err = vrrp_pkt_check(&a->wire, pkt, &differs);

	if (err == VRRP_PKT_OK)
		err = check_replay(a, pkt, &differs);
	if (err != VRRP_PKT_OK) {
		a->dropped[err]++;
		vrrp_sock_unwanted(a->sock);
		return err;
	}
	a->received++;
	if (a->skip_addrs && addr_equal(&a->last, &pkt->advert.source))
		differs = (differs & ~(unsigned)VRRP_DIFFERS_ADDRESSES) |
			  (a->differs & VRRP_DIFFERS_ADDRESSES);
	a->last = pkt->advert.source;
	a->differs = differs;
	if (pkt->advert.priority == VRRP_PRIORITY_LEAVE)
		a->zero_received++;
	adapt(a, pkt);
	return VRRP_PKT_OK;
}
