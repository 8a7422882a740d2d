/*
 * checks.c - vrrp_script and check blocks, and the command lines in them.
 */
#include "common/conf/checks.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- command lines ---- */

/*
 * The next word of a command line, as keepalived splits it: at blanks, except
 * inside quotes.  NULL at the end; *ret_closed: the quotes were.
 */
static char *
command_word(const char **at, bool *ret_closed)
{
	struct text t = { 0 };
	const char *p = *at + strspn(*at, " \t\n");
	char quote = 0;
	bool any = false;

	for (; *p != '\0' && (quote != 0 || strchr(" \t\n", *p) == NULL); p++) {
		any = true;
		if (quote == 0 && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (quote != 0 && *p == quote)
			quote = 0;
		else
			text_add_n(&t, p, 1);
	}
	*at = p;
	*ret_closed = quote == 0;
	if (!any)
		return NULL;
	return text_take(&t);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool
is_shell(const char *program)
{
	static const char *const shells[] = { "sh", "bash", "dash", "ash", "ksh", "zsh",
		"busybox" };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(base_name(program), shells[i]) == 0)
			return true;
	return false;
}

/* Outside single quotes, would a shell do something with this line?  What, or NULL. */
static const char *
shell_syntax(const char *command)
{
	static const char *const signs[] = { "$(", "&&", "||", "|", ">", "<", ";", "`" };
	char quote = 0;

	for (const char *p = command; *p != '\0'; p++) {
		if (quote == 0 && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (*p == quote)
			quote = 0;
		else if (quote == 0)
			for (size_t i = 0; i < ARRAY_LEN(signs); i++)
				if (strncmp(p, signs[i], strlen(signs[i])) == 0)
					return signs[i];
	}
	return NULL;
}

/* What the command would check without a fork: the name of a process, or NULL. */
static const char *
process_checked(const struct conf_script *c)
{
	const char *program = base_name(c->argv[0]);

	if (c->argc == 3 && strcmp(program, "killall") == 0 && strcmp(c->argv[1], "-0") == 0)
		return c->argv[2];
	if (c->argc == 3 && strcmp(program, "pkill") == 0 && strcmp(c->argv[1], "-0") == 0)
		return c->argv[2];
	if (c->argc == 2 && strcmp(program, "pidof") == 0)
		return c->argv[1];
	return NULL;
}

/* A program without a path is looked up now, so that what runs is known. */
static void
find_program(struct binder *b, struct conf_script *c)
{
	const struct conf_host *host = b->src->host;
	const char *name = c->argv[0];
	char *found;

	if (name[0] == '/')
		return;
	if (strchr(name, '/') != NULL) {
		bind_say(b, CONF_ERROR, c->pos,
		    "'%s' is a relative path: a script is named by its whole path", name);
		return;
	}
	found = host != NULL && host->find_program != NULL ? host->find_program(host->aux, name)
							   : NULL;
	if (found == NULL) {
		bind_say(b, CONF_WARNING, c->pos,
		    "there is no program '%s' on this host: it counts as failed", name);
		return;
	}
	bind_say(b, CONF_NOTICE, c->pos, "'%s' is %s here", name, found);
	free(c->argv[0]);
	c->argv[0] = found;
}

static void
lint_command(struct binder *b, const struct conf_script *c, const char *command)
{
	const char *sign = is_shell(c->argv[0]) ? NULL : shell_syntax(command);
	const char *process = c->is_notify ? NULL : process_checked(c);

	if (sign != NULL)
		bind_say(b, CONF_WARNING, c->pos,
		    "'%s' means nothing here: no shell runs this; use sh -c '...' or a file", sign);
	if (process != NULL)
		bind_say(b, CONF_NOTICE, c->pos,
		    "check NAME { process %s } does the same without a fork, and notices at once",
		    process);
}

/* "user" and "group", or "user:group" in one word. */
void
script_set_user(struct binder *b, struct conf_script *c, const char *user, const char *group)
{
	const char *colon = strchr(user, ':');

	(void)b;
	free(c->user);
	free(c->group);
	c->user = colon != NULL && group == NULL ? xstrndup(user, (size_t)(colon - user))
						 : xstrdup(user);
	c->group = group != NULL ? xstrdup(group) : colon != NULL ? xstrdup(colon + 1) : NULL;
}

static bool
split_command(struct binder *b, struct conf_script *c, const struct word *w)
{
	const char *at = w->text;
	bool closed = true;
	char *word;

	while (closed && (word = command_word(&at, &closed)) != NULL) {
		c->argv = xreallocarray(c->argv, c->argc + 2, sizeof(*c->argv));
		c->argv[c->argc++] = word;
		c->argv[c->argc] = NULL;
	}
	if (!closed)
		bind_say(b, CONF_ERROR, w->pos, "quote without an end in the command");
	else if (c->argc == 0 || c->argv[0][0] == '\0')
		bind_say(b, CONF_ERROR, w->pos, "the command is empty");
	else
		return true;
	return false;
}

bool
script_add(struct binder *b, const struct stmt *s, size_t user_at, bool is_notify, char *owner,
    size_t *ret_script)
{
	struct conf *conf = b->conf;
	const struct word *w = &s->words[1];
	struct conf_script c = { .is_notify = is_notify, .owner = owner, .pos = w->pos };

	if (!split_command(b, &c, w)) {
		script_conf_done(&c);
		return false;
	}
	lint_command(b, &c, w->text);
	find_program(b, &c);
	if (user_at < s->n_words) {
		script_set_user(b, &c, s->words[user_at].text, stmt_arg(s, user_at + 1));
	} else if (conf->script_user != NULL) {
		c.user = xstrdup(conf->script_user);
		c.group = conf->script_group != NULL ? xstrdup(conf->script_group) : NULL;
	}
	conf->scripts = conf_grow(conf->scripts, conf->n_scripts, sizeof(*conf->scripts));
	conf->scripts[conf->n_scripts] = c;
	*ret_script = conf->n_scripts++;
	return true;
}

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

/* process NAME [quorum N] */
static void
bind_process(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct check_conf *c = &draft->check;
	int64_t quorum;

	if (!check_set_type(b, s, d, draft))
		return;
	c->kind = CHECK_PROCESS;
	if (s->words[1].text[0] == '\0')
		bind_say(b, CONF_ERROR, s->words[1].pos, "the name of the process is empty");
	free(c->process);
	c->process = xstrdup(s->words[1].text);
	if (s->n_words == 2)
		return;
	if (s->n_words != 4 || strcmp(s->words[2].text, "quorum") != 0)
		bind_say(
		    b, CONF_ERROR, s->words[2].pos, "behind the name only 'quorum N' may stand");
	else if (value_integer(b, &s->words[3], 1, 65535, &quorum))
		c->quorum = (unsigned)quorum;
}

/* A type of check that is known, and not made yet. */
static void
bind_inert_type(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->inert = true;
	bind_say(
	    b, CONF_NOTICE, stmt_pos(s), "'%s' checks are accepted, not in effect yet", d->name);
}

/* weight N [reverse] */
static void
bind_weight(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	int64_t v;

	(void)d;
	if (value_integer(b, &s->words[1], -253, 253, &v))
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

	if (draft->check.is_vrrp_script && parse_duration(s->words[1].text, &us, &unit) && unit)
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
	{ "weight", 1, 2, 0, bind_weight, 0, 0, 0, NULL }, \
	{ "user", 1, 2, 0, bind_user, 0, 0, 0, NULL }, \
	{ "init_fail", 0, 1, 0, bind_flag, C(init_fail), 0, 0, NULL }, \
	{ "hold", 1, 1, 0, bind_time, C(hold_us), 0, CHECK_DAY, NULL }, \
	{ "on_lost", 1, 1, 0, bind_on_lost, 0, 0, 0, NULL }

static const struct directive script_rows[] = {
	{ "script", 1, MANY, 0, bind_script, 0, 0, 0, NULL },
	COMMON_ROWS,
};

static const struct directive check_rows[] = {
	{ "script", 1, MANY, 0, bind_script, 0, 0, 0, NULL },
	{ "port", 1, 2, 0, bind_port, 0, 0, 0, NULL },
	{ "process", 1, 3, 0, bind_process, 0, 0, 0, NULL },
	{ "tcp", 1, 5, 0, check_bind_tcp, 0, 0, 0, NULL },
	{ "http", 1, MANY, 0, check_bind_http, 0, 0, 0, NULL },
	{ "https", 1, MANY, 0, check_bind_http, 0, 0, 0, NULL },
	{ "ping", 1, 1, 0, check_bind_ping, 0, 0, 0, NULL },
	{ "dns", 2, 3, 0, check_bind_dns, 0, 0, 0, NULL },
	{ "smtp", 1, 1, 0, check_bind_smtp, 0, 0, 0, NULL },
	{ "udp", 1, 5, 0, check_bind_udp, 0, 0, 0, NULL },
	{ "file", 1, MANY, 0, bind_inert_type, 0, 0, 0, NULL },
	COMMON_ROWS,
	{ "reverse", 0, 1, 0, bind_flag, C(reverse), 0, 0, NULL },
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
		c->timeout_us = c->is_vrrp_script ? c->interval_us
						  : MIN(c->interval_us, 5 * US_PER_S);
}

static bool
name_taken(struct binder *b, const struct stmt *s)
{
	const struct check_conf *other = conf_check(b->conf, s->words[1].text);

	if (other == NULL)
		return false;
	bind_say(b, CONF_ERROR, s->words[1].pos, "there is a %s '%s' already, in line %u",
	    other->is_vrrp_script ? "vrrp_script" : "check", other->name, other->pos.line);
	return true;
}

/* Known by name, so that what names it is told the truth. */
static void
add_inert(struct binder *b, const struct stmt *s, bool broken)
{
	b->inert = conf_grow(b->inert, b->n_inert, sizeof(*b->inert));
	b->inert[b->n_inert++] = (struct inert){ xstrdup(s->words[1].text), stmt_name(s), broken };
}

/* The command goes among the scripts; the check keeps its own view of the words. */
static bool
add_command(struct binder *b, struct draft *draft)
{
	struct check_conf *c = &draft->check;
	struct conf_script *script;

	if (!script_add(
		b, draft->command, SIZE_MAX, false, xasprintf("check %s", c->name), &c->script))
		return false;
	script = &b->conf->scripts[c->script];
	if (draft->user != NULL)
		script_set_user(b, script, draft->user, draft->group);
	c->argc = script->argc;
	c->argv = xcalloc(c->argc + 1, sizeof(*c->argv));
	for (size_t i = 0; i < c->argc; i++)
		c->argv[i] = xstrdup(script->argv[i]);
	return true;
}

/*
 * "</dev/tcp/ADDRESS/PORT", which keepalived hands to a shell that happens to be
 * bash: the tcp check it stands for.  False: it is none.
 */
static bool
take_dev_tcp(struct binder *b, struct check_conf *c, const struct word *w)
{
	static const char prefix[] = "</dev/tcp/";
	const char *host = w->text + strlen(prefix), *slash;
	char *text;
	struct addr a;

	if (strncmp(w->text, prefix, strlen(prefix)) != 0)
		return false;
	slash = strchr(host, '/');
	text = slash == NULL ? xstrdup(host) : xstrndup(host, (size_t)(slash - host));
	if (strcmp(text, "localhost") == 0) {
		free(text);
		text = xstrdup("127.0.0.1");
	}
	c->kind = CHECK_TCP;
	if (slash != NULL && addr_parse(text, &a) == 0) {
		char *endpoint = xasprintf(
		    a.family == AF_INET6 ? "[%s]:%s" : "%s:%s", text, slash + 1);

		if (endpoint_parse(endpoint, &c->endpoint) == 0)
			bind_say(b, CONF_NOTICE, w->pos, "read as 'tcp %s': there is no shell here",
			    endpoint);
		free(endpoint);
	}
	if (c->endpoint.port == 0)
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is not </dev/tcp/ADDRESS/PORT (names are not resolved here)", w->text);
	free(text);
	return true;
}

/* All statements of the block are bound; false: there is no check to keep. */
static bool
complete(struct binder *b, const struct stmt *s, struct draft *draft)
{
	struct check_conf *c = &draft->check;

	if (draft->type == NULL) {
		bind_say(b, CONF_ERROR, s->words[1].pos,
		    c->is_vrrp_script ? "vrrp_script '%s' has no script"
				      : "check '%s' checks nothing: it needs script, port, "
					"process, tcp ...",
		    c->name);
		return false;
	}
	if (name_taken(b, s) || draft->inert || !check_http_complete(b, s, draft))
		return false;
	if (c->kind == CHECK_SCRIPT && !take_dev_tcp(b, c, &draft->command->words[1]))
		return add_command(b, draft);
	if (draft->user != NULL)
		bind_say(b, CONF_WARNING, s->words[1].pos, "'user' has no effect without a script");
	return true;
}

void
checks_bind(struct binder *b, struct stmt *s, bool is_vrrp_script)
{
	struct context in = { .kind = is_vrrp_script ? "vrrp_script" : "check",
		.name = s->words[1].text,
		.part = CONF_CHECK,
		.rows = is_vrrp_script ? script_rows : check_rows,
		.n_rows = is_vrrp_script ? ARRAY_LEN(script_rows) : ARRAY_LEN(check_rows),
		.is_ours = !is_vrrp_script };
	struct draft draft = { .check = { .name = xstrdup(in.name),
				   .pos = s->words[1].pos,
				   .is_vrrp_script = is_vrrp_script,
				   .hold_us = 10 * US_PER_S,
				   .rise = 1,
				   .fall = 1,
				   .quorum = 1,
				   .script = SIZE_MAX } };
	const struct context *outer = b->in;
	struct conf *conf = b->conf;

	bind_block(b, s, &in, &draft);
	set_defaults(&draft.check);
	b->in = &in;
	if (bind_room(b, draft.check.pos, conf->n_checks, CONF_NAMES_MAX, "checks") &&
	    complete(b, s, &draft)) {
		conf->checks = conf_grow(conf->checks, conf->n_checks, sizeof(*conf->checks));
		conf->checks[conf->n_checks++] = draft.check;
	} else {
		add_inert(b, s, !draft.inert);
		check_conf_done(&draft.check);
	}
	b->in = outer;
}

/* vrrp_track_process, track_file: known, nothing done with them yet. */
void
checks_bind_inert(struct binder *b, struct stmt *s)
{
	conf_say(b->src, CONF_WARNING, CONF_CHECK, stmt_pos(s),
	    "'%s' is accepted, not in effect yet: it watches nothing", stmt_name(s));
	add_inert(b, s, false);
}
