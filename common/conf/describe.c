/*
 * describe.c - the list, and the globals; see describe.h.
 */
#include "common/conf/describe.h"

#include <stdlib.h>

void
describe_add(struct description *d, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *value;

	if (d->n == FIELDS_MAX)
		return;
	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	d->fields[d->n++] = (struct field){ name, value, false };
}

void
describe_done(struct description *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->fields[i].value);
	d->n = 0;
}

void
describe_addr(struct description *d, const char *name, const struct addr *a)
{
	char text[ADDR_STRLEN];

	describe_add(d, name, "%s", addr_format(a, text));
}

/* "1.5s", "off" for what 0 means. */
void
describe_time(struct description *d, const char *name, int64_t us)
{
	if (us % 1000000 == 0)
		describe_add(d, name, "%llds", (long long)(us / 1000000));
	else if (us % 1000 == 0)
		describe_add(d, name, "%lldms", (long long)(us / 1000));
	else
		describe_add(d, name, "%lldus", (long long)us);
}

void
describe_flag(struct description *d, const char *name, bool on)
{
	describe_add(d, name, "%s", on ? "on" : "off");
}

void
describe_words(struct description *d, const char *name, char *const *words, size_t n)
{
	struct text t = { 0 };

	for (size_t i = 0; i < n; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", words[i]);
	describe_add(d, name, "%s", text_str(&t));
	text_done(&t);
}

/* The globals are one object without a name. */
void
describe_globals(const struct conf *conf, const void *object, struct description *d)
{
	struct text delays = { 0 };

	(void)object;
	describe_add(d, "router_id", "%s", conf->router_id != NULL ? conf->router_id : "");
	describe_add(d, "script_user", "%s%s%s", conf->script_user != NULL ? conf->script_user : "",
	    conf->script_group != NULL ? ":" : "",
	    conf->script_group != NULL ? conf->script_group : "");
	describe_flag(d, "enable_script_security", conf->script_security);
	describe_time(d, "vrrp_startup_delay", conf->startup_delay_us);
	for (size_t i = 0; i < conf->n_link_delays; i++)
		text_addf(&delays, "%s%s %lldms %lldms", i > 0 ? ", " : "",
		    conf->link_delays[i].name, (long long)(conf->link_delays[i].down_us / 1000),
		    (long long)(conf->link_delays[i].up_us / 1000));
	describe_add(d, "interface_up_down_delays", "%s", text_str(&delays));
	text_done(&delays);
	describe_fifo(d, conf, "notify_fifo", &conf->fifos[0]);
	describe_fifo(d, conf, "vrrp_notify_fifo", &conf->fifos[1]);
	describe_flag(d, "fifo_write_vrrp_states_on_reload", conf->fifo_states_on_reload);
	describe_flag(d, "log_unknown_vrids", conf->log_unknown_vrids);
	describe_add(d, "worker_processes", "%u", conf->data_threads);
	describe_add(d, "worker_connections", "%u", conf->connections);
	describe_add(d, "worker_rlimit_nofile", "%u", conf->nofile);
}
