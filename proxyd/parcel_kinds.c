/*
 * parcel_kinds.c - the kinds of records (parcel_priv.h): which fields, by which
 * tag, where in the struct; and what a record may not say whoever wrote it.
 */
#include "proxyd/parcel_priv.h"

#include "common/util.h"

#include <string.h>
#include <sys/socket.h>

#define ONE(tag, type, s, member)                                                                  \
	{                                                                                          \
		(tag), (type), offsetof(struct s, member), 0                                       \
	}
#define LIST(tag, type, s, member, count)                                                          \
	{                                                                                          \
		(tag), (type), offsetof(struct s, member), offsetof(struct s, count)               \
	}
#define ADDRESS(s, m)                                                                              \
	ONE(1, T_TEXT, s, m name), ONE(2, T_ENDPOINT, s, m endpoint),                              \
	    ONE(3, T_BOOL, s, m ipv6_only), ONE(4, T_U8, s, m protocol)
#define TALLY(s)                                                                                   \
	ONE(96, T_U64, s, tally.sessions), ONE(97, T_U64, s, tally.bytes_in),                      \
	    ONE(98, T_U64, s, tally.bytes_out), ONE(99, T_U64, s, tally.connection_errors),        \
	    ONE(100, T_U64, s, tally.retries), ONE(101, T_U64, s, tally.timeouts),                 \
	    ONE(102, T_U64, s, tally.connects), ONE(103, T_U64, s, tally.connect_us),              \
	    ONE(104, T_REASONS, s, tally.reasons), ONE(105, T_U64, s, tally.dropped)

/* clang-format off */
static const struct parcel_field listener_fields[] = {
	ADDRESS(parcel_address,),
};
static const struct parcel_field session_fields[] = {
	ADDRESS(parcel_session, listener.),
	ONE(5,  T_TEXT,     parcel_session, upstream),
	ONE(6,  T_TEXT,     parcel_session, server_name),
	ONE(7,  T_ENDPOINT, parcel_session, server),
	ONE(8,  T_U64,      parcel_session, connect_timeout_us),
	ONE(9,  T_U64,      parcel_session, timeout_us),
	ONE(10, T_U64,      parcel_session, next_timeout_us),
	ONE(11, T_U32,      parcel_session, tries),
	ONE(12, T_U32,      parcel_session, read_size),
	ONE(13, T_BOOL,     parcel_session, half_close),
	ONE(14, T_BOOL,     parcel_session, tcp_nodelay),
	ONE(15, T_BOOL,     parcel_session, is_open),
	ONE(16, T_REASON,   parcel_session, failure),
	ONE(17, T_BOOL,     parcel_session, server_spoke),
	ONE(18, T_BOOL,     parcel_session, client_passed),
	ONE(19, T_U8,       parcel_session, half[FLOW_CLIENT]),
	ONE(20, T_U8,       parcel_session, half[FLOW_SERVER]),
	ONE(21, T_U32,      parcel_session, pending[FLOW_CLIENT]),
	ONE(22, T_U32,      parcel_session, pending[FLOW_SERVER]),
	ONE(23, T_U8,       parcel_session, server_writes),
	ONE(24, T_U16,      parcel_session, attempt),
	ONE(25, T_U64,      parcel_session, bytes[FLOW_CLIENT]),
	ONE(26, T_U64,      parcel_session, bytes[FLOW_SERVER]),
	ONE(27, T_U64,      parcel_session, began_us),
	ONE(28, T_U64,      parcel_session, active_us),
	ONE(29, T_U64,      parcel_session, connect_deadline_us),
	ONE(30, T_U8,       parcel_session, announce),
	ONE(31, T_BOOL,     parcel_session, transparent),
	ONE(32, T_U8,       parcel_session, stage),
	ONE(33, T_U32,      parcel_session, answered),
	LIST(64, T_ENDPOINTS, parcel_session, tried, n_tried),
	ONE(65, T_U64,      parcel_session, half_timeout_us),
	ONE(66, T_U64,      parcel_session, age_us),
	ONE(67, T_U64,      parcel_session, age_jitter_us),
	ONE(70, T_BOOL,     parcel_session, has_guest),
	ONE(71, T_ENDPOINT, parcel_session, client),
	ONE(72, T_ENDPOINT, parcel_session, peer),
	ONE(73, T_ENDPOINT, parcel_session, local),
	ONE(74, T_ENDPOINT, parcel_session, proxied),
	ONE(75, T_ENDPOINT, parcel_session, proxied_to),
	ONE(76, T_U64,      parcel_session, greeted_us),
	ONE(77, T_U64,      parcel_session, rates[FLOW_CLIENT]),
	ONE(78, T_U64,      parcel_session, rates[FLOW_SERVER]),
	LIST(79, T_HELD,    parcel_session, held, n_held),
	ONE(80, T_BOOL,     parcel_session, has_hello),
	ONE(81, T_TEXT,     parcel_session, tls_name),
	ONE(82, T_TEXT,     parcel_session, tls_alpn),
	ONE(83, T_TEXT,     parcel_session, tls_protocol),
	ONE(84, T_U64,      parcel_session, story_connection),
	ONE(85, T_U64,      parcel_session, story_tried_us),
	ONE(86, T_U64,      parcel_session, story_connect_us),
	ONE(87, T_U64,      parcel_session, story_first_byte_us),
	ONE(88, T_BYTES,    parcel_session, tlvs),
};
static const struct parcel_field server_fields[] = {
	ONE(1,  T_TEXT,     parcel_server, upstream),
	ONE(2,  T_TEXT,     parcel_server, name),
	ONE(3,  T_ENDPOINT, parcel_server, endpoint),
	ONE(4,  T_BOOL,     parcel_server, is_down),
	ONE(5,  T_TEXT,     parcel_server, source),
	ONE(6,  T_TEXT,     parcel_server, reason),
	ONE(64, T_U64,      parcel_server, since_us),
	ONE(65, T_U64,      parcel_server, probe_at_us),
	ONE(66, T_U64,      parcel_server, current),
	LIST(67, T_TIMES,   parcel_server, fails_us, n_fails),
	ONE(68, T_U64,      parcel_server, transitions),
	ONE(69, T_U64,      parcel_server, downtime_us),
	ONE(70, T_TEXT,     parcel_server, changed_at),
	ONE(71, T_TEXT,     parcel_server, admin),
	ONE(72, T_TEXT,     parcel_server, comment),
	ONE(73, T_U64,      parcel_server, admin_until_us),
	ONE(74, T_U32,      parcel_server, weight_set),
	TALLY(parcel_server),
};
static const struct parcel_field upstream_fields[] = {
	ONE(1, T_TEXT, parcel_upstream, name),
	TALLY(parcel_upstream),
};
static const struct parcel_field counters_fields[] = {
	ADDRESS(parcel_counters, listener.),
	TALLY(parcel_counters),
};
static const struct parcel_field udp_fields[] = {
	ADDRESS(parcel_udp, listener.),
	ONE(5,  T_TEXT,     parcel_udp, upstream),
	ONE(6,  T_TEXT,     parcel_udp, server_name),
	ONE(7,  T_ENDPOINT, parcel_udp, server),
	ONE(8,  T_ENDPOINT, parcel_udp, client),
	ONE(9,  T_ENDPOINT, parcel_udp, local),
	ONE(10, T_U32,      parcel_udp, client_scope),
	ONE(11, T_U32,      parcel_udp, local_interface),
	ONE(12, T_U64,      parcel_udp, timeout_us),
	ONE(13, T_U64,      parcel_udp, active_us),
	ONE(14, T_U32,      parcel_udp, max_requests),
	ONE(15, T_U32,      parcel_udp, max_responses),
	ONE(16, T_U32,      parcel_udp, requests),
	ONE(17, T_U32,      parcel_udp, responses),
	ONE(18, T_BOOL,     parcel_udp, is_current),
	ONE(19, T_U32,      parcel_udp, socket),
	ONE(64, T_U64,      parcel_udp, began_us),
	ONE(65, T_U64,      parcel_udp, connection),
	ONE(66, T_U64,      parcel_udp, bytes[FLOW_CLIENT]),
	ONE(67, T_U64,      parcel_udp, bytes[FLOW_SERVER]),
};
/* clang-format on */

/* ---- what makes sense ---- */

static bool
is_family(const struct endpoint *ep)
{
	return addr_size(&ep->addr) > 0;
}

static bool
is_unix(const char *name)
{
	return strncmp(name, "unix:/", 6) == 0;
}

static bool
is_address(const struct parcel_address *a)
{
	if (a->endpoint.addr.family == AF_UNSPEC)
		return is_unix(a->name) && a->endpoint.port == 0 && a->protocol != 0;
	return is_family(&a->endpoint) && a->endpoint.port != 0 && a->protocol != 0;
}

static bool
address_holds(const void *record, size_t n_fds)
{
	return is_address(record) && n_fds > 0;
}

static bool
counters_hold(const void *record, size_t n_fds)
{
	const struct parcel_counters *c = record;

	return is_address(&c->listener) && n_fds == 0;
}

static bool
server_holds(const void *record, size_t n_fds)
{
	const struct parcel_server *s = record;

	return s->upstream[0] != '\0' && s->name[0] != '\0' && n_fds == 0;
}

static bool
upstream_holds(const void *record, size_t n_fds)
{
	const struct parcel_upstream *u = record;

	return u->name[0] != '\0' && n_fds == 0;
}

static bool
terms_hold(const struct parcel_session *s)
{
	return s->connect_timeout_us > 0 && s->timeout_us >= 0 && s->next_timeout_us >= 0 &&
	       s->half_timeout_us >= 0 && s->age_us >= 0 && s->age_jitter_us >= 0 &&
	       s->age_jitter_us <= s->age_us && s->read_size > 0 &&
	       s->read_size <= PARCEL_PENDING_MAX;
}

static bool
greeting_holds(const void *record, size_t n_fds)
{
	const struct parcel_session *s = record;

	return is_address(&s->listener) && s->began_us > 0 && s->connect_deadline_us > 0 &&
	       s->stage < PARCEL_STAGES && n_fds == 1;
}

static bool
session_holds(const void *record, size_t n_fds)
{
	const struct parcel_session *s = record;
	size_t n_waiting = (s->pending[FLOW_CLIENT] > 0) + (size_t)(s->pending[FLOW_SERVER] > 0);

	if (!is_address(&s->listener) || (!is_family(&s->server) && !is_unix(s->server_name)) ||
	    s->upstream[0] == '\0' || !terms_hold(s) || s->attempt == 0 || s->began_us <= 0 ||
	    s->server_writes > 2)
		return false;
	if (s->pending[FLOW_CLIENT] > PARCEL_PENDING_MAX ||
	    s->pending[FLOW_SERVER] > PARCEL_PENDING_MAX)
		return false;
	/* flow.h: before a server answered nothing is taken from anybody */
	return n_fds == 2 + n_waiting && (s->is_open || n_waiting == 0);
}

static bool
udp_holds(const void *record, size_t n_fds)
{
	const struct parcel_udp *u = record;

	return n_fds == 1 && is_address(&u->listener) && is_family(&u->listener.endpoint) &&
	       is_family(&u->server) && is_family(&u->client) && u->upstream[0] != '\0' &&
	       u->client.addr.family == u->listener.endpoint.addr.family &&
	       (!is_family(&u->local) || u->local.addr.family == u->client.addr.family) &&
	       u->timeout_us >= 0 && u->active_us > 0 && u->began_us >= 0;
}

/* ---- all of them ---- */

static const struct parcel_kind_info kinds[] = {
	[PARCEL_LISTENER] = { listener_fields, ARRAY_LEN(listener_fields),
	    sizeof(struct parcel_address), address_holds },
	[PARCEL_SESSION] = { session_fields, ARRAY_LEN(session_fields),
	    sizeof(struct parcel_session), session_holds },
	[PARCEL_SERVER] = { server_fields, ARRAY_LEN(server_fields), sizeof(struct parcel_server),
	    server_holds },
	[PARCEL_UPSTREAM] = { upstream_fields, ARRAY_LEN(upstream_fields),
	    sizeof(struct parcel_upstream), upstream_holds },
	[PARCEL_COUNTERS] = { counters_fields, ARRAY_LEN(counters_fields),
	    sizeof(struct parcel_counters), counters_hold },
	[PARCEL_UDP] = { udp_fields, ARRAY_LEN(udp_fields), sizeof(struct parcel_udp), udp_holds },
	[PARCEL_GREETING] = { session_fields, ARRAY_LEN(session_fields),
	    sizeof(struct parcel_session), greeting_holds },
};

const struct parcel_kind_info *
parcel_kind_find(unsigned kind)
{
	return kind > 0 && kind < ARRAY_LEN(kinds) ? &kinds[kind] : NULL;
}
