/*
 * render.h - a check as the bus shows it (org.trivet.check, type Check).
 */
#ifndef CHECKD_RENDER_H
#define CHECKD_RENDER_H

#include "checkd/checks.h"

#include <jansson.h>

/* New reference. */
json_t *render_check(const struct checks *, const struct target *);

/* What is checked, in words: "10.4.7.10:80", "/usr/bin/killall -0 nginx". */
void render_target(const struct check_conf *, struct text *out);

#endif
