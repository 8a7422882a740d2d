/*
 * vrrp_settle.c - a vrrp_instance whose words have all been read: defaults that depend on
 * others, what contradicts, what is missing; see vrrp_draft.h.
 */
#include "common/conf/vrrp_draft.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void
settle_version(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;

	v->family = v->n_advertised > 0		    ? v->vips[0].addr.family
		    : v->source.family != AF_UNSPEC ? v->source.family
		    : v->n_peers > 0		    ? v->peers[0].family
		    : v->n_vips > 0		    ? v->vips[0].addr.family
						    : AF_INET;
	if (v->family == AF_INET6) {
		if (draft->version_written && v->version == 2)
			bind_say(b, CONF_WARNING, v->pos,
			    "IPv6 has version 3 only: 3 is used, as keepalived does");
		v->version = 3;
	} else if (!draft->version_written) {
		v->version = b->globals.version != 0 ? b->globals.version : 2;
	}
}

/* The interval on the wire: whole seconds in version 2, centiseconds in 3; keepalived rounds. */
static void
settle_interval(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;
	int64_t step = v->version == 3 ? 10 * US_PER_MS : US_PER_S;
	int64_t high = v->version == 3 ? 4095 * 10 * US_PER_MS : 255 * US_PER_S;
	int64_t used = MAX((v->advert_us + step / 2) / step * step, step);

	if (draft->advert == NULL)
		return;
	if (v->advert_us > high)
		bind_say(b, CONF_ERROR, draft->advert->words[1].pos,
		    "an interval in version 3 is at most 40.95 seconds");
	else if (used != v->advert_us)
		bind_say(b, CONF_WARNING, draft->advert->words[1].pos,
		    v->version == 3 ? "version 3 counts hundredths: %lld.%02lld s is used"
				    : "version 2 counts whole seconds: %lld s is used",
		    (long long)(used / US_PER_S), (long long)(used % US_PER_S / (10 * US_PER_MS)));
	v->advert_us = used;
}

static void
settle_addresses(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;

	if (v->source.family != AF_UNSPEC && v->source.family != v->family)
		bind_say(b, CONF_ERROR, v->pos, "'%s': its source address is of the other family",
		    v->name);
	for (size_t i = 0; i < v->n_peers; i++) {
		char text[ADDR_STRLEN];

		if (v->peers[i].family != v->family)
			bind_say(b, CONF_ERROR, v->pos, "'%s': the peer %s is of the other family",
			    v->name, addr_format(&v->peers[i], text));
		else if (addr_equal(&v->peers[i], &v->source))
			bind_say(b, CONF_WARNING, v->pos,
			    "'%s': its own source address %s is among its peers", v->name,
			    addr_format(&v->peers[i], text));
	}
	if (v->mcast_group.family == AF_UNSPEC)
		v->mcast_group = v->family == AF_INET6 ? b->globals.mcast6 : b->globals.mcast4;
	else if (v->mcast_group.family != v->family)
		bind_say(b, CONF_ERROR, v->pos, "'%s': its multicast group is of the other family",
		    v->name);
}

static void
drop_under_strict(struct binder *b, const struct vrrp_conf *v, bool *written, const char *word)
{
	if (*written)
		bind_say(b, CONF_WARNING, v->pos, "'%s': vrrp_strict allows no %s: ignored",
		    v->name, word);
	*written = false;
}

/*
 * What the protocol does not know, beside trivet's own departures (vrrpd/instance.c):
 * version 2 does not answer a losing advert (RFC 3768, 6.4.3), version 3 does
 * (RFC 9568, 6.4.3); who loses never speaks; an owner hears as everybody does.
 */
static void
settle_strict(struct binder *b, struct vrrp_conf *v)
{
	bool delay = v->preempt_delay_us > 0;

	if (!v->strict)
		return;
	drop_under_strict(b, v, &delay, "preempt_delay");
	v->preempt_delay_us = 0;
	drop_under_strict(b, v, &v->higher_prio_send_advert, "higher_prio_send_advert");
	if (v->version == 3)
		drop_under_strict(b, v, &v->lower_prio_no_advert, "lower_prio_no_advert");
	drop_under_strict(b, v, &v->owner_ignore_adverts, "owner_ignore_adverts");
	if (v->unicast)
		bind_say(b, CONF_WARNING, v->pos,
		    "'%s': the protocol knows no unicast; it is used all the same, where keepalived refuses it under vrrp_strict",
		    v->name);
}

/* RFC 9568, 7.3; and names as keepalived gives them. */
static void
settle_vmac(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;
	struct vmac_conf *m = &v->vmac;
	static const uint8_t none[6];
	char *name;

	if (!m->on) {
		if (m->xmit_base)
			bind_say(b, CONF_WARNING, v->pos,
			    "'%s': vmac_xmit_base has no effect without use_vmac", v->name);
		memset(m, 0, sizeof(*m));
		return;
	}
	if (memcmp(m->mac, none, sizeof(none)) == 0)
		memcpy(m->mac,
		    (const uint8_t[]){ 0, 0, 0x5e, 0, v->family == AF_INET6 ? 2 : 1, v->vrid },
		    sizeof(m->mac));
	name = m->name[0] == '\0'
		   ? xasprintf("%s%s.%u",
			 b->globals.vmac_prefix[0] != '\0' ? b->globals.vmac_prefix : "vrrp",
			 v->family == AF_INET6 ? "6" : "", v->vrid)
	       : draft->half == AF_INET6 ? xasprintf("%.14s6", m->name)
					 : xstrdup(m->name);
	memset(m->name, 0, sizeof(m->name));
	memcpy(m->name, name, strlen(name));
	free(name);
	if (v->unicast && !m->xmit_base) {
		bind_say(b, CONF_NOTICE, v->pos,
		    "'%s': unicast adverts leave by the interface itself (vmac_xmit_base)",
		    v->name);
		m->xmit_base = true;
	}
	for (size_t i = 0; i < b->conf->n_instances; i++)
		if (strcmp(b->conf->instances[i].vmac.name, m->name) == 0)
			bind_say(b, CONF_ERROR, v->pos,
			    "'%s': %s has an interface %s already; write use_vmac with another name",
			    v->name, b->conf->instances[i].name, m->name);
}

/* After a losing advert as after becoming master, unless something else is written. */
static void
settle_announcements(struct vrrp_conf *v)
{
	if (v->garp_lower_delay_us < 0)
		v->garp_lower_delay_us = v->garp_delay_us;
	if (v->garp_lower_repeat == 0)
		v->garp_lower_repeat = v->garp_repeat;
}

static void
lint_instance(struct binder *b, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;

	if (draft->no_address && draft->vip_block != NULL)
		bind_say(b, CONF_WARNING, stmt_pos(draft->vip_block),
		    "'%s': no_virtual_ipaddress is written as well: the addresses count", v->name);
	if (v->n_vips == 0 && !draft->no_address &&
	    (draft->vip_block == NULL || draft->vip_block->first == NULL ||
		draft->vip_block->first->left_out))
		bind_say(b, CONF_WARNING, v->pos, "'%s' has no virtual address", v->name);
	if (v->state_master && draft->priority == NULL)
		bind_say(b, CONF_WARNING, v->pos,
		    "'%s' has no priority: 100 is used, where keepalived takes 255 (owner) beside "
		    "state MASTER",
		    v->name);
	if (v->state_master && v->nopreempt)
		bind_say(b, CONF_WARNING, draft->nopreempt,
		    "keepalived drops nopreempt beside 'state MASTER'; trivet honours it");
	if (v->nopreempt && draft->preempt_delay != NULL)
		bind_say(b, CONF_WARNING, stmt_pos(draft->preempt_delay),
		    "preempt_delay has no effect beside nopreempt");
	if (v->no_accept && v->priority == 255)
		bind_say(b, CONF_WARNING, v->pos,
		    "'%s' is an owner (priority 255), who accepts what is sent to its addresses: "
		    "no_accept has no effect",
		    v->name);
	if (v->nopreempt && v->priority == 255)
		bind_say(b, CONF_WARNING, draft->nopreempt,
		    "an owner (priority 255) always preempts: nopreempt has no effect");
}

void
vrrp_settle(struct binder *b, struct stmt *s, struct draft *draft)
{
	struct vrrp_conf *v = &draft->vrrp;

	settle_version(b, draft);
	settle_interval(b, draft);
	vrrp_settle_authentication(b, &draft->auth, v);
	settle_addresses(b, draft);
	if (!bind_mentions(s, "interface"))
		bind_say(b, CONF_ERROR, v->pos, "'%s' has no interface", v->name);
	if (!bind_mentions(s, "virtual_router_id"))
		bind_say(b, CONF_ERROR, v->pos, "'%s' has no virtual_router_id", v->name);
	settle_vmac(b, draft);
	settle_strict(b, v);
	settle_announcements(v);
	vrrp_settle_fifo(b, v->pos, &v->fifo);
	lint_instance(b, draft);
}
