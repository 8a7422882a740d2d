/*
 * gather.h - asking the daemons of this node (blocking; the command only).
 */
#ifndef CTL_GATHER_H
#define CTL_GATHER_H

#include "ctl/ctl.h"
#include "ipc/call.h"

/* They answer from memory: longer than this is a hang, and said so. */
#define GATHER_TIMEOUT_MS 3000

/* The merged object of node.h, "problems" included.  'only': "vrrpd,checkd"; NULL: all three. */
json_t *gather_node(const char *run_dir, const char *only);

/*
 * One call on a connection of its own.  0 with the parameters of the reply, to be
 * released, or -1 with the reason in words in 'why'.
 */
int gather_call(const char *run_dir, const char *daemon, const char *method, json_t *parameters,
    json_t **ret, struct text *why);

/* What -errno of ipc_link_open means: "not running", "no permission ...". */
const char *gather_strerror(int err);

#endif
