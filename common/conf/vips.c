/*
 * vips.c - the address lines of virtual_ipaddress and virtual_ipaddress_excluded,
 * and what all lists of an instance have in common (bind.h).
 */
#include "common/conf/bind.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* "a.b.c.d/24"; without a length the whole address.  Said if it is none. */
bool
vrrp_parse_prefix(struct binder *b, const struct word *w, struct addr *ret, uint8_t *ret_length)
{
	const char *slash = strchr(w->text, '/');
	char *host = slash != NULL ? xstrndup(w->text, (size_t)(slash - w->text))
				   : xstrdup(w->text);
	struct addr a;
	int64_t length, max;
	bool ok = addr_parse(host, &a) == 0;

	free(host);
	if (!ok) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not an IP address", w->text);
		return false;
	}
	max = (int64_t)addr_size(&a) * 8;
	length = max;
	if (slash != NULL && (!parse_integer(slash + 1, &length) || length < 0 || length > max)) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a prefix length: 0 to %lld",
		    slash + 1, (long long)max);
		return false;
	}
	*ret = a;
	*ret_length = (uint8_t)length;
	return true;
}

/* keepalived does not know "10.0.0.1;" and goes on without the address (seen). */
bool
vrrp_skips_address(struct binder *b, struct stmt *s, const char *what)
{
	if (s->semicolon.line == 0 || s->n_words == 0 || s->n_words > 2)
		return false;
	bind_say(b, CONF_WARNING, s->semicolon,
	    "keepalived does not know '%.64s;' and goes on without this %s, and so does trivet: "
	    "remove the ';'",
	    s->words[s->n_words - 1].text, what);
	s->left_out = true;
	return true;
}

/* One line of a list of names.  False, and said if it is no such thing. */
bool
vrrp_list_line(struct binder *b, const struct stmt *s)
{
	if (s->n_words == 0)
		return false;
	if (s->has_block) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%.64s' takes no block", stmt_name(s));
		return false;
	}
	if (s->semicolon.line > 0)
		bind_say(b, CONF_WARNING, s->semicolon,
		    "';' is not part of keepalived's language; read as '%s'", stmt_name(s));
	return true;
}

struct scope {
	const char *name;
	uint8_t scope;
};

static const struct scope scopes[] = {
	{ "global", RT_SCOPE_UNIVERSE },
	{ "site", RT_SCOPE_SITE },
	{ "link", RT_SCOPE_LINK },
	{ "host", RT_SCOPE_HOST },
	{ "nowhere", RT_SCOPE_NOWHERE },
};

bool
vrrp_value_scope(struct binder *b, const struct word *w, uint8_t *ret)
{
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (strcmp(w->text, scopes[i].name) == 0) {
			*ret = scopes[i].scope;
			return true;
		}
	if (!parse_integer(w->text, &v) || v < 0 || v > 255) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is not a scope: global, site, link, host, nowhere", w->text);
		return false;
	}
	*ret = (uint8_t)v;
	return true;
}

static bool
vip_scope(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	return vrrp_value_scope(b, w, &vip->scope);
}

static bool
vip_broadcast(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	if (strcmp(w->text, "+") == 0)
		vip->broadcast_auto = true;
	else if (strcmp(w->text, "-") != 0 && !value_addr(b, w, &vip->broadcast))
		return false;
	return true;
}

void
vrrp_check_interface(struct binder *b, const struct word *w)
{
	const struct conf_host *host = b->src->host;

	if (strlen(w->text) > 15 || w->text[0] == '\0' || strchr(w->text, '/') != NULL)
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' cannot be an interface: a name has 1 to 15 characters", w->text);
	else if (host != NULL && host->has_interface != NULL &&
		 !host->has_interface(host->aux, w->text))
		bind_say(b, CONF_WARNING, w->pos,
		    "this host has no interface '%s' now; FAULT until it has", w->text);
}

static bool
vip_device(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	vrrp_check_interface(b, w);
	free(vip->device);
	vip->device = xstrdup(w->text);
	return true;
}

static bool
vip_label(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	if (strlen(w->text) > 15 || w->text[0] == '\0') {
		bind_say(
		    b, CONF_ERROR, w->pos, "the label '%.64s' has not 1 to 15 characters", w->text);
		return false;
	}
	free(vip->label);
	vip->label = xstrdup(w->text);
	return true;
}

static bool
vip_peer(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	uint8_t length;

	if (!vrrp_parse_prefix(b, w, &vip->peer, &length))
		return false;
	if (vip->peer.family != vip->addr.family) {
		bind_say(b, CONF_ERROR, w->pos, "the peer is of the other family");
		return false;
	}
	vip->prefix_length = length;
	return true;
}

static bool
vip_preferred(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	if (strcmp(w->text, "forever") == 0 || strcmp(w->text, "infinite") == 0) {
		vip->preferred_us = INT64_MAX;
		return true;
	}
	return value_seconds(b, w, 0, UINT32_MAX * US_PER_S, &vip->preferred_us);
}

static bool
vip_no_prefix_route(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)b, (void)w;
	vip->no_prefix_route = true;
	return true;
}

static bool
vip_no_track(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)b, (void)w;
	vip->no_track = true;
	return true;
}

/* Always so for IPv6, and IPv4 has no such thing. */
static bool
vip_nodad(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)b, (void)w, (void)vip;
	return true;
}

/* Said if the address is not IPv6, whose alone the word is; keepalived goes on without it. */
static bool
is_ipv6_word(struct binder *b, const struct word *w, const struct vip_conf *vip)
{
	if (vip->addr.family == AF_INET6)
		return true;
	bind_say(b, CONF_WARNING, w->pos, "'%s' is for IPv6 addresses: it has no effect", w->text);
	return false;
}

static bool
vip_home(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	vip->home = is_ipv6_word(b, w, vip);
	return true;
}

/* RFC 8981: the kernel makes temporary addresses beside it. */
static bool
vip_managed(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	vip->managed = is_ipv6_word(b, w, vip);
	return true;
}

static bool
vip_autojoin(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)vip;
	bind_say(b, CONF_ERROR, w->pos,
	    "'autojoin' joins a multicast group, and a virtual address is none");
	return false;
}

static bool
vip_vmac(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)vip;
	bind_say(b, CONF_ERROR, w->pos,
	    "'use_vmac' of one address is not supported: use_vmac in the instance is for all of "
	    "them");
	return false;
}

static bool
vip_track_group(struct binder *b, const struct word *w, struct vip_conf *vip)
{
	(void)vip;
	bind_say(b, CONF_WARNING, w->pos,
	    "'track_group' has no effect: an address that is deleted is put back");
	return true;
}

/* One option of an address line: with a value or without. */
static const struct vip_option {
	const char *name;
	bool has_value;
	bool (*set)(struct binder *, const struct word *, struct vip_conf *);
} vip_options[] = {
	{ "dev", true, vip_device },
	{ "label", true, vip_label },
	{ "scope", true, vip_scope },
	{ "brd", true, vip_broadcast },
	{ "broadcast", true, vip_broadcast },
	{ "peer", true, vip_peer },
	{ "preferred_lft", true, vip_preferred },
	{ "noprefixroute", false, vip_no_prefix_route },
	{ "no_track", false, vip_no_track },
	{ "home", false, vip_home },
	{ "-nodad", false, vip_nodad },
	{ "nodad", false, vip_nodad },
	{ "mngtmpaddr", false, vip_managed },
	{ "autojoin", false, vip_autojoin },
	{ "use_vmac", false, vip_vmac },
	{ "track_group", true, vip_track_group },
};

static const struct vip_option *
find_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(vip_options); i++)
		if (strcmp(vip_options[i].name, name) == 0)
			return &vip_options[i];
	return NULL;
}

static bool
vip_unknown(struct binder *b, const struct word *w)
{
	char *hint = bind_did_you_mean(
	    b, w->text, vip_options, ARRAY_LEN(vip_options), sizeof(*vip_options));
	struct addr a;
	char *host = xstrndup(w->text, strcspn(w->text, "/"));
	bool second = addr_parse(host, &a) == 0;

	free(host);
	if (second)
		bind_say(b, CONF_ERROR, w->pos, "a second address in one line: one line each");
	else
		bind_say(
		    b, CONF_ERROR, w->pos, "unknown option '%.64s' of an address%s", w->text, hint);
	free(hint);
	return false;
}

static bool
vip_line(struct binder *b, const struct stmt *s, struct vip_conf *vip)
{
	if (!vrrp_parse_prefix(b, &s->words[0], &vip->addr, &vip->prefix_length))
		return false;
	if (addr_is_multicast(&vip->addr) || addr_is_any(&vip->addr)) {
		bind_say(b, CONF_ERROR, s->words[0].pos, "'%s' cannot be a virtual address",
		    s->words[0].text);
		return false;
	}
	for (size_t i = 1; i < s->n_words; i++) {
		const struct vip_option *o = find_option(s->words[i].text);

		if (o == NULL)
			return vip_unknown(b, &s->words[i]);
		if (o->has_value && i + 1 == s->n_words) {
			bind_say(b, CONF_ERROR, s->words[i].pos, "'%s' needs a value", o->name);
			return false;
		}
		if (!o->set(b, &s->words[i + (o->has_value ? 1 : 0)], vip))
			return false;
		i += o->has_value;
	}
	if (vip->managed && vip->prefix_length != 64) {
		bind_say(b, CONF_ERROR, s->words[0].pos,
		    "'mngtmpaddr' needs a prefix length of 64: temporary addresses are made in it");
		return false;
	}
	return true;
}

static bool
has_vip(const struct vrrp_conf *v, const struct addr *a)
{
	for (size_t i = 0; i < v->n_vips; i++)
		if (addr_equal(&v->vips[i].addr, a))
			return true;
	return false;
}

void
vip_conf_done(struct vip_conf *vip)
{
	free(vip->device);
	free(vip->label);
}

/* Advertised ones stand before excluded ones, each in the order of the file. */
static void
add_vip(struct vrrp_conf *v, const struct vip_conf *vip)
{
	size_t at = vip->excluded ? v->n_vips : v->n_advertised;

	v->vips = conf_grow(v->vips, v->n_vips, sizeof(*v->vips));
	memmove(&v->vips[at + 1], &v->vips[at], (v->n_vips - at) * sizeof(*v->vips));
	v->vips[at] = *vip;
	v->n_vips++;
	v->n_advertised += !vip->excluded;
}

#define VIPS_MAX 2048 /* of one instance; 255 of them fit into an advert */

static size_t
n_advertised(const struct vrrp_conf *v, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_advertised; i++)
		n += v->vips[i].addr.family == family;
	return n;
}

/* May the address be one of the instance's?  Said if not. */
static bool
vip_fits(
    struct binder *b, const struct stmt *s, const struct vrrp_conf *v, const struct vip_conf *vip)
{
	if (has_vip(v, &vip->addr))
		bind_say(b, CONF_ERROR, stmt_pos(s),
		    "the address is here twice, and keepalived would send it twice: remove one, on "
		    "every node");
	else if (v->n_vips >= VIPS_MAX ||
		 (!vip->excluded && n_advertised(v, vip->addr.family) >= 255))
		bind_say(b, CONF_ERROR, stmt_pos(s),
		    "an advert holds 255 addresses: the others belong into "
		    "virtual_ipaddress_excluded (all together %d)",
		    VIPS_MAX);
	else if (!vip->excluded && v->dual == NULL && v->n_advertised > 0 &&
		 v->vips[0].addr.family != vip->addr.family)
		bind_say(b, CONF_ERROR, stmt_pos(s),
		    "both families in one virtual_ipaddress: write 'dual_stack' for two adverts that "
		    "move together, or use virtual_ipaddress_excluded");
	else
		return true;
	return false;
}

void
vrrp_bind_vips(struct binder *b, struct stmt *block, struct vrrp_conf *v, bool excluded)
{
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		struct vip_conf vip = {
			.preferred_us = -1, .excluded = excluded, .pos = stmt_pos(s)
		};

		if (vrrp_skips_address(b, s, "address") || !vrrp_list_line(b, s))
			continue;
		if (vip_line(b, s, &vip) && vip_fits(b, s, v, &vip))
			add_vip(v, &vip);
		else
			vip_conf_done(&vip);
	}
}

/* ---- static_ipaddress ---- */

#define STATIC_VIPS_MAX 1024

static bool
static_fits(struct binder *b, const struct stmt *s, const struct vip_conf *vip)
{
	const struct conf *conf = b->conf;

	if (vip->device == NULL) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "a static address needs a 'dev'");
		return false;
	}
	for (size_t i = 0; i < conf->n_static_vips; i++)
		if (addr_equal(&conf->static_vips[i].addr, &vip->addr) &&
		    strcmp(conf->static_vips[i].device, vip->device) == 0) {
			bind_say(b, CONF_ERROR, stmt_pos(s), "the address is here twice");
			return false;
		}
	return bind_room(b, stmt_pos(s), conf->n_static_vips, STATIC_VIPS_MAX, "static addresses");
}

void
vrrp_bind_static_vips(struct binder *b, struct stmt *block)
{
	struct conf *conf = b->conf;

	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		struct vip_conf vip = {
			.preferred_us = -1, .is_static = true, .excluded = true, .pos = stmt_pos(s)
		};

		if (vrrp_skips_address(b, s, "address") || !vrrp_list_line(b, s))
			continue;
		if (!vip_line(b, s, &vip) || !static_fits(b, s, &vip)) {
			vip_conf_done(&vip);
			continue;
		}
		conf->static_vips = conf_grow(
		    conf->static_vips, conf->n_static_vips, sizeof(*conf->static_vips));
		conf->static_vips[conf->n_static_vips++] = vip;
	}
}
