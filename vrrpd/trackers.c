/*
 * trackers.c - see trackers.h.
 */
#include "vrrpd/trackers.h"

#include "common/text.h"
#include "vrrpd/vip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPSTREAM_HOLD_US (3 * USEC_PER_SEC) /* a first word is waited for so long */

void
trackers_init(struct trackers *t)
{
	*t = (struct trackers){ .proxy_since = MONO_NEVER };
}

static void
free_terms(struct prio_term *terms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)terms[i].name);
		free((char *)terms[i].evidence);
	}
	free(terms);
}

void
trackers_done(struct trackers *t)
{
	free_terms(t->terms, t->n);
	free(t->lines);
	free(t->delays);
	*t = (struct trackers){ 0 };
}

static const struct prio_term *
find_term(const struct trackers *t, enum prio_kind kind, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->terms[i].kind == kind && strcmp(t->terms[i].name, name) == 0)
			return &t->terms[i];
	return NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
set_evidence(struct prio_term *term, const char *evidence)
{
	if (same_text(term->evidence, evidence))
		return;
	free((char *)term->evidence);
	term->evidence = evidence != NULL ? xstrdup(evidence) : NULL;
}

/* ---- from configuration ---- */

static void
add_term(struct trackers *t, const struct trackers *old, const struct prio_term *term)
{
	const struct prio_term *before = find_term(old, term->kind, term->name);
	struct prio_term *new = &t->terms[t->n++];

	if (term->kind == PRIO_INTERFACE)
		t->delays[new - t->terms] = before != NULL
						? old->delays[before - old->terms]
						: (struct link_delay){ .turned = MONO_NEVER };
	*new = *term;
	new->name = xstrdup(term->name);
	if (before == NULL)
		return;
	new->verdict = before->verdict;
	if (term->kind == PRIO_FILE)
		new->value = before->value;
	new->asked_at = before->asked_at;
	new->away = before->away;
	new->valid_until = before->valid_until;
	new->since = before->since;
	set_evidence(new, before->evidence);
}

static void
add_interfaces(
    struct trackers *t, const struct trackers *old, const struct vrrp_conf *conf, mono_t now)
{
	struct prio_term term = {
		.kind = PRIO_INTERFACE, .valid_until = MONO_NEVER, .asked_at = now
	};

	term.name = conf->interface;
	add_term(t, old, &term);
	for (size_t i = 0; i < conf->n_track_interfaces; i++) {
		const struct track_interface_conf *in = &conf->track_interfaces[i];

		if (in->weight == 0 && strcmp(in->name, conf->interface) == 0) {
			t->track_primary = true;
			continue;
		}
		term.name = in->name;
		term.weight = in->weight;
		term.reverse = in->reverse;
		add_term(t, old, &term);
	}
}

static enum prio_kind
kind_of(const struct check_conf *check)
{
	return check->kind == CHECK_FILE	     ? PRIO_FILE
	       : check->block == BLOCK_TRACK_PROCESS ? PRIO_PROCESS
						     : PRIO_SCRIPT;
}

static void
add_checks(struct trackers *t, const struct trackers *old, const struct vrrp_conf *conf, mono_t now)
{
	for (size_t i = 0; i < conf->n_tracks; i++)
		add_term(t, old,
		    &(struct prio_term){ .kind = kind_of(conf->tracks[i].check),
			.name = conf->tracks[i].check->name,
			.weight = conf->tracks[i].weight,
			.reverse = conf->tracks[i].reverse,
			.asked_at = now,
			.away = true,
			.hold_us = conf->tracks[i].check->hold_us,
			.on_lost_fail = conf->tracks[i].check->on_lost_fail });
}

static void
add_witness(
    struct trackers *t, const struct trackers *old, const struct vrrp_conf *conf, mono_t now)
{
	const struct check_conf *check = conf->witness.check;

	if (check != NULL)
		add_term(t, old,
		    &(struct prio_term){ .kind = PRIO_WITNESS,
			.name = check->name,
			.asked_at = now,
			.away = true,
			.hold_us = check->hold_us,
			.on_lost_fail = check->on_lost_fail });
}

static void
add_proxy(struct trackers *t, const struct trackers *old, const struct vrrp_conf *conf, mono_t now)
{
	const struct track_proxy_conf *p = &conf->track_proxy;

	for (size_t i = 0; i < conf->n_track_upstreams; i++)
		add_term(t, old,
		    &(struct prio_term){ .kind = PRIO_UPSTREAM,
			.name = conf->track_upstreams[i].name,
			.weight = conf->track_upstreams[i].weight,
			.asked_at = now,
			.away = true,
			.valid_until = now,
			.hold_us = UPSTREAM_HOLD_US });
	if (p->mode == TRACK_PROXY_ON)
		add_term(t, old,
		    &(struct prio_term){ .kind = PRIO_PROXY,
			.name = "",
			.weight = p->weight,
			.asked_at = now,
			.away = true,
			.valid_until = now,
			.hold_us = p->hold_us });
}

void
trackers_configure(
    struct trackers *t, const struct conf *all, const struct vrrp_conf *conf, mono_t now)
{
	struct trackers old = *t;
	const struct prio_term *by_operator = find_term(&old, PRIO_OPERATOR, "");
	size_t n = 4 + conf->n_track_interfaces + conf->n_tracks + conf->n_track_upstreams;

	*t = (struct trackers){ .base = conf->priority,
		.family = conf->family,
		.all = all,
		.conf = conf,
		.proxy_since = old.proxy_since,
		.needs_address = conf->source.family == AF_UNSPEC,
		.track_primary = !conf->dont_track_primary };
	t->terms = xcalloc(n, sizeof(*t->terms));
	t->delays = xcalloc(1 + conf->n_track_interfaces, sizeof(*t->delays));
	add_interfaces(t, &old, conf, now);
	add_checks(t, &old, conf, now);
	add_witness(t, &old, conf, now);
	add_proxy(t, &old, conf, now);
	add_term(t, &old,
	    &(struct prio_term){ .kind = PRIO_OPERATOR,
		.name = "",
		.value = by_operator != NULL ? by_operator->value : 0,
		.valid_until = MONO_NEVER,
		.verdict = PRIO_UP });
	t->lines = xcalloc(t->n, sizeof(*t->lines));
	trackers_done(&old);
}

/* ---- the operator ---- */

static struct prio_term *
operators_term(struct trackers *t)
{
	return &t->terms[t->n - 1]; /* the last one, always */
}

void
trackers_adjust(struct trackers *t, int delta, mono_t until, const char *evidence, mono_t now)
{
	struct prio_term *term = operators_term(t);

	term->value = delta;
	term->valid_until = delta != 0 ? until : MONO_NEVER;
	term->since = now;
	set_evidence(term, evidence);
}

static void
end_adjustment(struct trackers *t, mono_t now)
{
	if (!mono_before(now, operators_term(t)->valid_until))
		trackers_adjust(t, 0, MONO_NEVER, "its time is over", now);
}

/* ---- over a restart ---- */

void
trackers_restore(struct trackers *t, const struct record_instance *rec, mono_t proof)
{
	for (size_t i = 0; i < t->n; i++) {
		struct prio_term *term = &t->terms[i];
		const struct record_term *was = record_find_term(rec, term->kind, term->name);

		if (was == NULL || was->verdict == PRIO_UNKNOWN || term->kind == PRIO_INTERFACE ||
		    term->kind == PRIO_OPERATOR)
			continue;
		term->verdict = was->verdict;
		/* It was in force when the last process was last seen; it is written down only when
		 * it changes. */
		term->valid_until = mono_max(was->valid_until, proof);
		term->since = was->since;
		set_evidence(term, was->evidence[0] != '\0' ? was->evidence : NULL);
		if (term->kind == PRIO_FILE) /* what take_number() wrote */
			term->value = atoi(was->evidence);
	}
}

static void
copy_text(char ret[static RECORD_NAME_SIZE], const char *text)
{
	size_t n = text != NULL ? strnlen(text, RECORD_NAME_SIZE - 1) : 0;

	memcpy(ret, text != NULL ? text : "", n);
	ret[n] = '\0';
}

void
trackers_record(const struct trackers *t, struct record_instance *ret)
{
	const struct prio_term *by_operator = &t->terms[t->n - 1];

	ret->delta = by_operator->value;
	ret->delta_until = by_operator->valid_until;
	ret->n_terms = MIN(t->n - 1, (size_t)RECORD_TERMS_MAX);
	ret->terms = xcalloc(MAX(ret->n_terms, 1), sizeof(*ret->terms));
	for (size_t i = 0; i < ret->n_terms; i++) {
		const struct prio_term *term = &t->terms[i];
		struct record_term *r = &ret->terms[i];

		r->kind = term->kind;
		r->verdict = term->verdict;
		r->valid_until = term->valid_until;
		r->since = term->since;
		copy_text(r->name, term->name);
		copy_text(r->evidence, term->evidence);
	}
}

/* ---- looking at the world ---- */

static void
take_verdict(struct trackers *t, struct prio_term *term, enum prio_verdict verdict,
    const char *evidence, mono_t since)
{
	if (term->verdict == verdict && same_text(term->evidence, evidence))
		return;
	t->touched = true;
	if (term->verdict != verdict)
		term->since = since;
	term->verdict = verdict;
	set_evidence(term, evidence);
}

static void
observe(struct trackers *t, struct prio_term *term, bool up, const char *evidence, mono_t now)
{
	take_verdict(t, term, up ? PRIO_UP : PRIO_DOWN, evidence, now);
}

bool
trackers_primary(const struct netlink_link *link, uint8_t family, struct addr *ret)
{
	const struct netlink_addr *a;

	TAILQ_FOREACH (a, &link->addrs, entry) {
		if (a->local.family != family || a->proto == VIP_PROTO)
			continue;
		if (family == AF_INET6 && !addr_is_link_local(&a->local))
			continue;
		*ret = a->local;
		return true;
	}
	return false;
}

/* Is the link up, as it counts: what it says has to stand for its delay. */
static bool
counts_as_up(struct trackers *t, const struct prio_term *term, bool up, mono_t now)
{
	const struct link_delay_conf *conf = conf_link_delay(t->all, term->name);
	struct link_delay *d = &t->delays[term - t->terms];
	mono_t end;

	if (conf == NULL || term->verdict == PRIO_UNKNOWN || up == d->counted) {
		d->turned = MONO_NEVER;
		d->counted = up;
		return up;
	}
	if (mono_is_never(d->turned))
		d->turned = now;
	end = mono_add(d->turned, up ? conf->up_us : conf->down_us);
	if (mono_before(now, end)) {
		t->again_at = mono_min(t->again_at, end);
		return d->counted;
	}
	d->turned = MONO_NEVER;
	d->counted = up;
	return up;
}

static bool
has_address(const struct netlink_link *link, const struct addr *addr)
{
	const struct netlink_addr *a;

	TAILQ_FOREACH (a, &link->addrs, entry)
		if (addr_equal(&a->local, addr))
			return true;
	return false;
}

/* What keeps an instance from sending on its own interface, in words; NULL: nothing. */
static char *
address_trouble(const struct trackers *t, const struct netlink_link *link)
{
	const struct addr *source = &t->conf->source;
	char buf[ADDR_STRLEN];
	struct addr unused;

	if (t->needs_address && !trackers_primary(link, t->family, &unused))
		return xstrdup(t->family == AF_INET ? "it has no IPv4 address"
						    : "it has no link-local address");
	if (t->conf->track_src_ip && !t->needs_address && !has_address(link, source))
		return xasprintf("it does not have the address %s", addr_format(source, buf));
	return NULL;
}

static void
look_at_interface(struct trackers *t, struct prio_term *term, const struct netlink *nl, mono_t now)
{
	const struct netlink_link *link = netlink_link_by_name(nl, term->name);
	bool own = term == t->terms;
	char *trouble;

	if (link == NULL) {
		observe(t, term, false, "there is no such interface", now);
		return;
	}
	if ((!own || t->track_primary) && !counts_as_up(t, term, netlink_link_is_up(link), now)) {
		observe(t, term, false,
		    netlink_link_is_up(link) ? "not up for long enough yet"
		    : link->flags & IFF_UP   ? "no carrier"
					     : "set down",
		    now);
		return;
	}
	trouble = own ? address_trouble(t, link) : NULL;
	observe(t, term, trouble == NULL, trouble, now);
	free(trouble);
}

/* What a file says is its number; it is down, whatever the number, only without one. */
static void
take_number(struct trackers *t, struct prio_term *term, const struct verdict *v)
{
	char number[PRIO_CAUSE_STRLEN];

	if (!v->has_value) {
		term->value = 0;
		take_verdict(t, term, v->held ? v->verdict : PRIO_DOWN, v->evidence, v->since);
		return;
	}
	t->touched |= term->value != v->value;
	term->value = v->value;
	snprintf(number, sizeof(number), "%d", v->value);
	take_verdict(t, term, PRIO_UP, number, v->since);
}

static void
look_at_check(struct trackers *t, struct prio_term *term, const struct verdicts *verdicts)
{
	const struct verdict *v = verdicts != NULL ? verdicts_find(verdicts, term->name) : NULL;

	term->away = v == NULL || v->away || verdicts_away(verdicts);
	if (v == NULL || v->verdict == PRIO_UNKNOWN)
		return;
	if (term->kind == PRIO_FILE)
		take_number(t, term, v);
	else
		take_verdict(t, term, v->verdict, v->evidence, v->since);
	term->valid_until = v->valid_until;
}

/* Not answered for: the last verdict stands, and is shown as held. */
static void
hold_verdict(struct prio_term *term, mono_t since)
{
	term->away = true;
	if (mono_is_never(term->valid_until))
		term->valid_until = since;
}

static void
look_at_upstream(
    struct trackers *t, struct prio_term *term, const struct proxyview *proxy, mono_t now)
{
	const struct proxyview_upstream *u = proxyview_upstream(proxy, term->name);
	unsigned min_servers = 1;
	char evidence[64];

	if (u == NULL || !mono_is_never(proxyview_silent_since(proxy))) {
		hold_verdict(term, now);
		return;
	}
	for (size_t i = 0; i < t->conf->n_track_upstreams; i++)
		if (strcmp(t->conf->track_upstreams[i].name, term->name) == 0)
			min_servers = t->conf->track_upstreams[i].min_servers;
	snprintf(evidence, sizeof(evidence), "%u of %u servers available", u->available, u->total);
	term->away = false;
	term->valid_until = MONO_NEVER;
	observe(t, term, u->available >= min_servers, evidence, now);
}

/* What keeps proxyd from serving this instance's addresses, in words; NULL: nothing. */
static char *
proxy_trouble(const struct trackers *t, const struct proxyview *proxy)
{
	const struct track_proxy_conf *p = &t->conf->track_proxy;

	if (!mono_is_never(proxyview_silent_since(proxy)))
		return xasprintf("no answer (%s)", proxyview_silence(proxy));
	for (size_t i = 0; i < p->n_listeners; i++) {
		const struct proxyview_listener *l = proxyview_listener(proxy, p->listeners[i]);

		if (l == NULL)
			return xasprintf("it has no listener %s", p->listeners[i]);
		if (!l->listening)
			return xasprintf("%s does not listen%s%s", p->listeners[i],
			    l->error != NULL ? ": " : "", l->error != NULL ? l->error : "");
	}
	return NULL;
}

/* Down when it has not served for 'hold': until then it may be restarting, or reloading. */
static void
look_at_proxy(struct trackers *t, struct prio_term *term, const struct proxyview *proxy, mono_t now)
{
	char *trouble = proxy_trouble(t, proxy);
	mono_t end;

	if (trouble == NULL) {
		t->proxy_since = MONO_NEVER;
		term->away = false;
		term->valid_until = MONO_NEVER;
		observe(t, term, true, NULL, now);
		return;
	}
	if (mono_is_never(t->proxy_since))
		t->proxy_since = mono_min(now, proxyview_silent_since(proxy));
	end = mono_add(t->proxy_since, term->hold_us);
	if (mono_before(now, end)) {
		hold_verdict(term, t->proxy_since);
		take_verdict(t, term, term->verdict, trouble, now);
		t->again_at = mono_min(t->again_at, end);
	} else if (term->verdict != PRIO_UNKNOWN || proxyview_has_answered(proxy)) {
		term->away = false;
		term->valid_until = MONO_NEVER;
		observe(t, term, false, trouble, now);
	}
	free(trouble);
}

static void
look(struct trackers *t, struct prio_term *term, const struct trackers_world *world, mono_t now)
{
	switch (term->kind) {
	case PRIO_INTERFACE:
		look_at_interface(t, term, world->nl, now);
		break;
	case PRIO_SCRIPT:
	case PRIO_PROCESS:
	case PRIO_FILE:
	case PRIO_WITNESS:
		look_at_check(t, term, world->verdicts);
		break;
	case PRIO_UPSTREAM:
		look_at_upstream(t, term, world->proxy, now);
		break;
	case PRIO_PROXY:
		look_at_proxy(t, term, world->proxy, now);
		break;
	default: /* the operator's: nothing to see */
		break;
	}
}

bool
trackers_update(struct trackers *t, const struct trackers_world *world, mono_t now,
    char cause[static PRIO_CAUSE_STRLEN])
{
	struct prio_line *lines = xcalloc(t->n, sizeof(*lines));
	size_t changed;

	t->touched = false;
	t->again_at = MONO_NEVER;
	end_adjustment(t, now);
	for (size_t i = 0; i < t->n; i++)
		look(t, &t->terms[i], world, now);
	t->sum = prio_sum(t->base, t->terms, t->n, now, lines);
	t->again_at = mono_min(t->again_at, t->sum.again_at);
	changed = prio_changed(t->lines, lines, t->n);
	t->touched |= changed != SIZE_MAX || memcmp(t->lines, lines, t->n * sizeof(*lines)) != 0;
	free(t->lines);
	t->lines = lines;
	if (changed != SIZE_MAX)
		prio_cause(&t->terms[changed], &lines[changed], cause);
	return changed != SIZE_MAX;
}

const char *
trackers_fault(const struct trackers *t, char cause[static PRIO_CAUSE_STRLEN])
{
	size_t i = t->sum.fault_term;

	cause[0] = '\0';
	return i < t->n ? prio_cause(&t->terms[i], &t->lines[i], cause) : cause;
}

static bool
is_weighted_check(const struct prio_term *term)
{
	return term->weight != 0 &&
	       (term->kind == PRIO_SCRIPT || term->kind == PRIO_PROCESS || term->kind == PRIO_FILE);
}

bool
trackers_any_weighted_check(const struct trackers *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (is_weighted_check(&t->terms[i]))
			return true;
	return false;
}

void
trackers_ask(const struct trackers *t, struct verdicts *verdicts)
{
	for (size_t i = 0; verdicts != NULL && i < t->n; i++)
		if (is_weighted_check(&t->terms[i]))
			verdicts_ask(verdicts, t->terms[i].name);
}

bool
trackers_fresh_since(const struct trackers *t, const struct verdicts *verdicts, mono_t since)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct verdict *v;

		if (!is_weighted_check(&t->terms[i]))
			continue;
		v = verdicts != NULL ? verdicts_find(verdicts, t->terms[i].name) : NULL;
		if (v == NULL || v->away || v->wavers ||
		    (!v->held && mono_before(mono_add(v->checked, -v->took_us), since)))
			return false;
	}
	return true;
}
