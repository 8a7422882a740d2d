/*
 * cred.c - see cred.h.
 */
#include "common/runner/cred.h"

#include "common/loop.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_USER "keepalived_script"

/*
 * A user that does not exist (the default one, mostly) is asked for in files,
 * of systemd and of whatever else nsswitch.conf(5) names: too much for each of
 * hundreds of runs a second.
 */
#define KEEP_US	     (10 * USEC_PER_SEC)
#define KEPT_MAX     16 /* different users and groups; more of them are looked up more often */

struct kept {
	char *user, *group; /* as the configuration has them */
	mono_t until;
	struct cred cred;
};

static struct kept kept[KEPT_MAX];
static size_t next_kept;

/* A number is a user too, as for chown(1). */
static bool
parse_id(const char *text, unsigned *ret)
{
	char *end;
	unsigned long id = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || id >= UINT32_MAX)
		return false;
	*ret = (unsigned)id;
	return true;
}

static struct passwd *
find_user(const char *name)
{
	struct passwd *pw = getpwnam(name);
	unsigned uid;

	return pw != NULL || !parse_id(name, &uid) ? pw : getpwuid(uid);
}

static int
find_group(const char *name, gid_t *ret)
{
	struct group *gr = getgrnam(name);
	unsigned gid;

	if (gr != NULL)
		*ret = gr->gr_gid;
	else if (parse_id(name, &gid))
		*ret = gid;
	else
		return -ENOENT;
	return 0;
}

static const struct passwd *
choose_user(const struct conf_script *script)
{
	const struct passwd *pw;

	if (script->user != NULL)
		return find_user(script->user);
	if (geteuid() != 0)
		return getpwuid(geteuid()); /* by hand, without root: there is no choice */
	pw = getpwnam(DEFAULT_USER);
	return pw != NULL ? pw : getpwuid(0);
}

/* ---- what was found lately ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* NULL: there is none. */
static struct kept *
find_kept(const struct conf_script *script)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept[i].until.us != 0 && same_text(kept[i].user, script->user) &&
		    same_text(kept[i].group, script->group))
			return &kept[i];
	return NULL;
}

static void
keep(struct kept *k, const struct conf_script *script, const struct cred *cred)
{
	if (k == NULL)
		k = &kept[next_kept++ % KEPT_MAX];
	free(k->user);
	free(k->group);
	k->user = script->user != NULL ? xstrdup(script->user) : NULL;
	k->group = script->group != NULL ? xstrdup(script->group) : NULL;
	k->cred = *cred;
	k->until = mono_add(loop_now(), KEEP_US);
}

static int
look_up(const struct conf_script *script, struct cred *ret, struct text *why)
{
	const struct passwd *pw = choose_user(script);
	struct cred c = { 0 };

	if (pw == NULL) {
		text_addf(why, "no such user: %s", script->user != NULL ? script->user : "root");
		return -ENOENT;
	}
	c.uid = pw->pw_uid;
	c.gid = pw->pw_gid;
	snprintf(c.name, sizeof(c.name), "%s", pw->pw_name);
	snprintf(c.home, sizeof(c.home), "%s", pw->pw_dir);
	if (script->group != NULL && find_group(script->group, &c.gid) < 0) {
		text_addf(why, "no such group: %s", script->group);
		return -ENOENT;
	}
	c.n_groups = CRED_GROUPS_MAX;
	if (getgrouplist(c.name, c.gid, c.groups, &c.n_groups) < 0)
		c.n_groups = CRED_GROUPS_MAX; /* the first of more */
	*ret = c;
	return 0;
}

int
cred_lookup(const struct conf_script *script, struct cred *ret, struct text *why)
{
	struct kept *k = find_kept(script);
	int err;

	if (k != NULL && mono_before(loop_now(), k->until)) {
		*ret = k->cred;
		return 0;
	}
	err = look_up(script, ret, why);
	if (err == 0) /* one that was not there may come at any time */
		keep(k, script, ret);
	return err;
}
