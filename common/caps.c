/*
 * caps.c - see caps.h.
 */
#include "common/caps.h"

#include "common/daemon.h" /* DAEMON_GROUP */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int
caps_user(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return -ENOENT;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static void
add_cap_names(struct text *out, uint64_t mask)
{
	for (cap_value_t cap = 0; cap < 64; cap++) {
		char *name;

		if ((mask & CAPS_BIT(cap)) == 0 || (name = cap_to_name(cap)) == NULL)
			continue;
		text_addf(out, " %s", name);
		cap_free(name);
	}
}

/* The permitted set as a mask. */
static uint64_t
permitted(void)
{
	cap_t caps = cap_get_proc();
	uint64_t mask = 0;

	if (caps == NULL)
		return 0;
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (cap_get_flag(caps, cap, CAP_PERMITTED, &value) == 0 && value == CAP_SET)
			mask |= CAPS_BIT(cap);
	}
	cap_free(caps);
	return mask;
}

/* Permitted and effective become exactly 'mask'; inheritable and ambient become empty. */
static int
keep_only(uint64_t mask)
{
	cap_t caps = cap_init();
	int err = 0;

	if (caps == NULL)
		return -errno;
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if ((mask & CAPS_BIT(cap)) == 0)
			continue;
		cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET);
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET);
	}
	if (cap_set_proc(caps) < 0 || cap_reset_ambient() < 0)
		err = -errno;
	cap_free(caps);
	return err;
}

/* Needs CAP_SETPCAP, so it comes before anything else is given away. */
static int
empty_bounding_set(void)
{
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap_get_bound(cap) == 1 && cap_drop_bound(cap) < 0)
			return -errno;
	return 0;
}

static int
become(uid_t uid, gid_t gid, gid_t shared)
{
	/* capabilities(7), "Effect of user ID changes": permitted survives only with KEEPCAPS. */
	if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0 || setgroups(1, &shared) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

static int
drop_from_root(const char *user, uint64_t keep, struct text *why)
{
	const struct group *group = getgrnam(DAEMON_GROUP);
	gid_t gid, shared;
	uid_t uid;
	int err;

	if (group == NULL || caps_user(user, &uid, &gid) < 0) {
		text_addf(why,
		    "there is no %s %s: install the package, or run systemd-sysusers with "
		    "packaging/sysusers.conf",
		    group == NULL ? "group" : "user", group == NULL ? DAEMON_GROUP : user);
		return -ENOENT;
	}
	shared = group->gr_gid;
	if ((keep & ~permitted()) != 0) {
		text_add(why, "root here lacks");
		add_cap_names(why, keep & ~permitted());
		return -EPERM;
	}
	if ((err = empty_bounding_set()) < 0 || (err = become(uid, gid, shared)) < 0) {
		text_addf(why, "cannot become %s: %s", user, strerror(-err));
		return err;
	}
	return 0;
}

/*
 * Started with what we keep and nothing else, as a unit does it: there is
 * nothing to take away but the ambient set.  Not by capset(2), which a unit's
 * system call filter refuses (@privileged).  Inheritable stays; under
 * no_new_privs it counts for nothing, as it works through file capabilities only.
 */
static int
clear_ambient(void)
{
	return cap_reset_ambient() < 0 ? -errno : 0;
}

int
caps_drop(const char *user, uint64_t keep, struct text *why)
{
	bool from_root = geteuid() == 0;
	uint64_t have;
	int err;

	if (from_root && (err = drop_from_root(user, keep, why)) < 0)
		return err;
	have = permitted();
	if ((keep & ~have) != 0) {
		text_add(why, "must be started as root or with the capabilities it needs; lacks");
		add_cap_names(why, keep & ~have);
		return -EPERM;
	}
	err = from_root || have != keep ? keep_only(keep) : clear_ambient();
	if (err < 0 || (err = prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ? -errno : 0) < 0) {
		text_addf(why, "cannot give privileges away: %s", strerror(-err));
		return err;
	}
	return 0;
}
