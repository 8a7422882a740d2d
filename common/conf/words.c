/*
 * words.c - see words.h.
 */
#include "common/conf/words.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

struct server_words *
server_words_new(struct lexicon *lexicon)
{
	struct server_words *w = xcalloc(1, sizeof(*w));

	w->refs = 1;
	w->lexicon = lexicon_ref(lexicon);
	return w;
}

struct server_words *
server_words_ref(struct server_words *w)
{
	if (w != NULL)
		__atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
	return w;
}

static char *
copy(const char *s)
{
	return s != NULL ? xstrdup(s) : NULL;
}

void
target_copy(const struct log_target *t, struct log_target *ret)
{
	*ret = *t;
	ret->path = copy(t->path);
	ret->syslog = copy(t->syslog);
	ret->tag = copy(t->tag);
}

void
target_done(struct log_target *t)
{
	free(t->path);
	free(t->syslog);
	free(t->tag);
	*t = (struct log_target){ 0 };
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
target_equal(const struct log_target *a, const struct log_target *b)
{
	return same(a->path, b->path) && a->to_stderr == b->to_stderr &&
	       same(a->syslog, b->syslog) && a->facility == b->facility &&
	       a->severity == b->severity && same(a->tag, b->tag) &&
	       a->no_hostname == b->no_hostname;
}

void
access_log_conf_done(struct access_log_conf *a)
{
	target_done(&a->target);
	template_done(&a->line);
	template_done(&a->condition);
}

void
server_words_unref(struct server_words *w)
{
	if (w == NULL || __atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < w->n_sets; i++)
		template_done(&w->sets[i].value);
	for (size_t i = 0; i < w->n_access; i++)
		access_log_conf_done(&w->access[i]);
	for (size_t i = 0; i < w->n_errors; i++)
		target_done(&w->errors[i].target);
	free(w->sets);
	free(w->access);
	free(w->errors);
	template_done(&w->answer);
	template_done(&w->pass);
	lexicon_unref(w->lexicon);
	free(w);
}
