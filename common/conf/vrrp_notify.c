/*
 * vrrp_notify.c - how people are told of changes: notify scripts and FIFOs, of
 * everything, of an instance, of a sync group.
 */
#include "common/conf/bind.h"

#include <stdlib.h>
#include <string.h>

void
vrrp_bind_notify(
    struct binder *b, struct stmt *s, const struct directive *d, const char *of, size_t *notify)
{
	script_add(b, s, 2, true, xasprintf("%s of %s", d->name, of), &notify[d->low]);
}

static struct fifo_conf *
fifo_of(const struct directive *d, void *object)
{
	return (struct fifo_conf *)(void *)((char *)object + d->offset);
}

/* notify_fifo PATH [user [group]] */
void
vrrp_bind_fifo(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct fifo_conf *fifo = fifo_of(d, object);
	const char *user = stmt_arg(s, 2);

	if (s->words[1].text[0] != '/') {
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' is not an absolute path",
		    s->words[1].text);
		return;
	}
	if (s->n_words > 3)
		bind_say(b, CONF_NOTICE, s->words[3].pos,
		    "the group of a FIFO is always _trivet, so that vrrpd can write into it; '%.64s' "
		    "has no effect",
		    s->words[3].text);
	if (user == NULL)
		user = b->conf->script_user;
	free(fifo->path);
	free(fifo->user);
	fifo->path = xstrdup(s->words[1].text);
	fifo->user = user != NULL ? xstrdup(user) : NULL;
}

/* notify_fifo_script "command" [user [group]] */
void
vrrp_bind_fifo_script(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct fifo_conf *fifo = fifo_of(d, object);

	if (script_add(b, s, 2, true, xstrdup(d->name), &fifo->script))
		b->conf->scripts[fifo->script].is_reader = true;
}

/* One script reads one FIFO: that is what it goes by. */
static void
name_script(struct conf_script *script, const struct fifo_conf *fifo)
{
	free(script->owner);
	script->owner = xasprintf("script of notify_fifo %s", fifo->path);
}

void
vrrp_settle_fifo(struct binder *b, struct conf_pos pos, const struct fifo_conf *fifo)
{
	if (fifo->script == SIZE_MAX)
		return;
	if (fifo->path == NULL)
		bind_say(b, CONF_ERROR, pos, "a FIFO's script without the FIFO: it is not started");
	else
		name_script(&b->conf->scripts[fifo->script], fifo);
}

void
fifo_conf_done(struct fifo_conf *fifo)
{
	free(fifo->path);
	free(fifo->user);
}
