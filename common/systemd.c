/*
 * systemd.c - see systemd.h.
 */
#include "common/systemd.h"

#include "common/log.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libsystemd.so.0" /* its ABI since 2013 */

static struct systemd functions;
static bool is_loaded;

static void
load(void)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *at;

	is_loaded = handle != NULL;
#define X(function)                                                                                \
	at = is_loaded ? dlsym(handle, #function) : NULL;                                          \
	is_loaded = at != NULL;                                                                    \
	memcpy(&functions.function, &at, sizeof(at)); /* dlsym(3): no cast in ISO C */
	SYSTEMD_FUNCTIONS(X)
#undef X
	if (!is_loaded)
		log_line(LOG_WARNING, "without the service manager and its journal: %s", dlerror());
}

const struct systemd *
systemd(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return is_loaded ? &functions : NULL;
}

const struct systemd *
systemd_if(const char *variable)
{
	return getenv(variable) != NULL ? systemd() : NULL;
}
