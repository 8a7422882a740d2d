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

#define AGAIN_INTERVALS 3

static void on_due(struct loop_timer *, mono_t);

void
announcer_init(struct announcer *a, uv_loop_t *loop, struct netlink *nl, struct sock_set *socks,
    const struct vip_group *vips)
{
	*a = (struct announcer){ .nl = nl, .socks = socks, .vips = vips };
	a->again_at = a->second_at = a->refresh_at = a->pace_at = MONO_NEVER;
	loop_timer_init(loop, &a->timer, on_due);
}

void
announcer_configure(struct announcer *a, const struct vrrp_conf *conf)
{
	a->delay_us = conf->garp_delay_us;
	a->again_us = MIN(AGAIN_INTERVALS * conf->advert_us, a->delay_us);
	a->refresh_us = conf->garp_refresh_us;
	a->repeat = conf->garp_repeat;
	a->refresh_repeat = conf->garp_refresh_repeat;
	a->lower_delay_us = conf->garp_lower_delay_us;
	a->lower_repeat = conf->garp_lower_repeat;
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

static mono_t
after(mono_t now, int64_t us)
{
	return us > 0 ? mono_add(now, us) : MONO_NEVER;
}

static void
arm(struct announcer *a)
{
	loop_timer_at(&a->timer,
	    mono_min(mono_min(a->again_at, a->pace_at), mono_min(a->second_at, a->refresh_at)));
}

static void
on_due(struct loop_timer *t, mono_t now)
{
	struct announcer *a = CONTAINER_OF(t, struct announcer, timer);

	if (!mono_before(now, a->pace_at))
		announce_rest(a, now);
	if (!mono_before(now, a->again_at)) {
		announce_all(a, 1, now);
		a->again_at = MONO_NEVER;
	}
	if (!mono_before(now, a->second_at)) {
		announce_all(a, a->second_repeat, now);
		a->second_at = MONO_NEVER;
	}
	if (!mono_before(now, a->refresh_at)) {
		announce_all(a, a->refresh_repeat, now);
		a->refresh_at = after(now, a->refresh_us);
	}
	arm(a);
}

void
announcer_begin(struct announcer *a, bool contest, mono_t now)
{
	a->second_repeat = contest ? a->lower_repeat : a->repeat;
	announce_all(a, a->second_repeat, now);
	a->again_at = after(now, a->again_us);
	a->second_at = after(now, contest ? a->lower_delay_us : a->delay_us);
	a->refresh_at = after(now, a->refresh_us);
	arm(a);
}

void
announcer_stop(struct announcer *a)
{
	a->again_at = a->second_at = a->refresh_at = a->pace_at = MONO_NEVER;
	a->rounds = 0;
	a->at = 0;
	loop_timer_stop(&a->timer);
}

void
announcer_close(struct announcer *a, void (*on_closed)(struct loop_timer *))
{
	loop_timer_close(&a->timer, on_closed);
}
