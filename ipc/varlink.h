/*
 * varlink.h - Varlink (UAPI.20) messages: framing, calls, replies.  Pure: bytes
 * and JSON values in, bytes and JSON values out.
 */
#ifndef IPC_VARLINK_H
#define IPC_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Bounds (ipc.md 1.9), and why: a stranger may connect. */
#define VARLINK_CALL_MAX  (64 * 1024)	    /* one request; also what may be pipelined */
#define VARLINK_REPLY_MAX (8 * 1024 * 1024) /* one reply */
#define VARLINK_PART_MAX  (256 * 1024)	    /* one part of a stream */
#define VARLINK_DEPTH_MAX 32

struct varlink_call {
	char *method;	    /* qualified: interface.Method */
	json_t *parameters; /* an object; never NULL */
	bool more, oneway, upgrade;
};

struct varlink_reply {
	json_t *parameters; /* an object; never NULL */
	char *error;	    /* qualified; NULL: success */
	bool continues;
};

/*
 * One message without its NUL.  0; -EBADMSG: nothing that may be answered,
 * close the connection.  *ret is untouched on failure.
 */
int varlink_call_parse(const char *bytes, size_t size, struct varlink_call *ret);
int varlink_reply_parse(const char *bytes, size_t size, struct varlink_reply *ret);
void varlink_call_done(struct varlink_call *);
void varlink_reply_done(struct varlink_reply *);

/*
 * The message with its NUL, malloc()ed; NULL and *ret_size = 0 when it would be
 * longer than 'max'.  Takes the reference to 'parameters' (NULL: {}).
 */
char *varlink_call_encode(const char *method, json_t *parameters, bool more, size_t *ret_size);
char *varlink_reply_encode(
    const char *error, json_t *parameters, bool continues, size_t max, size_t *ret_size);

/* A JSON string of text from elsewhere: NULL is null, bytes that are not UTF-8 become '?'. */
json_t *varlink_string(const char *text);

#endif
