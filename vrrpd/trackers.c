/*
 * trackers.c - see trackers.h.
 */
#include "vrrpd/trackers.h"

#include "common/text.h"
#include "vrrpd/vip.h"

#include <stdlib.h>
#include <string.h>

void
trackers_init(struct trackers *t)
{
	*t = (struct trackers){ 0 };
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

	*new = *term;
	new->name = xstrdup(term->name);
	if (before == NULL)
		return;
	new->verdict = before->verdict;
	new->asked_at = before->asked_at;
	new->away = before->away;
	new->valid_until = before->valid_until;
	new->since = before->since;
	set_evidence(new, before->evidence);
}

void
trackers_configure(struct trackers *t, const struct vrrp_conf *conf, mono_t now)
{
	struct trackers old = *t;

	*t = (struct trackers){ .base = conf->priority,
		.family = conf->family,
		.needs_address = conf->source.family == AF_UNSPEC,
		.track_primary = !conf->dont_track_primary };
	t->terms = xcalloc(1 + conf->n_track_interfaces + conf->n_tracks, sizeof(*t->terms));
	add_term(t, &old,
	    &(struct prio_term){ .kind = PRIO_INTERFACE,
		.name = conf->interface,
		.valid_until = MONO_NEVER,
		.asked_at = now });
	for (size_t i = 0; i < conf->n_track_interfaces; i++)
		if (strcmp(conf->track_interfaces[i], conf->interface) == 0)
			t->track_primary = true;
		else
			add_term(t, &old,
			    &(struct prio_term){ .kind = PRIO_INTERFACE,
				.name = conf->track_interfaces[i],
				.valid_until = MONO_NEVER,
				.asked_at = now });
	for (size_t i = 0; i < conf->n_tracks; i++)
		add_term(t, &old,
		    &(struct prio_term){ .kind = PRIO_SCRIPT,
			.name = conf->tracks[i].check->name,
			.weight = conf->tracks[i].weight,
			.reverse = conf->tracks[i].reverse,
			.asked_at = now,
			.away = true,
			.hold_us = conf->tracks[i].check->hold_us,
			.on_lost_fail = conf->tracks[i].check->on_lost_fail });
	t->lines = xcalloc(t->n, sizeof(*t->lines));
	trackers_done(&old);
}

/* ---- over a restart ---- */

void
trackers_restore(struct trackers *t, const struct record_instance *rec, mono_t proof)
{
	for (size_t i = 0; i < t->n; i++) {
		struct prio_term *term = &t->terms[i];
		const struct record_term *was = record_find_term(rec, term->kind, term->name);

		if (was == NULL || was->verdict == PRIO_UNKNOWN || term->kind == PRIO_INTERFACE)
			continue;
		term->verdict = was->verdict;
		/* It was in force when the last process was last seen; it is written down only when
		 * it changes. */
		term->valid_until = mono_max(was->valid_until, proof);
		term->since = was->since;
		set_evidence(term, was->evidence[0] != '\0' ? was->evidence : NULL);
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
	ret->n_terms = MIN(t->n, (size_t)RECORD_TERMS_MAX);
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

static void
look_at_interface(struct trackers *t, struct prio_term *term, const struct netlink *nl, mono_t now)
{
	const struct netlink_link *link = netlink_link_by_name(nl, term->name);
	bool own = term == t->terms;
	struct addr unused;

	if (link == NULL)
		observe(t, term, false, "there is no such interface", now);
	else if ((!own || t->track_primary) && !netlink_link_is_up(link))
		observe(t, term, false, link->flags & IFF_UP ? "no carrier" : "set down", now);
	else if (own && t->needs_address && !trackers_primary(link, t->family, &unused))
		observe(t, term, false,
		    t->family == AF_INET ? "it has no IPv4 address"
					 : "it has no link-local address",
		    now);
	else
		observe(t, term, true, NULL, now);
}

static void
look_at_check(struct trackers *t, struct prio_term *term, const struct verdicts *verdicts)
{
	const struct verdict *v = verdicts != NULL ? verdicts_find(verdicts, term->name) : NULL;

	term->away = v == NULL || v->away || verdicts_away(verdicts);
	if (v == NULL || v->verdict == PRIO_UNKNOWN)
		return;
	take_verdict(t, term, v->verdict, v->evidence, v->since);
	term->valid_until = v->valid_until;
}

bool
trackers_update(struct trackers *t, const struct verdicts *verdicts, const struct netlink *nl,
    mono_t now, char cause[static PRIO_CAUSE_STRLEN])
{
	struct prio_line *lines = xcalloc(t->n, sizeof(*lines));
	size_t changed;

	t->touched = false;
	for (size_t i = 0; i < t->n; i++)
		if (t->terms[i].kind == PRIO_INTERFACE)
			look_at_interface(t, &t->terms[i], nl, now);
		else
			look_at_check(t, &t->terms[i], verdicts);
	t->sum = prio_sum(t->base, t->terms, t->n, now, lines);
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
	return term->kind == PRIO_SCRIPT && term->weight != 0;
}

bool
trackers_any_weighted_check(const struct trackers *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (is_weighted_check(&t->terms[i]))
			return true;
	return false;
}

bool
trackers_fresh_since(const struct trackers *t, const struct verdicts *verdicts, mono_t since)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct verdict *v;

		if (!is_weighted_check(&t->terms[i]))
			continue;
		v = verdicts != NULL ? verdicts_find(verdicts, t->terms[i].name) : NULL;
		if (v == NULL || v->away || mono_before(mono_add(v->checked, -v->took_us), since))
			return false;
	}
	return true;
}
