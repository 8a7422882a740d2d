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
	a->again_at = a->second_at = a->refresh_at = MONO_NEVER;
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

static void
announce_one(struct announcer *a, const struct vip *vip)
{
	const struct netlink_link *link = netlink_link_by_index(a->nl, vip->request.index);
	uint8_t frame[ANNOUNCE_MAX];
	char buf[ADDR_STRLEN];
	size_t size;
	int r;

	/* Only Ethernet asks who has an address. */
	if (!vip->present || link == NULL || !link->has_mac || (link->flags & IFF_NOARP))
		return;
	size = announce_frame(&vip->request.local, link->mac,
	    vip->request.local.family == AF_INET6 && is_router(link), frame);
	if ((r = vrrp_sock_send_frame(a->socks, link, frame, size)) == 0)
		a->sent++;
	else
		log_debug("cannot announce %s on %s: %s", addr_format(&vip->request.local, buf),
		    link->name, strerror(-r));
}

static void
announce_all(struct announcer *a, unsigned repeat)
{
	for (unsigned k = 0; k < repeat; k++)
		for (size_t i = 0; i < a->vips->n; i++)
			announce_one(a, &a->vips->vips[i]);
}

static mono_t
after(mono_t now, int64_t us)
{
	return us > 0 ? mono_add(now, us) : MONO_NEVER;
}

static void
arm(struct announcer *a)
{
	loop_timer_at(&a->timer, mono_min(a->again_at, mono_min(a->second_at, a->refresh_at)));
}

static void
on_due(struct loop_timer *t, mono_t now)
{
	struct announcer *a = CONTAINER_OF(t, struct announcer, timer);

	if (!mono_before(now, a->again_at)) {
		announce_all(a, 1);
		a->again_at = MONO_NEVER;
	}
	if (!mono_before(now, a->second_at)) {
		announce_all(a, a->repeat);
		a->second_at = MONO_NEVER;
	}
	if (!mono_before(now, a->refresh_at)) {
		announce_all(a, a->refresh_repeat);
		a->refresh_at = after(now, a->refresh_us);
	}
	arm(a);
}

void
announcer_begin(struct announcer *a, mono_t now)
{
	announce_all(a, a->repeat);
	a->again_at = after(now, a->again_us);
	a->second_at = after(now, a->delay_us);
	a->refresh_at = after(now, a->refresh_us);
	arm(a);
}

void
announcer_stop(struct announcer *a)
{
	a->again_at = a->second_at = a->refresh_at = MONO_NEVER;
	loop_timer_stop(&a->timer);
}

void
announcer_close(struct announcer *a, void (*on_closed)(struct loop_timer *))
{
	loop_timer_close(&a->timer, on_closed);
}
