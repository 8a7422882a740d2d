/*
 * proof.c - see proof.h.
 */
#include "vrrpd/proof.h"

#include "common/mono.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

static enum vrrp_hmac_mode
mode_of(enum hmac_mode_conf mode)
{
	switch (mode) {
	case HMAC_ENFORCE:
		break;
	case HMAC_PERMISSIVE:
		return VRRP_HMAC_PERMISSIVE;
	case HMAC_RECEIVE_ONLY:
		return VRRP_HMAC_RECEIVE_ONLY;
	}
	return VRRP_HMAC_ENFORCE;
}

static void
forget_keys(struct proof *p)
{
	if (p->keys != NULL)
		explicit_bzero(p->keys, p->hmac.n_keys * sizeof(*p->keys));
	free(p->keys);
	p->keys = NULL;
	p->hmac = (struct vrrp_hmac){ 0 };
}

void
proof_configure(struct proof *p, const struct hmac_conf *conf)
{
	forget_keys(p);
	if (conf == NULL)
		return;
	p->keys = xcalloc(MAX(conf->n_keys, 1), sizeof(*p->keys));
	for (size_t i = 0; i < conf->n_keys; i++) {
		p->keys[i].id = conf->keys[i].id;
		p->keys[i].size = conf->keys[i].size;
		memcpy(p->keys[i].bytes, conf->keys[i].bytes, sizeof(p->keys[i].bytes));
	}
	p->hmac = (struct vrrp_hmac){ .mode = mode_of(conf->mode),
		.keys = p->keys,
		.n_keys = conf->n_keys,
		.active = conf->active,
		.monotonic = conf->monotonic,
		.window_s = MAX(conf->window_us / USEC_PER_SEC, 1) };
}

void
proof_done(struct proof *p)
{
	forget_keys(p);
	*p = (struct proof){ 0 };
}

const struct vrrp_hmac *
proof_hmac(const struct proof *p)
{
	return p->keys != NULL ? &p->hmac : NULL;
}

void
proof_stamp(struct proof *p, const struct proof_time *wall)
{
	/* Peers that compare no clocks never forgive a step back. */
	int64_t window_s = p->hmac.monotonic ? INT64_MAX : p->hmac.window_s;

	p->sent = vrrp_hmac_next(p->sent, wall->s, wall->ns, window_s);
	p->hmac.sequence = p->sent;
}

/* Its place, or the one to be taken for it. */
static struct proof_sender *
sender_of(struct proof *p, const struct addr *source)
{
	struct proof_sender *oldest = &p->senders[0];

	for (size_t i = 0; i < ARRAY_LEN(p->senders); i++) {
		if (addr_equal(&p->senders[i].source, source))
			return &p->senders[i];
		if (p->senders[i].age < oldest->age)
			oldest = &p->senders[i];
	}
	return oldest;
}

bool
proof_accept(
    struct proof *p, const struct addr *source, uint64_t sequence, const struct proof_time *wall)
{
	struct proof_sender *sender = sender_of(p, source);
	bool known = addr_equal(&sender->source, source);
	uint64_t last = known ? sender->last : 0;

	if (!vrrp_hmac_fresh(&p->hmac, &last, sequence, wall->s))
		return false;
	*sender = (struct proof_sender){ .source = *source, .last = last, .age = ++p->heard };
	return true;
}

bool
proof_clock_is_off(const struct proof *p, uint64_t sequence, const struct proof_time *wall)
{
	int64_t off = (int64_t)(sequence >> 32) - (int64_t)(uint32_t)wall->s;

	return !p->hmac.monotonic && (off > p->hmac.window_s / 2 || off < -(p->hmac.window_s / 2));
}
