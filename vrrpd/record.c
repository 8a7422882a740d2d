/*
 * record.c - the state file's text; see record.h.  A line per thing, words
 * separated by one space, texts as "=" and the text with %XX for what would
 * end a word, and "end" as the last line, so that half a file is none:
 *
 *	trivet vrrpd state 1
 *	boot BOOT-ID
 *	clock BOOTTIME MONOTONIC crash|handover
 *	adopted BOOTTIME
 *	instance ipv4 51 =eth0 MASTER 100 BOOTTIME
 *	adjusted +|- 30 UNTIL			(those two only where the
 *	released UNTIL				operator said something)
 *	term script =chk_nginx down VALID-UNTIL SINCE =exit%201
 *	end
 */
#include "vrrpd/record.h"

#include "common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAGIC "trivet vrrpd state "

/* ---- looking up ---- */

void
record_note_adoption(struct record *rec, mono_t now)
{
	if (rec->n_adoptions == RECORD_ADOPTIONS_MAX) {
		rec->n_adoptions--;
		memmove(rec->adoptions, rec->adoptions + 1,
		    rec->n_adoptions * sizeof(rec->adoptions[0]));
	}
	rec->adoptions[rec->n_adoptions++] = now;
}

const struct record_instance *
record_find(const struct record *rec, uint8_t family, uint8_t vrid, const char *interface)
{
	for (size_t i = 0; rec != NULL && i < rec->n_instances; i++) {
		const struct record_instance *in = &rec->instances[i];

		if (in->family == family && in->vrid == vrid &&
		    strcmp(in->interface, interface) == 0)
			return in;
	}
	return NULL;
}

const struct record_term *
record_find_term(const struct record_instance *in, enum prio_kind kind, const char *name)
{
	for (size_t i = 0; in != NULL && i < in->n_terms; i++)
		if (in->terms[i].kind == kind && strcmp(in->terms[i].name, name) == 0)
			return &in->terms[i];
	return NULL;
}

void
record_done(struct record *rec)
{
	if (rec == NULL)
		return;
	for (size_t i = 0; i < rec->n_instances; i++)
		free(rec->instances[i].terms);
	free(rec->instances);
	*rec = (struct record){ 0 };
}

/* ---- writing ---- */

static bool
ends_word(unsigned char c)
{
	return c <= ' ' || c == '%' || c == 0x7f;
}

/* A text of at most size-1 bytes, as the reader will take it. */
static void
add_text(struct text *out, const char *s, size_t size)
{
	text_add(out, " =");
	for (size_t i = 0; i < size - 1 && s[i] != '\0'; i++) {
		unsigned char c = (unsigned char)s[i];

		if (ends_word(c))
			text_addf(out, "%%%02X", c);
		else
			text_add_n(out, &s[i], 1);
	}
}

static void
add_time(struct text *out, mono_t t)
{
	if (mono_is_never(t))
		text_add(out, " never");
	else
		text_addf(out, " %" PRId64, t.us);
}

static void
add_instance(struct text *out, const struct record_instance *in)
{
	text_addf(out, "instance %s %u", in->family == AF_INET ? "ipv4" : "ipv6", in->vrid);
	add_text(out, in->interface, sizeof(in->interface));
	text_addf(out, " %s %u", vrrp_role_str(in->role), in->priority);
	add_time(out, in->advert_at);
	text_add(out, "\n");
	if (in->delta != 0) {
		text_addf(out, "adjusted %c %d", in->delta < 0 ? '-' : '+',
		    MIN(abs(in->delta), RECORD_DELTA_MAX));
		add_time(out, in->delta_until);
		text_add(out, "\n");
	}
	if (in->released) {
		text_add(out, "released");
		add_time(out, in->released_until);
		text_add(out, "\n");
	}
	for (size_t i = 0; i < in->n_terms; i++) {
		const struct record_term *t = &in->terms[i];

		text_addf(out, "term %s", prio_kind_str(t->kind));
		add_text(out, t->name, sizeof(t->name));
		text_addf(out, " %s", prio_verdict_str(t->verdict));
		add_time(out, t->valid_until);
		add_time(out, t->since);
		add_text(out, t->evidence, sizeof(t->evidence));
		text_add(out, "\n");
	}
}

void
record_encode(const struct record *rec, struct text *ret)
{
	text_addf(ret, MAGIC "%d\n", RECORD_VERSION);
	text_addf(ret, "boot %s\n", rec->boot_id[0] != '\0' ? rec->boot_id : "-");
	text_add(ret, "clock");
	add_time(ret, rec->stamp);
	add_time(ret, rec->monotonic);
	text_addf(ret, " %s\n", rec->handover ? "handover" : "crash");
	for (size_t i = 0; i < rec->n_adoptions; i++) {
		text_add(ret, "adopted");
		add_time(ret, rec->adoptions[i]);
		text_add(ret, "\n");
	}
	for (size_t i = 0; i < rec->n_instances; i++)
		add_instance(ret, &rec->instances[i]);
	text_add(ret, "end\n");
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
};

/* The next word of the line, up to a space or the line's end; false: none is left. */
static bool
word(struct cursor *c, const char **ret, size_t *ret_length)
{
	const char *from;

	if (c->at < c->end && *c->at == ' ')
		c->at++;
	from = c->at;
	while (c->at < c->end && *c->at != ' ' && *c->at != '\n')
		c->at++;
	*ret = from;
	*ret_length = (size_t)(c->at - from);
	return c->at > from;
}

static bool
word_is(const char *w, size_t length, const char *want)
{
	return strlen(want) == length && memcmp(w, want, length) == 0;
}

/* The next word must be this one. */
static bool
expect(struct cursor *c, const char *want)
{
	const char *w;
	size_t length;

	return word(c, &w, &length) && word_is(w, length, want);
}

static bool
line_end(struct cursor *c)
{
	if (c->at == c->end || *c->at != '\n')
		return false;
	c->at++;
	return true;
}

static bool
number(struct cursor *c, int64_t max, int64_t *ret)
{
	const char *w;
	size_t length;
	int64_t n = 0;

	if (!word(c, &w, &length))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (w[i] < '0' || w[i] > '9' || n > (max - (w[i] - '0')) / 10)
			return false;
		n = n * 10 + (w[i] - '0');
	}
	*ret = n;
	return true;
}

static bool
small(struct cursor *c, uint8_t *ret)
{
	int64_t n;

	if (!number(c, UINT8_MAX, &n))
		return false;
	*ret = (uint8_t)n;
	return true;
}

static bool
time_of(struct cursor *c, mono_t *ret)
{
	struct cursor before = *c;

	if (expect(c, "never")) {
		*ret = MONO_NEVER;
		return true;
	}
	*c = before;
	return number(c, INT64_MAX - 1, &ret->us);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
text_of(struct cursor *c, char *ret, size_t size)
{
	const char *w;
	size_t length, n = 0;

	if (!word(c, &w, &length) || w[0] != '=')
		return false;
	for (size_t i = 1; i < length; i++) {
		int ch = (unsigned char)w[i];

		if (ch == '%') {
			if (length - i < 3 || hex_digit(w[i + 1]) < 0 || hex_digit(w[i + 2]) < 0)
				return false;
			ch = hex_digit(w[i + 1]) * 16 + hex_digit(w[i + 2]);
			i += 2;
		}
		if (ch == 0 || n == size - 1)
			return false;
		ret[n++] = (char)ch;
	}
	ret[n] = '\0';
	return true;
}

/* The index of the next word among n names; false: none of them. */
static bool
one_of(struct cursor *c, const char *(*name)(int), int n, int *ret)
{
	const char *w;
	size_t length;

	if (!word(c, &w, &length))
		return false;
	for (int i = 0; i < n; i++)
		if (word_is(w, length, name(i))) {
			*ret = i;
			return true;
		}
	return false;
}

static const char *
role_name(int i)
{
	return vrrp_role_str((enum vrrp_role)i);
}

static const char *
kind_name(int i)
{
	return prio_kind_str((enum prio_kind)i);
}

static const char *
verdict_name(int i)
{
	return prio_verdict_str((enum prio_verdict)i);
}

static const char *
family_name(int i)
{
	return i == 0 ? "ipv4" : "ipv6";
}

static const char *
ending_name(int i)
{
	return i == 0 ? "crash" : "handover";
}

static int
read_boot(struct cursor *c, struct record *rec)
{
	const char *w;
	size_t length;

	if (!expect(c, "boot") || !word(c, &w, &length) || length >= sizeof(rec->boot_id) ||
	    memchr(w, '\0', length) != NULL)
		return -EBADMSG;
	if (!word_is(w, length, "-"))
		memcpy(rec->boot_id, w, length);
	return line_end(c) ? 0 : -EBADMSG;
}

static int
read_clock(struct cursor *c, struct record *rec)
{
	int ending;

	if (!expect(c, "clock") || !time_of(c, &rec->stamp) || !time_of(c, &rec->monotonic) ||
	    !one_of(c, ending_name, 2, &ending) || !line_end(c))
		return -EBADMSG;
	rec->handover = ending == 1;
	return 0;
}

static int
read_adopted(struct cursor *c, struct record *rec)
{
	mono_t at;

	if (rec->n_adoptions == RECORD_ADOPTIONS_MAX)
		return -EFBIG;
	if (!time_of(c, &at) || !line_end(c))
		return -EBADMSG;
	rec->adoptions[rec->n_adoptions++] = at;
	return 0;
}

static int
read_instance(struct cursor *c, struct record *rec)
{
	struct record_instance in = { 0 };
	int family, role;

	if (rec->n_instances == RECORD_INSTANCES_MAX)
		return -EFBIG;
	if (!one_of(c, family_name, 2, &family) || !small(c, &in.vrid) ||
	    !text_of(c, in.interface, sizeof(in.interface)) ||
	    !one_of(c, role_name, VRRP_FAULT + 1, &role) || !small(c, &in.priority) ||
	    !time_of(c, &in.advert_at) || !line_end(c))
		return -EBADMSG;
	in.family = family == 0 ? AF_INET : AF_INET6;
	in.role = (enum vrrp_role)role;
	rec->instances = xreallocarray(
	    rec->instances, rec->n_instances + 1, sizeof(rec->instances[0]));
	rec->instances[rec->n_instances++] = in;
	return 0;
}

static const char *
sign_name(int i)
{
	return i == 0 ? "+" : "-";
}

/* The operator's words follow the instance they are about. */
static struct record_instance *
last_instance(struct record *rec)
{
	return rec->n_instances > 0 ? &rec->instances[rec->n_instances - 1] : NULL;
}

static int
read_adjusted(struct cursor *c, struct record *rec)
{
	struct record_instance *in = last_instance(rec);
	int64_t delta;
	int sign;

	if (in == NULL || !one_of(c, sign_name, 2, &sign) || !number(c, RECORD_DELTA_MAX, &delta) ||
	    delta == 0 || !time_of(c, &in->delta_until) || !line_end(c))
		return -EBADMSG;
	in->delta = (int)(sign == 0 ? delta : -delta);
	return 0;
}

static int
read_released(struct cursor *c, struct record *rec)
{
	struct record_instance *in = last_instance(rec);

	if (in == NULL || !time_of(c, &in->released_until) || !line_end(c))
		return -EBADMSG;
	in->released = true;
	return 0;
}

static int
read_term(struct cursor *c, struct record *rec)
{
	struct record_term t = { 0 };
	struct record_instance *in = last_instance(rec);
	int kind, verdict;

	if (in == NULL)
		return -EBADMSG;
	if (in->n_terms == RECORD_TERMS_MAX)
		return -EFBIG;
	if (!one_of(c, kind_name, PRIO_KIND_MAX, &kind) || !text_of(c, t.name, sizeof(t.name)) ||
	    !one_of(c, verdict_name, PRIO_DOWN + 1, &verdict) || !time_of(c, &t.valid_until) ||
	    !time_of(c, &t.since) || !text_of(c, t.evidence, sizeof(t.evidence)) || !line_end(c))
		return -EBADMSG;
	t.kind = (enum prio_kind)kind;
	t.verdict = (enum prio_verdict)verdict;
	in->terms = xreallocarray(in->terms, in->n_terms + 1, sizeof(in->terms[0]));
	in->terms[in->n_terms++] = t;
	return 0;
}

/* Lines until "end", which must be the last one. */
static int
read_body(struct cursor *c, struct record *rec)
{
	static const struct {
		const char *name;
		int (*read)(struct cursor *, struct record *);
	} lines[] = { { "adopted", read_adopted }, { "instance", read_instance },
		{ "adjusted", read_adjusted }, { "released", read_released },
		{ "term", read_term } };
	const char *w;
	size_t length, i;
	int r;

	while (word(c, &w, &length)) {
		if (word_is(w, length, "end"))
			return line_end(c) && c->at == c->end ? 0 : -EBADMSG;
		for (i = 0; i < ARRAY_LEN(lines); i++)
			if (word_is(w, length, lines[i].name))
				break;
		if (i == ARRAY_LEN(lines))
			return -EBADMSG;
		r = lines[i].read(c, rec);
		if (r < 0)
			return r;
	}
	return -EBADMSG;
}

static int
read_header(struct cursor *c)
{
	int64_t version;

	if ((size_t)(c->end - c->at) < strlen(MAGIC) || memcmp(c->at, MAGIC, strlen(MAGIC)) != 0)
		return -EBADMSG;
	c->at += strlen(MAGIC);
	if (!number(c, INT32_MAX, &version) || !line_end(c))
		return -EBADMSG;
	return version == RECORD_VERSION ? 0 : -EPROTONOSUPPORT;
}

int
record_decode(const char *bytes, size_t size, struct record *ret)
{
	struct cursor c = { bytes, bytes + size };
	struct record rec = { 0 };
	int r;

	if (size > RECORD_SIZE_MAX)
		return -EFBIG;
	r = read_header(&c);
	if (r == 0)
		r = read_boot(&c, &rec);
	if (r == 0)
		r = read_clock(&c, &rec);
	if (r == 0)
		r = read_body(&c, &rec);
	if (r < 0) {
		record_done(&rec);
		return r;
	}
	*ret = rec;
	return 0;
}
