/*
 * daemon_config.c - which configuration runs: the file at start, last-good when
 * the file is broken, a reload that is all or nothing (design.md section 3).
 */
#include "common/conf_host.h"
#include "common/daemon_priv.h"
#include "common/event.h"
#include "common/log.h"
#include "common/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_GOOD_MAX (16u * 1024 * 1024) /* normalised text of files of 4 MiB */

static int
level_of(enum conf_severity severity)
{
	return severity == CONF_ERROR	  ? LOG_ERR
	       : severity == CONF_WARNING ? LOG_WARNING
					  : LOG_NOTICE;
}

static void
log_diags(const struct conf_diags *diags, unsigned parts)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct conf_diag *diag = &diags->items[i];

		/* Another daemon's notices are its own to print; errors concern everybody. */
		if (diag->severity != CONF_ERROR && (diag->part & parts) == 0)
			continue;
		log_line(level_of(diag->severity), "%s:%u:%u: %s: %s", diag->file, diag->pos.line,
		    diag->pos.column, conf_severity_str(diag->severity), diag->message);
	}
	if (diags->n_dropped > 0)
		log_err("%zu more", diags->n_dropped);
}

/* "trivet.conf:14:5: unknown directive", of the first error: for status lines. */
static char *
first_error(const struct conf_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct conf_diag *diag = &diags->items[i];

		if (diag->severity == CONF_ERROR)
			return xasprintf("%s:%u:%u: %s", diag->file, diag->pos.line,
			    diag->pos.column, diag->message);
	}
	return xstrdup("unreadable");
}

static struct conf *
load_file(const struct daemon *d, struct conf_diags *diags)
{
	struct conf_host host = conf_host_real(d->options.node_id);

	return conf_load(&host, d->options.conf_path, diags);
}

static struct conf *
load_last_good(const struct daemon *d)
{
	struct conf_host host = conf_host_real(d->options.node_id);
	char *path = daemon_state_path(d, DAEMON_LAST_GOOD);
	struct conf_diags diags = { 0 };
	struct conf *conf = NULL;
	char *text;
	size_t size;
	int err = daemon_read_file(path, LAST_GOOD_MAX, &text, &size);

	if (err == 0) {
		conf = conf_load_text(&host, path, text, size, &diags);
		free(text);
		if (conf != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) > 0) {
			log_diags(&diags, CONF_ALL);
			conf_free(conf);
			conf = NULL;
		}
	} else if (err != -ENOENT) {
		log_warn("%s: %s", path,
		    err == -EPERM ? "not trusted: wrong owner or mode" : strerror(-err));
	}
	conf_diags_done(&diags);
	free(path);
	return conf;
}

static void
put_in_force(struct daemon *d, struct conf *conf)
{
	struct conf *old = (struct conf *)d->conf;

	d->conf = conf;
	d->generation++;
	loop_wallclock(d->loaded_at);
	conf_free(old);
}

int
daemon_config_start(struct daemon *d)
{
	unsigned parts = d->class->parts | CONF_GLOBAL;
	struct conf_diags diags = { 0 };
	struct conf *conf = load_file(d, &diags), *good;
	int err = 0;

	log_diags(&diags, parts);
	if (conf != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) == 0) {
		put_in_force(d, conf);
	} else if ((good = load_last_good(d)) != NULL) {
		char *what = first_error(&diags);

		d->reload_error = xasprintf("running the last good configuration: %s", what);
		event_emit(LOG_ERR, "", (const char *const[]){ "configuration", "last-good", NULL },
		    "%s", d->reload_error);
		daemon_set_degraded(d, "configuration", d->reload_error);
		free(what);
		conf_free(conf);
		put_in_force(d, good);
	} else if (conf != NULL && conf_diags_count(&diags, CONF_ERROR, parts) == 0) {
		d->reload_error = first_error(&diags);
		daemon_set_degraded(d, "configuration", d->reload_error);
		put_in_force(d, conf); /* the errors are in another daemon's part */
	} else {
		log_err(
		    "%s: not started: the configuration has errors, and there is no last good one",
		    d->options.conf_path);
		conf_free(conf);
		err = -EINVAL;
	}
	conf_diags_done(&diags);
	return err;
}

int
daemon_config_check(const struct daemon *d)
{
	struct conf_diags diags = { 0 };
	struct conf *conf = load_file(d, &diags);
	bool good = conf != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) == 0;
	struct text out = { 0 };

	for (size_t i = 0; i < diags.n; i++)
		conf_diag_print(&diags.items[i], &out);
	text_addf(&out, "%s: %s\n", d->options.conf_path, good ? "valid" : "not valid");
	if (write(STDERR_FILENO, text_str(&out), out.length) < 0)
		good = false;
	text_done(&out);
	conf_diags_done(&diags);
	conf_free(conf);
	return good ? EXIT_OK : EXIT_CONFIG;
}

/* ---- changes and reload ---- */

void
daemon_changes_add(struct daemon_changes *changes, const char *line)
{
	changes->lines = xreallocarray(changes->lines, changes->n + 1, sizeof(*changes->lines));
	changes->lines[changes->n++] = xstrdup(line);
}

void
daemon_changes_done(struct daemon_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		free(changes->lines[i]);
	free(changes->lines);
	*changes = (struct daemon_changes){ 0 };
}

void
daemon_reload_result_done(struct daemon_reload_result *result)
{
	daemon_changes_done(&result->changes);
	conf_diags_done(&result->diags);
	free(result->why);
	*result = (struct daemon_reload_result){ 0 };
}

static void
add_change(void *aux, const char *line)
{
	daemon_changes_add(aux, line);
}

/* Can 'next' run here?  Fills in the result; dry_run or not, nothing is changed yet. */
static int
judge(struct daemon *d, const struct daemon_reload *reload, const struct conf *next,
    struct daemon_reload_result *ret)
{
	struct text why = { 0 };
	int err;

	if (next == NULL || conf_diags_count(&ret->diags, CONF_ERROR, CONF_ALL) > 0)
		return -EINVAL;
	memcpy(ret->digest, next->digest, sizeof(ret->digest));
	if (reload->digest != NULL && strcmp(reload->digest, next->digest) != 0)
		return -ESTALE;
	conf_diff(d->conf, next, d->class->parts | CONF_GLOBAL, add_change, &ret->changes);
	err = d->class->reload(d, next, true, &why);
	if (err < 0)
		ret->why = text_take(&why);
	text_done(&why);
	return err < 0 ? -EINVAL : 0;
}

static void
refused(struct daemon *d, const struct daemon_reload_result *result)
{
	free(d->reload_error);
	d->reload_error = result->why != NULL ? xstrdup(result->why) : first_error(&result->diags);
	log_diags(&result->diags, d->class->parts | CONF_GLOBAL);
	event_emit(LOG_ERR, "", (const char *const[]){ "configuration", "refused", NULL },
	    "reload refused, nothing changed: %s", d->reload_error);
	daemon_set_degraded(d, "configuration", d->reload_error);
}

static void
accepted(struct daemon *d, struct conf *next, const struct daemon_reload_result *result)
{
	put_in_force(d, next);
	free(d->reload_error);
	d->reload_error = NULL;
	daemon_set_degraded(d, "configuration", NULL);
	log_diags(&result->diags, d->class->parts | CONF_GLOBAL);
	event_emit(LOG_NOTICE, "", (const char *const[]){ "configuration", "reloaded", NULL },
	    "configuration reloaded, %zu changes, generation %" PRIu64, result->changes.n,
	    d->generation);
	daemon_keep(d);
}

int
daemon_reload(
    struct daemon *d, const struct daemon_reload *reload, struct daemon_reload_result *ret)
{
	struct text why = { 0 };
	struct conf *next;
	int err;

	*ret = (struct daemon_reload_result){ 0 };
	if (d->stopping)
		return -EBUSY;
	next = load_file(d, &ret->diags);
	err = judge(d, reload, next, ret);
	if (reload->dry_run || err == -ESTALE) {
		conf_free(next);
		return err;
	}
	notify_send("RELOADING=1");
	if (err == 0 && (err = d->class->reload(d, next, false, &why)) < 0)
		ret->why = text_take(&why);
	text_done(&why);
	if (err == 0) {
		accepted(d, next, ret);
	} else {
		refused(d, ret);
		conf_free(next);
	}
	notify_send("READY=1");
	return err == 0 ? 0 : -EINVAL;
}
