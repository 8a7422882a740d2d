/*
 * node.h - one node as its daemons tell it: the merged answers, and what a
 * person reads out of them.  Pure: JSON in, words out; what asks is gather.h.
 *
 * The merged object (what `trivet status --json` prints):
 *
 *   { "daemons": { "checkd": { "running": true, "status": GetStatus },
 *                  "vrrpd":  { "running": false, "error": "not running" } },
 *     "checks": [Check], "listeners": [Listener], "upstreams": [Upstream],
 *     "servers": [Server], "instances": [Instance],
 *     "problems": [ { "severity": "critical", "subject": "VI_1", "message": "..." } ] }
 *
 * Everything in it is borrowed from a sibling process: absent and ill-typed
 * members read as "" and 0.
 */
#ifndef CTL_NODE_H
#define CTL_NODE_H

#include "common/mono.h"
#include "common/text.h"

#include <jansson.h>
#include <stdbool.h>

/* Members, with "" and 0 for what is not there. */
const char *node_str(const json_t *object, const char *key);
int64_t node_int(const json_t *object, const char *key);
bool node_true(const json_t *object, const char *key);
/* The object of 'array' whose 'key' is 'value', or NULL. */
json_t *node_find(const json_t *array, const char *key, const char *value);

/*
 * Every string in it becomes fit for a terminal: what a script printed may hold
 * escape sequences, and ends up in a page as evidence.
 */
void node_make_printable(json_t *);

/* "3.2 s", "4 min 10 s", "5 h 12 min", "12 d 3 h". */
void node_age(struct text *, int64_t us);
/* "backup" -> "BACKUP": the field's words. */
char *node_upper(const char *);

/*
 * What is wrong, worst first: a new array of {severity, subject, message};
 * severity is "critical" or "warning".
 */
json_t *node_problems(const json_t *node);

/* A monitoring plugin's answer: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (nothing answers). */
int node_plugin(const json_t *node, struct text *out);

/* No daemon answers at all. */
bool node_silent(const json_t *node);

/* The whole on a page: what is wrong first.  'now' as the daemons count (CLOCK_BOOTTIME). */
void node_status(const json_t *node, mono_t now, bool colour, struct text *out);

/* Why an instance is what it is, and what would make it master. */
void node_why(
    const json_t *node, const json_t *instance, mono_t now, bool colour, struct text *out);

#endif
