/*
 * book.c - see book.h.
 */
#include "common/runner/book.h"

#include "common/conf_host.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/runner/pipes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_GOOD_MAX (16u * 1024 * 1024)
/* What numbers scripts: errors there may shift them.  Forwarding has none. */
#define PARTS	      (CONF_GLOBAL | CONF_CHECK | CONF_VRRP)

static const struct conf *
lookup(const struct book *b, const char *digest)
{
	for (size_t i = 0; i < BOOK_GENERATIONS && b->generations[i] != NULL; i++)
		if (strcmp(b->generations[i]->digest, digest) == 0)
			return b->generations[i];
	return NULL;
}

/* Takes 'conf'; the newest stands first, however often it comes back. */
static void
remember(struct book *b, struct conf *conf)
{
	size_t i = 0;

	while (i < BOOK_GENERATIONS - 1 && b->generations[i] != NULL &&
	       strcmp(b->generations[i]->digest, conf->digest) != 0)
		i++;
	conf_free(b->generations[i]); /* the same, the oldest, or none */
	memmove(b->generations + 1, b->generations, i * sizeof(b->generations[0]));
	b->generations[0] = conf;
}

/* ---- last good ---- */

static char *
last_good_path(const struct book *b)
{
	return xasprintf("%s/runner/last-good.conf", b->state_dir);
}

static void
keep_last_good(const struct book *b, const struct conf *conf)
{
	char *dir = xasprintf("%s/runner", b->state_dir), *path = last_good_path(b);
	int err;

	mkdir(b->state_dir, 0755); /* whoever comes first makes it */
	mkdir(dir, 0700);
	err = daemon_write_file(path, conf->normal, strlen(conf->normal), 0600);
	if (err < 0)
		log_warn("%s: %s", path, strerror(-err));
	free(path);
	free(dir);
}

static void
read_last_good(struct book *b)
{
	struct conf_host host = conf_host_real(b->node_id);
	char *path = last_good_path(b), *text;
	struct conf_diags diags = { 0 };
	struct conf *conf = NULL;
	size_t size;
	int err = daemon_read_file(path, LAST_GOOD_MAX, &text, &size);

	if (err == 0) {
		conf = conf_load_text(&host, path, text, size, &diags);
		free(text);
	} else if (err != -ENOENT) {
		log_warn("%s: %s", path, err == -EPERM ? "wrong owner or mode" : strerror(-err));
	}
	if (conf != NULL)
		remember(b, conf);
	conf_diags_done(&diags);
	free(path);
}

/* ---- the file ---- */

/* Whoever can write it can have anything run as root: that is for the administrator to know. */
static void
warn_if_others_write(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) < 0)
		return;
	if (st.st_uid != 0)
		log_warn("%s: is owned by user %u, who can have scripts run as root", path,
		    (unsigned)st.st_uid);
	else if ((st.st_mode & S_IWOTH) != 0 || ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0))
		log_warn(
		    "%s: is writable by others than root, who can have scripts run as root", path);
}

static void
read_file(struct book *b)
{
	struct conf_host host = conf_host_real(b->node_id);
	struct conf_diags diags = { 0 };
	struct conf *conf = conf_load(&host, b->conf_path, &diags);
	size_t errors = conf_diags_count(&diags, CONF_ERROR, PARTS);

	conf_diags_done(&diags);
	if (conf == NULL) {
		log_warn("%s: unreadable: its scripts are not known", b->conf_path);
		return;
	}
	for (size_t i = 0; i < conf->n_files; i++)
		warn_if_others_write(conf->files[i]);
	remember(b, conf);
	if (errors > 0) {
		/* A daemon may run what is right in it; most refuse it, and say why. */
		log_warn("%s: %zu errors: not kept as last good", b->conf_path, errors);
		return;
	}
	keep_last_good(b, conf);
	pipes_make(conf);
	log_info("%s: digest %s, %zu scripts", b->conf_path, conf->digest, conf->n_scripts);
}

int
book_open(struct book *b)
{
	read_last_good(b);
	read_file(b);
	if (b->generations[0] != NULL)
		return 0;
	log_err("%s: no configuration to take scripts from", b->conf_path);
	return -EINVAL;
}

void
book_close(struct book *b)
{
	for (size_t i = 0; i < BOOK_GENERATIONS; i++)
		conf_free(b->generations[i]);
	memset(b->generations, 0, sizeof(b->generations));
}

void
book_refresh(struct book *b)
{
	read_file(b);
}

const struct conf *
book_find(struct book *b, const char *digest, mono_t now)
{
	const struct conf *conf = lookup(b, digest);

	if (conf != NULL)
		return conf;
	if (b->read_at.us != 0 && mono_until(b->read_at, now) < USEC_PER_SEC)
		return NULL;
	b->read_at = now;
	read_file(b);
	return lookup(b, digest);
}
