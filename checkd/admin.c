/*
 * admin.c - see admin.h.
 */
#include "checkd/admin.h"

#include "common/util.h"

#include <errno.h>
#include <string.h>

static const char *const mode_names[] = {
	[ADMIN_AUTO] = "auto",
	[ADMIN_FORCED_UP] = "forcedUp",
	[ADMIN_FORCED_DOWN] = "forcedDown",
	[ADMIN_PAUSED] = "paused",
};

const char *
admin_mode_str(enum admin_mode mode)
{
	return mode_names[mode];
}

int
admin_mode_parse(const char *name, enum admin_mode *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(mode_names); i++) {
		if (strcmp(mode_names[i], name) != 0)
			continue;
		*ret = (enum admin_mode)i;
		return 0;
	}
	return -EINVAL;
}

enum check_state
admin_state(const struct admin *a, enum check_state own)
{
	switch (a->mode) {
	case ADMIN_FORCED_UP:
		return CHECK_UP;
	case ADMIN_FORCED_DOWN:
		return CHECK_DOWN;
	case ADMIN_AUTO:
	case ADMIN_PAUSED:
		return own;
	}
	return own;
}

mono_t
admin_end(const struct admin *a)
{
	return a->mode != ADMIN_AUTO ? a->until : MONO_NEVER;
}
