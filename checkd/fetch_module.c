/*
 * fetch_module.c - finds and loads probe_http.so; see fetch.h.
 */
#include "checkd/fetch.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/module.h"
#include "common/text.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE	 "trivet-checkd-http"
#define RETRY_US (10 * USEC_PER_SEC)

struct fetch_module {
	uv_loop_t *loop;
	const struct fetch_api *api; /* NULL: not loaded */
	struct fetch_engine *engine;
	mono_t retry; /* not before */
	bool warned;
	char why[512];
};

struct fetch_module *
fetch_module_new(uv_loop_t *loop)
{
	struct fetch_module *m = xcalloc(1, sizeof(*m));

	m->loop = loop;
	return m;
}

static bool
fail(struct fetch_module *m, const char *why)
{
	snprintf(m->why, sizeof(m->why),
	    "https checks, and redirects, need the package " PACKAGE ": %s", why);
	if (!m->warned)
		log_warn("%s", m->why);
	m->warned = true;
	return false;
}

static bool
load(struct fetch_module *m)
{
	const struct fetch_api *api;
	char path[MODULE_PATH_MAX];
	void *handle;

	module_find(MODULE_HTTP, path);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		return fail(m, dlerror());
	api = dlsym(handle, FETCH_SYMBOL);
	if (api == NULL || strcmp(api->version, FETCH_VERSION) != 0) {
		char why[128];

		snprintf(why, sizeof(why), MODULE_HTTP " is version %.32s, not " FETCH_VERSION,
		    api != NULL ? api->version : "unknown");
		dlclose(handle);
		return fail(m, why);
	}
	m->engine = api->engine_new(m->loop);
	if (m->engine == NULL)
		return fail(m, "libcurl does not start");
	m->api = api;
	return true;
}

const struct fetch_api *
fetch_module_api(struct fetch_module *m, struct fetch_engine **ret_engine, const char **ret_why)
{
	mono_t now = loop_now();

	if (m->api == NULL && !mono_before(now, m->retry)) {
		m->retry = mono_add(now, RETRY_US);
		load(m);
	}
	if (m->api == NULL) {
		*ret_why = m->why;
		return NULL;
	}
	*ret_engine = m->engine;
	return m->api;
}

void
fetch_module_free(struct fetch_module *m)
{
	free(m);
}
