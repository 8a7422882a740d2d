/*
 * statics.c - see statics.h.
 */
#include "vrrpd/statics.h"

#include "common/log.h"
#include "common/loop.h"

#define NAME "static"

/* Each by itself: what goes again and again is not ours to judge. */
static void
on_lost(void *aux, struct vip *vip, enum vip_loss loss)
{
	struct statics *s = aux;
	char buf[ADDR_STRLEN];

	(void)loss;
	if (vip->no_track)
		return;
	log_notice("(" NAME ") address %s of %s was deleted by somebody else: putting it back",
	    addr_format(&vip->request.local, buf), vip->device);
	vip_group_hold(&s->vips, loop_now());
}

void
statics_init(struct statics *s, struct vip_set *vips, struct routing_set *routing)
{
	vip_group_init(&s->vips, vips, NAME, on_lost, s);
	routing_init(&s->routing, routing, NAME);
}

void
statics_done(struct statics *s)
{
	vip_group_done(&s->vips);
	routing_done(&s->routing);
}

void
statics_apply(struct statics *s, const struct conf *conf, mono_t now)
{
	static char no_interface[] = "";
	/* As if of an instance that is always master. */
	const struct vrrp_conf as = { .interface = no_interface,
		.vips = conf->static_vips,
		.n_vips = conf->n_static_vips,
		.advert_us = USEC_PER_SEC };

	vip_group_configure(&s->vips, &as);
	routing_configure(&s->routing, &conf->static_routing, NULL, 0, 0);
	vip_group_hold(&s->vips, now);
	routing_hold(&s->routing, now);
}

void
statics_again(struct statics *s, mono_t now)
{
	if (s->vips.held && vip_group_n_missing(&s->vips) > 0)
		vip_group_hold(&s->vips, now);
	routing_again(&s->routing, now);
}

void
statics_release(struct statics *s)
{
	routing_release(&s->routing);
	vip_group_release(&s->vips);
}
