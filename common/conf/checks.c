/*
 * checks.c - check blocks, and keepalived's: vrrp_script, vrrp_track_file,
 * vrrp_track_process.
 */
#include "common/conf/checks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- one check ---- */

bool
check_set_type(
    struct binder *b, const struct stmt *s, const struct directive *d, struct draft *draft)
{
	if (draft->type != NULL) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' beside '%s': a check has one type",
		    d->name, draft->type->name);
		return false;
	}
	draft->type = d;
	return true;
}

static void
bind_script(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_SCRIPT;
	draft->command = s;
	if (s->n_words > 2)
		bind_say(b, CONF_ERROR, s->words[2].pos,
		    "the command and its arguments belong into one pair of quotes "
		    "(keepalived reads this word as the user)");
}

/* port [addr:]N [udp] */
static void
bind_port(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct check_conf *c = &draft->check;
	const struct word *w = &s->words[1];
	int64_t port;

	if (!check_set_type(b, s, d, draft))
		return;
	c->kind = CHECK_PORT;
	if (strchr(w->text, ':') == NULL) {
		if (value_integer(b, w, 1, 65535, &port))
			c->endpoint.port = (uint16_t)port;
	} else if (endpoint_parse(w->text, &c->endpoint) < 0) {
		bind_say(
		    b, CONF_ERROR, w->pos, "'%.64s' is neither a port nor ADDRESS:PORT", w->text);
	}
	if (s->n_words > 2 && strcmp(s->words[2].text, "udp") == 0)
		c->udp = true;
	else if (s->n_words > 2 && strcmp(s->words[2].text, "tcp") != 0)
		bind_say(b, CONF_ERROR, s->words[2].pos, "'%.64s' is neither udp nor tcp",
		    s->words[2].text);
}

/* file PATH */
static void
bind_file(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	const struct word *w = &s->words[1];

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_FILE;
	if (w->text[0] != '/' || w->text[strlen(w->text) - 1] == '/')
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not the whole path of a file", w->text);
	free(draft->check.file);
	draft->check.file = xstrdup(w->text);
}

/* init_file [VALUE] [overwrite] */
static void
bind_init_file(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct check_conf *c = &((struct draft *)object)->check;
	int64_t value = 0;

	(void)d;
	for (size_t i = 1; i < s->n_words; i++) {
		if (strcmp(s->words[i].text, "overwrite") == 0)
			c->init_overwrite = true;
		else if (!value_integer(b, &s->words[i], INT32_MIN, INT32_MAX, &value))
			return;
	}
	c->init_file = true;
	c->init_value = (int)value;
	bind_say(b, CONF_NOTICE, stmt_pos(s),
	    "checkd writes the file as its own user, _trivet-checkd, which has to be allowed to");
}

/* weight N [reverse] */
static void
bind_weight(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	int64_t v;

	if (value_integer(b, &s->words[1], d->low, d->high, &v))
		draft->check.weight = (int)v;
	if (s->n_words == 2)
		return;
	if (strcmp(s->words[2].text, "reverse") == 0)
		draft->check.reverse = true;
	else if (strcmp(s->words[2].text, "noreverse") != 0)
		bind_say(
		    b, CONF_ERROR, s->words[2].pos, "'%.64s' is not 'reverse'", s->words[2].text);
}

static void
bind_user(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	(void)b, (void)d;
	draft->user = s->words[1].text;
	draft->group = stmt_arg(s, 2);
}

static void
bind_on_lost(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	const char *word = s->words[1].text;

	(void)d;
	if (strcmp(word, "hold") == 0 || strcmp(word, "fail") == 0)
		draft->check.on_lost_fail = strcmp(word, "fail") == 0;
	else
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is neither hold nor fail", word);
}

/* vrrp_script is keepalived's block, and there a unit is a bad number. */
static void
bind_time(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	int64_t us;
	bool unit;

	if (draft->check.block == BLOCK_SCRIPT && parse_duration(s->words[1].text, &us, &unit) &&
	    unit)
		bind_say(b, CONF_WARNING, s->words[1].pos,
		    "keepalived takes plain seconds here, without a unit");
	bind_duration(b, s, d, object);
}

#define C(field) offsetof(struct draft, check.field)

/* clang-format off */
#define COMMON_ROWS \
	{ "interval", 1, 1, 0, bind_time, C(interval_us), 10 * US_PER_MS, 30 * CHECK_DAY, NULL }, \
	{ "timeout", 1, 1, 0, bind_time, C(timeout_us), 0, 30 * CHECK_DAY, NULL }, \
	{ "rise", 1, 1, 0, bind_unsigned, C(rise), 1, 65535, NULL }, \
	{ "fall", 1, 1, 0, bind_unsigned, C(fall), 1, 65535, NULL }, \
	{ "weight", 1, 2, 0, bind_weight, 0, -253, 253, NULL }, \
	{ "user", 1, 2, 0, bind_user, 0, 0, 0, NULL }, \
	{ "init_fail", 0, 1, 0, bind_flag, C(init_fail), 0, 0, NULL }, \
	{ "hold", 1, 1, 0, bind_time, C(hold_us), 0, CHECK_DAY, NULL }, \
	{ "on_lost", 1, 1, 0, bind_on_lost, 0, 0, 0, NULL }

static const struct directive script_rows[] = {
	{ "script", 1, MANY, 0, bind_script, 0, 0, 0, NULL },
	COMMON_ROWS,
};

static const struct directive track_file_rows[] = {
	{ "file", 1, 1, 0, bind_file, 0, 0, 0, NULL },
	{ "weight", 1, 2, 0, bind_weight, 0, -254, 254, NULL },
	{ "init_file", 0, 2, 0, bind_init_file, 0, 0, 0, NULL },
};

static const struct directive track_process_rows[] = {
	{ "process", 1, MANY, 0, check_bind_command, 0, 0, 0, NULL },
	{ "param_match", 1, 1, 0, check_bind_param_match, 0, 0, 0, NULL },
	{ "full_command", 0, 0, 0, bind_flag, C(process.full_command), 0, 0, NULL },
	{ "weight", 1, 2, 0, bind_weight, 0, -253, 253, NULL },
	{ "quorum", 1, 1, 0, bind_unsigned, C(process.quorum), 0, 65535, NULL },
	{ "quorum_max", 1, 1, 0, bind_unsigned, C(process.quorum_max), 0, 65535, NULL },
	{ "delay", 1, 1, 0, check_bind_process_delay, 0, 0, 0, NULL },
	{ "fork_delay", 1, 1, 0, bind_seconds, C(process.fork_us), 0, 3600 * US_PER_S, NULL },
	{ "terminate_delay", 1, 1, 0, bind_seconds, C(process.terminate_us), 0, 3600 * US_PER_S, NULL },
};

static const struct directive check_rows[] = {
	{ "script", 1, MANY, 0, bind_script, 0, 0, 0, NULL },
	{ "port", 1, 2, 0, bind_port, 0, 0, 0, NULL },
	{ "process", 1, 3, 0, check_bind_process, 0, 0, 0, NULL },
	{ "tcp", 1, 5, 0, check_bind_tcp, 0, 0, 0, NULL },
	{ "http", 1, MANY, 0, check_bind_http, 0, 0, 0, NULL },
	{ "https", 1, MANY, 0, check_bind_http, 0, 0, 0, NULL },
	{ "ping", 1, 1, 0, check_bind_ping, 0, 0, 0, NULL },
	{ "dns", 2, 3, 0, check_bind_dns, 0, 0, 0, NULL },
	{ "smtp", 1, 1, 0, check_bind_smtp, 0, 0, 0, NULL },
	{ "udp", 1, 5, 0, check_bind_udp, 0, 0, 0, NULL },
	{ "file", 1, 1, 0, bind_file, 0, 0, 0, NULL },
	COMMON_ROWS,
	{ "reverse", 0, 1, 0, bind_flag, C(reverse), 0, 0, NULL },
	{ "bindto", 1, 1, 0, check_bind_from, 0, 0, 0, NULL },
	{ "bind_if", 1, 1, 0, check_bind_from, 0, 0, 0, NULL },
	{ "bind_port", 1, 1, 0, check_bind_from, 0, 0, 0, NULL },
	{ "redirects", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "status", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "expect", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "method", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "header", 1, 1, D_REPEAT, check_bind_http_option, 0, 0, 0, NULL },
	{ "keep_alive", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "verify", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "sni", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "ca", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
	{ "expiry_warning", 1, 1, 0, check_bind_http_option, 0, 0, 0, NULL },
};
/* clang-format on */

static const struct {
	const struct directive *rows;
	size_t n_rows;
	const char *needs; /* said of one without a type */
} blocks[] = {
	[BLOCK_CHECK] = { check_rows, ARRAY_LEN(check_rows),
	    "check '%s' checks nothing: it needs script, port, process, tcp ..." },
	[BLOCK_SCRIPT] = { script_rows, ARRAY_LEN(script_rows), "vrrp_script '%s' has no script" },
	[BLOCK_TRACK_FILE] = { track_file_rows, ARRAY_LEN(track_file_rows),
	    "vrrp_track_file '%s' has no file" },
	[BLOCK_TRACK_PROCESS] = { track_process_rows, ARRAY_LEN(track_process_rows),
	    "vrrp_track_process '%s' has no process" },
};

static int64_t
default_interval(enum check_kind kind)
{
	return kind == CHECK_PORT      ? 50 * US_PER_MS
	       : kind == CHECK_PROCESS ? 250 * US_PER_MS
				       : US_PER_S;
}

static void
set_defaults(struct check_conf *c)
{
	if (c->interval_us == 0)
		c->interval_us = default_interval(c->kind);
	if (c->timeout_us == 0) /* keepalived: 0 is the interval as well */
		c->timeout_us = c->block == BLOCK_SCRIPT ? c->interval_us
							 : MIN(c->interval_us, 5 * US_PER_S);
}

static bool
name_taken(struct binder *b, const struct stmt *s)
{
	const struct check_conf *other = conf_check(b->conf, s->words[1].text);

	if (other == NULL)
		return false;
	bind_say(b, CONF_ERROR, s->words[1].pos, "there is a %s '%s' already, in line %u",
	    check_block_str(other->block), other->name, other->pos.line);
	return true;
}

/* Known by name, so that what names it is not told that there is none. */
static void
add_broken(struct binder *b, const struct stmt *s)
{
	b->broken = conf_grow(b->broken, b->n_broken, sizeof(*b->broken));
	b->broken[b->n_broken++] = xstrdup(s->words[1].text);
}

/* All statements of the block are bound; false: there is no check to keep. */
static bool
complete(struct binder *b, const struct stmt *s, struct draft *draft)
{
	struct check_conf *c = &draft->check;

	if (draft->type == NULL) {
		bind_say(b, CONF_ERROR, s->words[1].pos, blocks[c->block].needs, c->name);
		return false;
	}
	if (name_taken(b, s) || !check_http_complete(b, s, draft) ||
	    !check_from_complete(b, s, c) ||
	    (c->kind == CHECK_PROCESS && !check_process_complete(b, draft)))
		return false;
	if (c->kind == CHECK_SCRIPT && !check_take_dev_tcp(b, c, &draft->command->words[1]))
		return check_add_command(b, draft);
	if (draft->user != NULL)
		bind_say(b, CONF_WARNING, s->words[1].pos, "'user' has no effect without a script");
	return true;
}

void
checks_bind(struct binder *b, struct stmt *s, enum check_block block)
{
	struct context in = { .kind = check_block_str(block),
		.name = s->words[1].text,
		.part = CONF_CHECK,
		.rows = blocks[block].rows,
		.n_rows = blocks[block].n_rows,
		.is_ours = block == BLOCK_CHECK };
	struct draft draft = { .check = { .name = xstrdup(in.name),
				   .pos = s->words[1].pos,
				   .block = block,
				   .weight = block == BLOCK_TRACK_FILE ? 1 : 0, /* keepalived's */
				   .hold_us = 10 * US_PER_S,
				   .rise = 1,
				   .fall = 1,
				   .process = { .quorum = 1, .quorum_max = UINT_MAX },
				   .script = SIZE_MAX } };
	const struct context *outer = b->in;
	struct conf *conf = b->conf;

	bind_block(b, s, &in, &draft);
	set_defaults(&draft.check);
	b->in = &in;
	if (bind_room(b, draft.check.pos, conf->n_checks, CONF_NAMES_MAX, "checks") &&
	    complete(b, s, &draft)) {
		conf->checks = conf_grow(conf->checks, conf->n_checks, sizeof(*conf->checks));
		conf->checks[conf->n_checks] = draft.check;
		names_add(
		    &conf->check_names, conf->checks, sizeof(*conf->checks), conf->n_checks++);
	} else {
		add_broken(b, s);
		check_conf_done(&draft.check);
	}
	b->in = outer;
}
