/*
 * hint.c - see hint.h.  Commands are read as people write them, with or without
 * a shell: as words between blanks, quotes and the signs of a shell.
 */
#include "common/conf/hint.h"

#include "common/text.h"
#include "common/util.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32 /* a longer command does more than one thing */
#define URL_MAX	  200

static const char between[] = " \t\n|;&<>()\"'`";

struct words {
	char *list[WORDS_MAX];
	size_t n;
};

static bool
split(const char *command, struct words *w)
{
	const char *p = command + strspn(command, between);

	for (w->n = 0; *p != '\0'; p += strspn(p, between)) {
		size_t size = strcspn(p, between);

		if (w->n == WORDS_MAX)
			return false;
		w->list[w->n++] = xstrndup(p, size);
		p += size;
	}
	return true;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool
is(const struct words *w, size_t i, const char *program)
{
	return i < w->n && strcmp(base_name(w->list[i]), program) == 0;
}

/* The first word of the command itself: behind `sh -c`. */
static size_t
first(const struct words *w)
{
	bool shell = is(w, 0, "sh") || is(w, 0, "bash") || is(w, 0, "dash");

	return shell && w->n > 1 && strcmp(w->list[1], "-c") == 0 ? 2 : 0;
}

static bool
is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long n = digits > 0 && digits <= 5 ? strtol(text, NULL, 10) : 0;

	/* "8080$" and the like, as a pattern */
	return n >= 1 && n <= 65535 &&
	       (text[digits] == '\0' || strcmp(text + digits, "$") == 0 ||
		   strcmp(text + digits, "\\b") == 0);
}

/* killall -0 NAME, pkill -0 NAME, pidof NAME, pgrep -x NAME, and nothing else. */
static char *
process_of(const struct words *w, size_t at)
{
	size_t n = w->n - at;

	if (n == 3 && (is(w, at, "killall") || is(w, at, "pkill")) &&
	    strcmp(w->list[at + 1], "-0") == 0)
		return xasprintf("process %s", w->list[at + 2]);
	if (n == 3 && is(w, at, "pgrep") && strcmp(w->list[at + 1], "-x") == 0)
		return xasprintf("process %s", w->list[at + 2]);
	if (n == 2 && is(w, at, "pidof") && w->list[at + 1][0] != '-')
		return xasprintf("process %s", w->list[at + 1]);
	return NULL;
}

/* ss ... | grep :N, netstat ... | grep N, ss ... sport = :N, lsof -i :N */
static char *
port_of(const struct words *w, size_t at)
{
	bool grep = false;

	if (!is(w, at, "ss") && !is(w, at, "netstat") && !is(w, at, "lsof"))
		return NULL;
	for (size_t i = at + 1; i < w->n; i++) {
		const char *word = w->list[i], *colon = strrchr(word, ':');

		grep = grep || is(w, i, "grep") || is(w, i, "egrep");
		if (colon != NULL ? is_port(colon + 1) : grep && is_port(word))
			return xasprintf(
			    "port %ld", strtol(colon != NULL ? colon + 1 : word, NULL, 10));
	}
	return NULL;
}

/* nc -z HOST N */
static char *
tcp_of(const struct words *w, size_t at)
{
	bool probes = false;

	if (!is(w, at, "nc") && !is(w, at, "ncat") && !is(w, at, "netcat"))
		return NULL;
	for (size_t i = at + 1; i < w->n; i++)
		probes = probes || (w->list[i][0] == '-' && strchr(w->list[i], 'z') != NULL);
	if (!probes || w->n < at + 4 || !is_port(w->list[w->n - 1]))
		return NULL;
	return xasprintf(strchr(w->list[w->n - 2], ':') != NULL ? "tcp [%s]:%s" : "tcp %s:%s",
	    w->list[w->n - 2], w->list[w->n - 1]);
}

/* curl or wget with one URL; one with a password in it is not repeated. */
static char *
http_of(const struct words *w, size_t at)
{
	const char *url = NULL;

	if (!is(w, at, "curl") && !is(w, at, "wget"))
		return NULL;
	for (size_t i = at + 1; i < w->n; i++) {
		if (strncmp(w->list[i], "http://", 7) != 0 &&
		    strncmp(w->list[i], "https://", 8) != 0)
			continue;
		if (url != NULL)
			return NULL;
		url = w->list[i];
	}
	if (url == NULL || strchr(url, '@') != NULL || strlen(url) > URL_MAX)
		return NULL;
	return xasprintf("%s %s", url[4] == 's' ? "https" : "http", url);
}

char *
hint_check(const char *command)
{
	static char *(*const kinds[])(
	    const struct words *, size_t) = { process_of, port_of, tcp_of, http_of };
	struct words w;
	char *hint = NULL;
	bool whole = split(command, &w);
	size_t at = first(&w);

	for (size_t i = 0; i < ARRAY_LEN(kinds) && whole && hint == NULL && at < w.n; i++)
		hint = kinds[i](&w, at);
	for (size_t i = 0; i < w.n; i++)
		free(w.list[i]);
	return hint;
}
