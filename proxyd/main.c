/*
 * main.c - proxyd: forwards TCP to upstream servers (proxyd.8).
 */
#include "common/caps.h"
#include "proxyd/proxy.h"

#include <sys/capability.h>

/* IP_TRANSPARENT (ip(7)); held only where it is used. */
static uint64_t
more_caps(const struct conf *conf)
{
	return proxy_is_transparent(conf) ? CAPS_BIT(CAP_NET_ADMIN) : 0;
}

int
main(int argc, char **argv)
{
	static const struct daemon_class proxyd = {
		.name = "proxyd",
		.user = "_trivet-proxyd",
		.parts = CONF_GLOBAL | CONF_STREAM,
		.keep_caps = CAPS_BIT(CAP_NET_BIND_SERVICE),
		.more_caps = more_caps,
		.start = proxy_start,
		.reload = proxy_reload,
		.reopen = proxy_reopen,
		.stop = proxy_stop,
	};

	return daemon_main(&proxyd, argc, argv);
}
