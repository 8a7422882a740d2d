/*
 * command.c - command lines: split into words as keepalived does it, looked at
 * for what people meant, and put among what the runner may start.
 */
#include "common/conf/checks.h"
#include "common/conf/hint.h"

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
	char *hint = c->is_notify ? NULL : hint_check(command);

	if (sign != NULL)
		bind_say(b, CONF_WARNING, c->pos,
		    "'%s' means nothing here: no shell runs this; use sh -c '...' or a file", sign);
	if (hint != NULL)
		bind_say(b, CONF_NOTICE, c->pos, "check NAME { %s } does the same without a fork%s",
		    hint, strncmp(hint, "process", 7) == 0 ? ", and notices at once" : "");
	free(hint);
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

bool
command_split(struct binder *b, const struct word *w, char ***words, size_t *n)
{
	const char *at = w->text;
	bool closed = true;
	char *word;

	while (closed && (word = command_word(&at, &closed)) != NULL) {
		*words = xreallocarray(*words, *n + 2, sizeof(**words));
		(*words)[(*n)++] = word;
		(*words)[*n] = NULL;
	}
	if (!closed)
		bind_say(b, CONF_ERROR, w->pos, "quote without an end in the command");
	else if (*n == 0 || (*words)[0][0] == '\0')
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

	if (!command_split(b, w, &c.argv, &c.argc)) {
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

/* ---- as a check ---- */

bool
check_add_command(struct binder *b, struct draft *draft)
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

bool
check_take_dev_tcp(struct binder *b, struct check_conf *c, const struct word *w)
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
