/*
 * announcer.c - see announcer.h.
 */
#include "vrrpd/announcer.h"

#include "common/log.h"
#include "common/util.h"
#include "vrrpd/announce.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_due(struct loop_timer *, mono_t);

void
announcer_init(struct announcer *a, uv_loop_t *loop, struct netlink *nl, struct sock_set *socks,
    const struct vip_group *vips)
{
	*a = (struct announcer){ .nl = nl, .socks = socks, .vips = vips };
	announce_plan_init(&a->plan);
	a->pace_at = MONO_NEVER;
	loop_timer_init(loop, &a->timer, on_due);
}

void
announcer_configure(struct announcer *a, const struct vrrp_conf *conf, int32_t lease_s)
{
	struct announce_words words = {
		.delay_us = conf->garp_delay_us,
		.repeat = conf->garp_repeat,
		.refresh_us = conf->garp_refresh_us,
		.refresh_repeat = conf->garp_refresh_repeat,
		.lower_delay_us = conf->garp_lower_delay_us,
		.lower_repeat = conf->garp_lower_repeat,
	};

	announce_plan_configure(
	    &a->plan, &words, lease_s, conf->advert_us, conf->down_timer_adverts);
	a->garp_interval_us = conf->garp_interval_us;
	a->gna_interval_us = conf->gna_interval_us;
}

/* RFC 4861, 4.4: the R flag says that the sender is a router. */
static bool
is_router(const struct netlink_link *link)
{
	char path[64 + IFNAMSIZ], value = '0';
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding", link->name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		if (read(fd, &value, 1) != 1)
			value = '0';
		close(fd);
	}
	return value != '0';
}

/* False: not yet, the link had one just now; a->pace_at says when. */
static bool
announce_one(struct announcer *a, const struct vip *vip, mono_t now)
{
	const struct netlink_link *link = netlink_link_by_index(a->nl, vip->request.index);
	bool ip6 = vip->request.local.family == AF_INET6;
	uint8_t frame[ANNOUNCE_MAX];
	char buf[ADDR_STRLEN];
	size_t size;
	int r;

	/* Only Ethernet asks who has an address. */
	if (!vip->present || link == NULL || !link->has_mac || (link->flags & IFF_NOARP))
		return true;
	if (!vrrp_sock_pace(a->socks, link, vip->request.local.family,
		ip6 ? a->gna_interval_us : a->garp_interval_us, now, &a->pace_at))
		return false;
	size = announce_frame(&vip->request.local, link->mac, ip6 && is_router(link), frame);
	if ((r = vrrp_sock_send_frame(a->socks, link, frame, size)) == 0)
		a->sent++;
	else
		log_debug("cannot announce %s on %s: %s", addr_format(&vip->request.local, buf),
		    link->name, strerror(-r));
	return true;
}

/* What is left of the rounds, as far as the pace lets it. */
static void
announce_rest(struct announcer *a, mono_t now)
{
	a->pace_at = MONO_NEVER;
	for (; a->rounds > 0; a->rounds--, a->at = 0)
		for (; a->at < a->vips->n; a->at++)
			if (!announce_one(a, &a->vips->vips[a->at], now))
				return;
}

/* So many rounds from the first address on; what was left of those before is among them. */
static void
announce_all(struct announcer *a, unsigned repeat, mono_t now)
{
	a->rounds = MAX(repeat, a->rounds);
	a->at = 0;
	announce_rest(a, now);
}

static void
arm(struct announcer *a)
{
	loop_timer_at(&a->timer, mono_min(a->pace_at, announce_plan_next(&a->plan)));
}

static void
on_due(struct loop_timer *t, mono_t now)
{
	struct announcer *a = CONTAINER_OF(t, struct announcer, timer);
	unsigned rounds;

	if (!mono_before(now, a->pace_at))
		announce_rest(a, now);
	rounds = announce_plan_due(&a->plan, now);
	if (rounds > 0)
		announce_all(a, rounds, now);
	arm(a);
}

void
announcer_begin(struct announcer *a, bool contest, mono_t now)
{
	announce_all(a, announce_plan_begin(&a->plan, contest, now), now);
	arm(a);
}

void
announcer_stop(struct announcer *a)
{
	announce_plan_stop(&a->plan);
	a->pace_at = MONO_NEVER;
	a->rounds = 0;
	a->at = 0;
	loop_timer_stop(&a->timer);
}

void
announcer_close(struct announcer *a, void (*on_closed)(struct loop_timer *))
{
	loop_timer_close(&a->timer, on_closed);
}
