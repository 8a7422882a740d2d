/*
 * proxyview.h - proxyd's listeners and upstreams, as this process last heard of
 * them (ipc/view.h), and for how long nothing was heard.
 */
#ifndef VRRPD_PROXYVIEW_H
#define VRRPD_PROXYVIEW_H

#include "common/mono.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct proxyview;

struct proxyview_listener {
	bool listening;
	mono_t since; /* when that last changed, as we heard it */
	char *error;  /* NULL: none */
};

struct proxyview_upstream {
	unsigned available, total;
};

/* 'on_heard': something that the functions below tell has changed. */
struct proxyview *proxyview_new(
    uv_loop_t *, const char *run_dir, void (*on_heard)(void *aux), void *aux);
void proxyview_free(struct proxyview *); /* accepts NULL */

/* Since when proxyd is silent or gone; MONO_NEVER: it answers. */
mono_t proxyview_silent_since(const struct proxyview *);
/* ... and why: "it closed the connection". */
const char *proxyview_silence(const struct proxyview *);
/* It has answered once. */
bool proxyview_has_answered(const struct proxyview *);

/* NULL: there is none.  Valid until on_heard. */
const struct proxyview_listener *proxyview_listener(const struct proxyview *, const char *name);
const struct proxyview_upstream *proxyview_upstream(const struct proxyview *, const char *name);

/* PeerLink, for GetStatus; new reference. */
json_t *proxyview_describe(const struct proxyview *);

#endif
