/*
 * group.c - see group.h.
 */
#include "vrrpd/group.h"

#include <stdio.h>

/* It will not take over while things are as they are, so the others must let go. */
static bool
stays_off(const struct vrrp_state *s)
{
	if (s->role != VRRP_BACKUP || s->wants)
		return false;
	return s->release.on || s->deaf.on ||
	       (s->heard.priority > 0 && mono_is_never(s->preempt_at));
}

/* The first member that has a fault of its own; n: none. */
static size_t
faulty(const struct group_member *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].fault != NULL)
			return i;
	return n;
}

static struct group_order
fault_order(const struct group_member *m, size_t n, size_t self)
{
	struct group_order order = { .kind = VRRP_EV_MAX, .because = faulty(m, n) };
	enum vrrp_role role = m[self].state->role;

	if (m[self].fault != NULL)
		order.because = self;
	if (role == VRRP_INIT)
		return order;
	if (order.because < n && role != VRRP_FAULT)
		order.kind = VRRP_EV_FAULT;
	else if (order.because == n && role == VRRP_FAULT)
		order.kind = VRRP_EV_FAULT_CLEARED;
	return order;
}

struct tally {
	size_t masters, wanting;
	size_t off; /* the first that stays off; n: none */
};

static struct tally
count(const struct group_member *m, size_t n)
{
	struct tally t = { .off = n };

	for (size_t i = n; i-- > 0;) {
		t.masters += m[i].state->role == VRRP_MASTER;
		t.wanting += m[i].state->role == VRRP_BACKUP && m[i].state->wants;
		if (stays_off(m[i].state))
			t.off = i;
	}
	return t;
}

static struct group_order
role_order(const struct group_member *m, size_t n, const struct tally *t, size_t self)
{
	struct group_order order = { .kind = VRRP_EV_MAX, .because = t->off };

	if (m[self].state->role == VRRP_MASTER && t->off < n)
		order.kind = VRRP_EV_GROUP_BACKUP;
	else if (m[self].state->role == VRRP_BACKUP && t->masters + t->wanting == n)
		order.kind = VRRP_EV_GROUP_MASTER;
	return order;
}

/* Faults first: whoever is in one has no say in the rest. */
size_t
group_step(const struct group_member *m, size_t n, struct group_order *ret)
{
	struct tally t = count(m, n);
	size_t orders = 0;

	for (size_t i = 0; i < n; i++) {
		ret[i] = fault_order(m, n, i);
		orders += ret[i].kind != VRRP_EV_MAX;
	}
	if (orders > 0)
		return orders;
	for (size_t i = 0; i < n; i++) {
		ret[i] = role_order(m, n, &t, i);
		orders += ret[i].kind != VRRP_EV_MAX;
	}
	return orders;
}

const char *
group_cause(const struct group_member *m, const struct group_order *order, size_t self,
    char buf[static GROUP_CAUSE_STRLEN])
{
	const struct group_member *because = &m[order->because];
	const char *fault = because->fault != NULL ? because->fault : "";

	if (order->kind == VRRP_EV_FAULT && order->because == self)
		snprintf(buf, GROUP_CAUSE_STRLEN, "%s", fault);
	else if (order->kind == VRRP_EV_FAULT)
		snprintf(buf, GROUP_CAUSE_STRLEN, "%s is in FAULT: %s", because->name, fault);
	else
		snprintf(buf, GROUP_CAUSE_STRLEN, "%s is %s", because->name,
		    vrrp_role_str(because->state->role));
	return buf;
}
