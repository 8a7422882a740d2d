/*
 * cred.c - see cred.h.
 */
#include "common/runner/cred.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_USER "keepalived_script"

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

int
cred_lookup(const struct conf_script *script, struct cred *ret, struct text *why)
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
