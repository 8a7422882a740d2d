/*
 * run.h - between the files of `trivet run`; nobody else's.
 *
 * The supervisor is one thread and one loop.  run.c owns the children and is
 * the only writer of their state (supervise.h decides); run_prepare.c comes before
 * the first of them; run_spawn.c makes processes, run_notify.c hears what they say (sd_notify(3)),
 * run_store.c keeps the descriptors they leave behind, run_ask.c answers RUN_DIR/supervisor.sock.
 */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "common/loop.h"
#include "ctl/supervise.h"

#include <sys/resource.h>
#include <sys/types.h>
#include <uv.h>

/* ---- the fd store: what FDSTORE=1 gives us, handed back as LISTEN_FDS ---- */

#define RUN_STORE_MAX	   512 /* like FileDescriptorStoreMax=; more are closed, and counted */
#define RUN_STORE_NAME_MAX 255 /* sd_notify(3), FDNAME= */

struct run_store {
	struct run_stored {
		int fd;
		bool polled; /* leaves the store when it is hung up (no FDPOLL=0) */
		char *name;
	} * items;
	size_t n;
	unsigned n_refused;
};

/* Takes 'fd'.  One that is in the store already is closed.  False: closed, the store is full. */
bool run_store_add(struct run_store *, int fd, const char *name, bool polled);
void run_store_remove(struct run_store *, const char *name);
/* Close what was hung up since. */
void run_store_prune(struct run_store *);
void run_store_done(struct run_store *);
/* sd_notify(3): at most 255 printable ASCII characters, no colon. */
bool run_store_name_ok(const char *name);

/* ---- a child ---- */

struct run;

struct run_child {
	struct run *run;
	const struct supervise_params *params;
	struct supervise_state state;
	struct loop_timer timer;
	const char *user; /* who it becomes: may write to its notify socket; NULL: stays root */
	char *program;	  /* absolute */
	pid_t pid;	  /* 0: no process */
	int wait_status;  /* of the last one, wait(2); negative: -errno, it never came to be */
	int notify_fd;	  /* a datagram socket; -1: none */
	char *notify_path;
	uv_poll_t notify_poll;
	struct run_store store;
};

/* A process of it, with what is in the store.  0 or -errno. */
int run_spawn(struct run_child *);

/* RUN_DIR/notify/NAME.  0, or -errno after logging. */
int run_notify_open(struct run_child *);
/* What arrived and was not read yet: before its exit is judged. */
void run_notify_drain(struct run_child *);
void run_notify_close(struct run_child *);

/* Called by run_notify.c. */
void run_child_event(struct run_child *, enum supervise_event_kind);

/* ---- the whole ---- */

struct run_options {
	const char *conf_path, *node_id, *run_dir, *state_dir;
	bool verbose;
};

struct run_asker;

struct run {
	struct run_options options;
	uv_loop_t *loop;
	struct run_child *children;
	struct supervise_params *params; /* of the same index */
	size_t n;
	struct rlimit nofile; /* as we found it: what children get */
	char *ask_path;
	uv_pipe_t ask;
	struct run_asker *askers;
	unsigned n_askers;
	uv_signal_t signals[5];
	struct loop_timer watchdog;
	pid_t reloader; /* `trivet reload` after a SIGHUP; 0: none */
	bool stopping, announced, settling;
	int exit_code;
};

struct run_child *run_find(struct run *, const char *name);

/* The path of a daemon's program, to be freed; NULL: not installed. */
char *run_find_program(const char *name);
/* RUN_DIR, ours alone from now on, and RUN_DIR/notify.  0, or -errno after logging. */
int run_prepare_dirs(const struct run *);
/* Room for the stores; children get back what we were given. */
void run_raise_nofile(struct run *);

/* RUN_DIR/supervisor.sock.  0, or -errno after logging. */
int run_ask_open(struct run *);
/* A child's phase changed: somebody may be waiting for it. */
void run_ask_changed(struct run *, const struct run_child *);
void run_ask_close(struct run *);

#endif
