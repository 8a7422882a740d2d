/*
 * probe.h - one kind of check: how to look once.  What a result means (rise,
 * fall, who is told) is target.c's business.
 *
 * A file probe_KIND.c has one struct probe_class; its own struct begins with a
 * struct probe.
 */
#ifndef CHECKD_PROBE_H
#define CHECKD_PROBE_H

#include "checkd/histogram.h"
#include "checkd/turn.h"
#include "checkd/verdict.h"
#include "common/conf/conf.h"
#include "common/runner/client.h"

#include <uv.h>

#define PROBE_DETAIL_MAX 640 /* a line of output and some words */

struct diag;
struct fetch_module;
struct poller;
struct probe_name;
struct procs;

/* What probes share; one a daemon. */
struct probe_env {
	uv_loop_t *loop;
	struct runner_client *runner;
	const char *digest;	    /* of the configuration in force: what script numbers mean */
	struct diag *diag;	    /* the kernel's list of sockets */
	struct procs *procs;	    /* the processes of the host */
	struct fetch_module *fetch; /* made by the first check that needs it */
	struct poller *poller;	    /* of short runs' sockets */
	struct turn turn;	    /* in which runs begin */
	struct histogram late;	    /* runs behind their plan */
	struct histogram took[CHECK_KINDS]; /* runs, by kind */
};

struct probe_result {
	enum check_reason reason;
	int64_t duration_us;
	bool has_value;	    /* of a file: there is a number in it ... */
	int32_t value;	    /* ... this one */
	const char *detail; /* evidence for people, valid UTF-8; "" for none; valid inside only */
};

struct probe_events {
	/* A run has ended; may come before probe_start returns. */
	void (*on_result)(void *aux, const struct probe_result *);
	/* Something happened that a run would see: do not wait for the next one. */
	void (*on_wake)(void *aux);
	void *aux;
};

struct probe {
	const struct probe_class *class;
	const struct check_conf *conf;
	struct probe_env *env;
	struct probe_events events;
	/* Whom a run asks: what the configuration says, or the address found for its name. */
	struct endpoint peer;
	struct probe_name *name; /* the search for that address; NULL: nothing to find */
};

struct probe_class {
	size_t size;			/* of its own struct, zeroed by probe_new */
	void (*init)(struct probe *);	/* may be NULL */
	void (*start)(struct probe *);	/* never called while a run is on */
	void (*rebind)(struct probe *); /* probe->conf moved, saying the same; may be NULL */
	/* Ends a run without a result; what closes later must not refer to the probe. */
	void (*done)(struct probe *); /* may be NULL */
};

extern const struct probe_class probe_script, probe_port, probe_tcp, probe_process, probe_http,
    probe_ping, probe_dns, probe_smtp, probe_udp, probe_file;

/* By the kind of 'conf'. */
struct probe *probe_new(
    struct probe_env *, const struct check_conf *conf, const struct probe_events *);
void probe_start(struct probe *);

/* The same check in a new configuration; a run that is on goes on. */
void probe_rebind(struct probe *, const struct check_conf *conf);

/* No callback comes any more.  Accepts NULL. */
void probe_free(struct probe *);

#endif
