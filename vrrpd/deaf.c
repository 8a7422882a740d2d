/*
 * deaf.c - see deaf.h.
 */
#include "vrrpd/deaf.h"

#include "common/util.h"

bool
deaf_contest(struct vrrp_deaf *d, const struct vrrp_advert *a, bool tie, mono_t now)
{
	int64_t since = mono_until(d->trouble_at, now);

	if (!addr_equal(&d->peer, &a->source) || since > 2 * a->interval_us) {
		if (since > d->wait_us)
			d->wait_us = 0;
		d->peer = a->source;
		d->vain = 0;
		d->told = false;
	} else if (d->told && mono_until(d->told_at, now) >= a->interval_us / 2) {
		/* Sooner it may have been under way when we answered, or be a copy. */
		d->vain++;
		d->told = false;
	}
	d->trouble_at = now;
	return d->vain >= DEAF_IN_VAIN && (!tie || d->wait_us == 0);
}

void
deaf_told(struct vrrp_deaf *d, mono_t now)
{
	if (d->told)
		return;
	d->told = true;
	d->told_at = now;
}

static void
probe_later(struct vrrp_deaf *d, int64_t wait_us, mono_t now)
{
	d->wait_us = MIN(MAX(wait_us, DEAF_PROBE_MIN_US), DEAF_PROBE_MAX_US);
	d->probe_at = mono_add(now, d->wait_us);
	deaf_calm(d);
}

void
deaf_give_way(struct vrrp_deaf *d, int64_t delay_us, mono_t now)
{
	d->on = true;
	probe_later(d, 2 * d->wait_us, now);
	d->probe_at = mono_max(d->probe_at, mono_add(now, delay_us));
}

void
deaf_hear(
    struct vrrp_deaf *d, const struct addr *source, int64_t interval_us, bool wanted, mono_t now)
{
	if (d->probing)
		probe_later(d, 2 * d->wait_us, now);
	if (!addr_equal(source, &d->peer))
		d->probe_at = mono_max(d->probe_at, mono_add(d->trouble_at, DEAF_PROBE_MAX_US));
	d->fire_at = wanted && !mono_before(now, d->probe_at) ? mono_add(now, interval_us / 2)
							      : MONO_NEVER;
}

void
deaf_calm(struct vrrp_deaf *d)
{
	d->probing = false;
	d->fire_at = MONO_NEVER;
}

void
deaf_return(struct vrrp_deaf *d, mono_t now)
{
	*d = (struct vrrp_deaf){ .wait_us = d->wait_us, .trouble_at = now };
}
