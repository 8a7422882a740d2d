/*
 * conf_host.h - the configuration language on the real host: files, globs,
 * the environment, interfaces, the fixed PATH for scripts named without one.
 */
#ifndef COMMON_CONF_HOST_H
#define COMMON_CONF_HOST_H

#include "common/conf/conf.h"

/* 'node_id' NULL: the short host name.  Static storage behind it; valid for the whole run. */
struct conf_host conf_host_real(const char *node_id);

#endif
