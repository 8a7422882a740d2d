/*
 * protocol.h - what a daemon may say to trivet-runner, and what it hears back:
 * one record per message on an AF_UNIX SOCK_SEQPACKET socket.
 *
 * A request names a script by its number in a configuration that both sides
 * have read (conf.digest); it never carries a command.  What it does carry are
 * state words for notify scripts and TRIVET_* variables, and decoding checks
 * each of them, since this is where an unprivileged process speaks to root.
 * Both ends are of one version: they are installed together, and a message of
 * another version is refused as malformed.  Pure.
 */
#ifndef COMMON_RUNNER_PROTOCOL_H
#define COMMON_RUNNER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNNER_SOCKET	      "runner.sock" /* in the run directory */

#define RUNNER_MESSAGE_MAX    32768 /* a message; far below a socket's stock buffer */
#define RUNNER_ARGS_MAX	      8	    /* keepalived appends four words */
#define RUNNER_ENV_MAX	      16
#define RUNNER_ARG_MAX_BYTES  255
#define RUNNER_ENV_MAX_BYTES  16384 /* TRIVET_VIPS of an instance with hundreds of them */
#define RUNNER_TIMEOUT_MAX_US INT64_C(2592000000000) /* 30 days: the longest of any check */
#define RUNNER_LEARN	      UINT32_MAX /* for a script's number: know the configuration, run none */
#define RUNNER_DIGEST_SIZE    17	 /* conf.digest */
#define RUNNER_OUTPUT_MAX     512	 /* bytes kept of the beginning of what a script printed */
#define RUNNER_REASON_MAX     512

enum runner_outcome {
	RUNNER_EXITED,	 /* code: its exit status */
	RUNNER_SIGNALED, /* code: the signal that ended it */
	RUNNER_TIMEOUT,	 /* not ended in time, its process group was; whatever it said since */
	RUNNER_NOT_RUN,	 /* missing, insecure, no such user, exec failed, no runner: see reason */
};

/* A request.  When decoded, the strings point into the message. */
struct runner_ask {
	uint64_t id; /* comes back in the answer */
	char digest[RUNNER_DIGEST_SIZE];
	uint32_t script; /* or RUNNER_LEARN */
	int64_t timeout_us;
	size_t n_args, n_env;
	const char *args[RUNNER_ARGS_MAX + 1]; /* NULL-terminated */
	const char *env[RUNNER_ENV_MAX + 1];   /* "TRIVET_NAME=value" */
};

struct runner_answer {
	uint64_t id;
	enum runner_outcome outcome;
	int code;
	int64_t duration_us;
	const char *reason, *output, *last_line; /* valid UTF-8, never NULL */
};

/*
 * The message in buf, its size in *ret_size.  -EINVAL: a word that decoding
 * would refuse, or too many; -EMSGSIZE: together too long.
 */
int runner_ask_encode(
    const struct runner_ask *, char buf[static RUNNER_MESSAGE_MAX], size_t *ret_size);
int runner_answer_encode(
    const struct runner_answer *, char buf[static RUNNER_MESSAGE_MAX], size_t *ret_size);

/*
 * 0; -EBADMSG: not a message of ours; -EINVAL: well-formed, but a word is not
 * allowed (*ret then has the id, so that it can be answered).
 */
int runner_ask_decode(const char *bytes, size_t size, struct runner_ask *ret);
int runner_answer_decode(const char *bytes, size_t size, struct runner_answer *ret);

/* No control characters, at most RUNNER_ARG_MAX_BYTES. */
bool runner_arg_allowed(const char *word);
/* TRIVET_[A-Z_]+=..., no control characters, at most RUNNER_ENV_MAX_BYTES. */
bool runner_env_allowed(const char *word);

#endif
