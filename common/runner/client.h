/*
 * client.h - asking the runner to run a script (common/runner/protocol.h).
 *
 * The runner is the only place where root lives; a daemon names a script by its
 * number in the configuration both have read, never by a command.  Requests
 * are answered in any order, each exactly once.  The client connects by itself:
 * a request made while there is no runner waits for one, but not longer than
 * the script might have taken.
 */
#ifndef COMMON_RUNNER_CLIENT_H
#define COMMON_RUNNER_CLIENT_H

#include "common/conf/conf.h"
#include "common/mono.h"
#include "common/runner/protocol.h" /* enum runner_outcome, RUNNER_OUTPUT_MAX */

#include <uv.h>

struct runner_result {
	enum runner_outcome outcome;
	int code;
	int64_t duration_us;
	const char *reason;    /* a sentence for people; "" for EXITED and SIGNALED */
	const char *output;    /* its first bytes, stdout and stderr together; valid UTF-8 */
	const char *last_line; /* the last whole line it printed; "" for none */
};

struct runner_client;

/* RUN_DIR/runner.sock, or the socket inherited in TRIVET_RUNNER_FD. */
struct runner_client *runner_client_new(uv_loop_t *, const char *run_dir);
void runner_client_free(struct runner_client *);

struct runner_request {
	const char *digest;	 /* of the configuration that numbers it (conf.digest) */
	size_t script;		 /* index into conf.scripts */
	const char *const *args; /* appended to argv; NULL-terminated; NULL: none */
	const char *const *env;	 /* "TRIVET_X=..." added to the clean environment; or NULL */
	int64_t timeout_us;	 /* then TERM to the group; KILL 2 s later */
	bool again; /* the runner went away before it answered: ask the next one (checks), else the
		       answer is "not run" (it may have been started) */
	void (*on_result)(void *aux, const struct runner_result *); /* result valid inside only */
	void *aux;
};

/* Always answered through on_result, never from within this call.  Returns an id for cancelling. */
uint64_t runner_run(struct runner_client *, const struct runner_request *);

/* The answer is no longer wanted: on_result will not be called.  The script goes on. */
void runner_forget(struct runner_client *, uint64_t id);

#endif
