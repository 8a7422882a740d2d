/*
 * hint.h - what a check's command line asks that trivet could ask by itself.
 *
 * Internal to common/conf.
 */
#ifndef COMMON_CONF_HINT_H
#define COMMON_CONF_HINT_H

/*
 * "process nginx", "port 443", "tcp 10.0.0.1:25", "http http://10.0.0.1/": the
 * type of check that does the same without a fork; to be freed.  NULL: none is
 * known, or the command does more.
 */
char *hint_check(const char *command);

#endif
