/*
 * metrics.c - see metrics.h.
 */
#include "vrrpd/metrics.h"

#include "vrrpd/instance.h"

#include <stdio.h>

struct instance_metric {
	const char *name, *help;
	uint64_t (*value)(const struct instance *);
};

#define METRIC_VALUE(function, expression)                                                         \
	static uint64_t function(const struct instance *in)                                        \
	{                                                                                          \
		return (expression);                                                               \
	}
METRIC_VALUE(value_received, in->advert.received)
METRIC_VALUE(value_sent, in->advert.sent)
METRIC_VALUE(value_became, in->became_master)
METRIC_VALUE(value_released, in->released_master)
METRIC_VALUE(value_zero_received, in->advert.zero_received)
METRIC_VALUE(value_zero_sent, in->advert.zero_sent)
METRIC_VALUE(value_put_back, in->put_back)
METRIC_VALUE(value_announcements, in->announcer.sent)
METRIC_VALUE(value_priority, in->trackers.sum.effective)

static const struct instance_metric METRICS[] = {
	{ "vrrpd_advertisements_received_total", "Advertisements taken.", value_received },
	{ "vrrpd_advertisements_sent_total", "Advertisements sent.", value_sent },
	{ "vrrpd_become_master_total", "Changes to MASTER.", value_became },
	{ "vrrpd_release_master_total", "Changes from MASTER.", value_released },
	{ "vrrpd_priority_zero_received_total", "Adverts of priority 0 taken.",
	    value_zero_received },
	{ "vrrpd_priority_zero_sent_total", "Adverts of priority 0 sent.", value_zero_sent },
	{ "vrrpd_addresses_lost_total", "Virtual addresses that were gone by another's hand.",
	    value_put_back },
	{ "vrrpd_announcements_sent_total", "Gratuitous ARP and neighbour advertisements sent.",
	    value_announcements },
	{ "vrrpd_effective_priority", "The sum that decides an election.", value_priority },
};

static void
packet_errors(const struct instance *in, const char *vrid, struct service_metrics *m)
{
	for (int err = VRRP_PKT_OK + 1; err < VRRP_PKT_ERR_MAX; err++) {
		const char *labels[] = { "iname", in->name, "intf", in->conf->interface, "vrid",
			vrid, "reason", vrrp_pkt_err_str((enum vrrp_pkt_err)err), NULL };

		service_metric(m, "vrrpd_packet_errors_total",
		    "Advertisements not acted upon, by reason.", labels,
		    (double)in->advert.dropped[err]);
	}
}

static void
instance_metrics(const struct instance *in, struct service_metrics *m)
{
	char vrid[8], ip[ADDR_STRLEN] = "";

	snprintf(vrid, sizeof(vrid), "%u", in->conf->vrid);
	if (in->vips.n > 0)
		addr_format(&in->vips.vips[0].request.local, ip);
	/* The same numbers as keepalived's: 0 init, 1 backup, 2 master, 3 fault. */
	service_metric(m, "vrrpd_state", "0 init, 1 backup, 2 master, 3 fault.",
	    (const char *[]){ "iname", in->name, "intf", in->conf->interface, "vrid", vrid,
		"ip_address", ip, NULL },
	    in->state.role);
	for (size_t i = 0; i < ARRAY_LEN(METRICS); i++)
		service_metric(m, METRICS[i].name, METRICS[i].help,
		    (const char *[]){
			"iname", in->name, "intf", in->conf->interface, "vrid", vrid, NULL },
		    (double)METRICS[i].value(in));
	packet_errors(in, vrid, m);
}

static void
fifo_metrics(void *aux, const char *path, uint64_t written, uint64_t lost)
{
	struct service_metrics *m = aux;
	const char *labels[] = { "path", path, NULL };

	service_metric(m, "vrrpd_fifo_lines_written_total", "Changes of state written into a FIFO.",
	    labels, (double)written);
	service_metric(m, "vrrpd_fifo_lines_lost_total",
	    "Changes that a full FIFO never took: later ones stood for them.", labels,
	    (double)lost);
}

void
metrics_of(const struct vrrpd *v, struct service_metrics *m)
{
	const struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		instance_metrics(in, m);
	for (int err = VRRP_PKT_OK + 1; err < VRRP_PKT_ERR_MAX; err++)
		service_metric(m, "vrrpd_unclaimed_packets_total",
		    "Packets for no virtual router of ours, by reason.",
		    (const char *[]){ "reason", vrrp_pkt_err_str((enum vrrp_pkt_err)err), NULL },
		    (double)v->unclaimed[err]);
	fifo_each(v->fifos, fifo_metrics, m);
	service_metric(m, "vrrpd_packet_storms_total",
	    "Times that so many packets were of no use that they were dropped uncounted.", NULL,
	    (double)vrrp_sock_n_storms(v->socks));
}
