/*
 * lost.c - see lost.h.
 */
#include "proxyd/lost.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/netlink.h"
#include "common/text.h"
#include "common/util.h"

#include <stdlib.h>

struct missing {
	struct addr addr;
	mono_t due;
	TAILQ_ENTRY(missing) entry;
};

struct lost {
	struct netlink *nl;
	struct loop_timer timer;
	TAILQ_HEAD(, missing) missing; /* the first is due first */
	void (*expired)(void *aux, const struct addr *);
	void *aux;
};

static void
forget(struct lost *lost, struct missing *m)
{
	TAILQ_REMOVE(&lost->missing, m, entry);
	free(m);
}

static void
arm(struct lost *lost)
{
	const struct missing *m = TAILQ_FIRST(&lost->missing);

	loop_timer_at(&lost->timer, m != NULL ? m->due : MONO_NEVER);
}

static void
found(struct lost *lost, const struct addr *addr)
{
	struct missing *m, *next;

	for (m = TAILQ_FIRST(&lost->missing); m != NULL; m = next) {
		next = TAILQ_NEXT(m, entry);
		if (addr_equal(&m->addr, addr))
			forget(lost, m);
	}
}

/* It may be on another link, or on this one with another prefix. */
static bool
is_elsewhere(const struct lost *lost, const struct netlink_addr *left)
{
	const struct netlink_link *link;
	const struct netlink_addr *a;

	for (link = netlink_link_first(lost->nl); link != NULL; link = netlink_link_next(link))
		TAILQ_FOREACH (a, &link->addrs, entry)
			if (a != left && addr_equal(&a->local, &left->local))
				return true;
	return false;
}

static void
on_addr(void *aux, const struct netlink_link *link, const struct netlink_addr *a, bool gone,
    enum netlink_by by)
{
	struct lost *lost = aux;
	struct missing *m;

	(void)link, (void)by;
	found(lost, &a->local);
	if (gone && !is_elsewhere(lost, a)) {
		m = xcalloc(1, sizeof(*m));
		m->addr = a->local;
		m->due = mono_add(loop_now(), LOST_TIMEOUT_US);
		TAILQ_INSERT_TAIL(&lost->missing, m, entry);
	}
	arm(lost);
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct lost *lost = CONTAINER_OF(timer, struct lost, timer);
	struct missing *m;

	while ((m = TAILQ_FIRST(&lost->missing)) != NULL && !mono_before(now, m->due)) {
		lost->expired(lost->aux, &m->addr);
		forget(lost, m);
	}
	arm(lost);
}

int
lost_new(
    uv_loop_t *loop, void (*expired)(void *aux, const struct addr *), void *aux, struct lost **ret)
{
	struct lost *lost = xcalloc(1, sizeof(*lost));
	struct netlink_events events = { .on_addr = on_addr, .aux = lost };
	int rc;

	lost->expired = expired;
	lost->aux = aux;
	TAILQ_INIT(&lost->missing);
	rc = netlink_new(loop, &events, &lost->nl);
	if (rc < 0) {
		free(lost);
		return rc;
	}
	loop_timer_init(loop, &lost->timer, on_due);
	*ret = lost;
	return 0;
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct lost, timer));
}

void
lost_free(struct lost *lost)
{
	if (lost == NULL)
		return;
	netlink_free(lost->nl);
	while (!TAILQ_EMPTY(&lost->missing))
		forget(lost, TAILQ_FIRST(&lost->missing));
	loop_timer_close(&lost->timer, on_timer_closed);
}
