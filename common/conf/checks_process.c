/*
 * checks_process.c - which processes a check counts: ours by name, keepalived's
 * vrrp_track_process by its command line too.
 */
#include "common/conf/checks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAX_US (3600 * US_PER_S)

/* process NAME [quorum N] */
void
check_bind_process(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct process_conf *p = &draft->check.process;
	int64_t quorum;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_PROCESS;
	if (s->words[1].text[0] == '\0')
		bind_say(b, CONF_ERROR, s->words[1].pos, "the name of the process is empty");
	free(p->name);
	p->name = xstrdup(s->words[1].text);
	if (s->n_words == 2)
		return;
	if (s->n_words != 4 || strcmp(s->words[2].text, "quorum") != 0)
		bind_say(
		    b, CONF_ERROR, s->words[2].pos, "behind the name only 'quorum N' may stand");
	else if (value_integer(b, &s->words[3], 1, 65535, &quorum))
		p->quorum = (unsigned)quorum;
}

/* The words after "process", or the one that holds them all in quotes. */
void
check_bind_command(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct process_conf *p = &draft->check.process;
	char **words = NULL;
	size_t n = 0, i = 1;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_PROCESS;
	while (i < s->n_words && command_split(b, &s->words[i], &words, &n))
		i++;
	if (n > 0) {
		p->name = words[0];
		memmove(words, words + 1, n * sizeof(*words));
		p->params = words;
		p->n_params = n - 1;
	}
}

void
check_bind_param_match(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct process_conf *p = &((struct draft *)object)->check.process;
	static const struct {
		const char *word;
		enum param_match match;
	} words[] = { { "exact", PARAM_EXACT }, { "partial", PARAM_PARTIAL },
		{ "initial", PARAM_INITIAL } };

	(void)d;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].word, s->words[1].text) == 0) {
			p->param_match = words[i].match;
			return;
		}
	bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is not initial, partial or exact",
	    s->words[1].text);
}

void
check_bind_process_delay(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct process_conf *p = &((struct draft *)object)->check.process;

	(void)d;
	if (value_seconds(b, &s->words[1], 0, DELAY_MAX_US, &p->fork_us))
		p->terminate_us = p->fork_us;
}

bool
check_process_complete(struct binder *b, struct draft *draft)
{
	struct process_conf *p = &draft->check.process;
	const char *slash = p->name != NULL ? strrchr(p->name, '/') : NULL;

	if (p->name == NULL || p->name[0] == '\0')
		return false; /* said */
	if (p->quorum > p->quorum_max) {
		bind_say(b, CONF_ERROR, draft->check.pos,
		    "quorum %u is above quorum_max %u: it would never be up", p->quorum,
		    p->quorum_max);
		return false;
	}
	if (p->quorum == 0 && p->quorum_max == UINT_MAX) {
		bind_say(b, CONF_ERROR, draft->check.pos,
		    "quorum 0 without a quorum_max: it would never be down");
		return false;
	}
	/* As in keepalived: parameters, and no others beside them, unless it is told else. */
	if (p->n_params > 0 && p->param_match == PARAM_ANY)
		p->param_match = PARAM_EXACT;
	/* A command name has no path. */
	if (draft->check.block == BLOCK_TRACK_PROCESS && p->param_match == PARAM_ANY &&
	    !p->full_command && slash != NULL && slash[1] != '\0')
		memmove(p->name, slash + 1, strlen(slash + 1) + 1);
	return true;
}
