/*
 * checks.h - a check block while it is being bound.  The block and what is asked
 * of this host stand in checks.c, command lines in command.c, what asks over the
 * network in checks_net.c, http and https in checks_http.c, processes in
 * checks_process.c.
 *
 * Internal to common/conf.
 */
#ifndef COMMON_CONF_CHECKS_H
#define COMMON_CONF_CHECKS_H

#include "common/conf/bind.h"

#define CHECK_DAY (86400 * US_PER_S)

struct draft {
	struct check_conf check;    /* first: the binders of one field reach into it */
	const struct stmt *command; /* its script, bound when its user is known */
	const char *user, *group;
	const struct directive *type; /* NULL: none so far */
};

/* The type of a check is its first business: one, and only one; false: said. */
bool check_set_type(struct binder *, const struct stmt *, const struct directive *, struct draft *);

bind_fn check_bind_tcp, check_bind_udp, check_bind_ping, check_bind_dns, check_bind_smtp;
bind_fn check_bind_http;	/* http URL ..., https URL ... */
bind_fn check_bind_http_option; /* the same words, each a statement */

bind_fn check_bind_process;	  /* process NAME [quorum N] */
bind_fn check_bind_command;	  /* process COMMAND [PARAMETER ...], keepalived's */
bind_fn check_bind_param_match;	  /* initial, partial or exact */
bind_fn check_bind_process_delay; /* both delays */
bool check_process_complete(struct binder *, struct draft *);

/*
 * The words of a command line, malloc()ed, added to those there are; NULL
 * behind the last.  False: said.
 */
bool command_split(struct binder *, const struct word *, char ***words, size_t *n);

/* The command goes among the scripts; the check keeps its own view of the words. */
bool check_add_command(struct binder *, struct draft *);

/*
 * "</dev/tcp/ADDRESS/PORT", which keepalived hands to a shell that happens to be
 * bash: the tcp check it stands for.  False: it is none.
 */
bool check_take_dev_tcp(struct binder *, struct check_conf *, const struct word *);

/* Options of http without a URL and the like; false: said, and there is no check. */
bool check_http_complete(struct binder *, const struct stmt *block, const struct draft *);

/* Where it asks: an address or a name, with a port (0: it has none).  False: said. */
bool check_bind_peer(
    struct binder *, const struct word *, uint16_t default_port, struct check_conf *);

/* bindto ADDRESS, bind_if DEVICE, bind_port PORT; and whether they fit what is asked: false: said.
 */
bind_fn check_bind_from;
bool check_from_complete(struct binder *, const struct stmt *block, const struct check_conf *);

/* Is it the name of a host? */
bool check_is_host_name(const char *text);

#endif
