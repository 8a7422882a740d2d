/*
 * handover_udp.c - a UDP session as a record, and back (handover.h).
 */
#include "proxyd/handover_priv.h"

#include <netinet/in.h>
#include <string.h>

void
handover_describe_udp(const struct udp_left *f, struct parcel_udp *r)
{
	*r = (struct parcel_udp){
		.socket = f->socket,
		.server = f->server->endpoint,
		.local.addr.family = f->local.family,
		.timeout_us = f->route->timeout_us,
		.began_us = f->began.us,
		.active_us = f->active.us,
		.connection = f->connection,
		.bytes = { f->bytes[FLOW_CLIENT], f->bytes[FLOW_SERVER] },
		.max_requests = f->route->requests,
		.max_responses = f->route->responses,
		.requests = f->requests,
		.responses = f->responses,
		.is_current = f->is_current,
	};
	/* As the socket has it: an IPv4 client of an IPv6 socket stays an IPv6 address. */
	endpoint_from_sockaddr((const struct sockaddr *)&f->client, &r->client);
	if (f->client.sin6_family == AF_INET6)
		r->client_scope = f->client.sin6_scope_id;
	if (f->local.family == AF_INET6) {
		memcpy(r->local.addr.bytes, &f->local.v6.ipi6_addr, 16);
		r->local_interface = f->local.v6.ipi6_ifindex;
	} else if (f->local.family == AF_INET) {
		memcpy(r->local.addr.bytes, &f->local.v4, 4);
	}
	handover_address(f->listener, &r->listener);
	handover_copy(r->upstream, f->server->up->name);
	handover_copy(r->server_name, f->server->name);
}

void
handover_fill_udp(const struct parcel_udp *r, struct udp_left *f)
{
	struct sockaddr_storage ss;

	*f = (struct udp_left){ .socket = r->socket,
		.local.family = r->local.addr.family,
		.requests = r->requests,
		.responses = r->responses,
		.began = { r->began_us > 0 ? r->began_us : r->active_us }, /* an older version */
		.active = { r->active_us },
		.connection = r->connection,
		.bytes = { r->bytes[FLOW_CLIENT], r->bytes[FLOW_SERVER] },
		.is_current = r->is_current };
	endpoint_to_sockaddr(&r->client, &ss);
	memcpy(&f->client, &ss, sizeof(f->client));
	if (f->client.sin6_family == AF_INET6)
		f->client.sin6_scope_id = r->client_scope;
	if (f->local.family == AF_INET6) {
		memcpy(&f->local.v6.ipi6_addr, r->local.addr.bytes, 16);
		f->local.v6.ipi6_ifindex = r->local_interface;
	} else if (f->local.family == AF_INET) {
		memcpy(&f->local.v4, r->local.addr.bytes, 4);
	}
}
