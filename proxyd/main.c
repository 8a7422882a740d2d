/*
 * main.c - proxyd: forwards TCP to upstream servers (proxyd.8).
 */
#include "common/caps.h"
#include "proxyd/proxy.h"

#include <sys/capability.h>

int
main(int argc, char **argv)
{
	static const struct daemon_class proxyd = {
		.name = "proxyd",
		.user = "_trivet-proxyd",
		.parts = CONF_GLOBAL | CONF_STREAM,
		.keep_caps = CAPS_BIT(CAP_NET_BIND_SERVICE),
		.start = proxy_start,
		.reload = proxy_reload,
		.stop = proxy_stop,
	};

	return daemon_main(&proxyd, argc, argv);
}
