/*
 * probe_ping.c - ICMP echo through a datagram socket (icmp(7)): no capability,
 * but the host must let our group have such sockets.  The kernel puts its own
 * identifier in and hands us the answers to it alone.
 */
#include "checkd/ask.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 8 /* type, code, checksum, identifier, sequence: the same in both */

static size_t
write_question(
    const struct probe *p, const struct ask_token *token, uint8_t buf[static ASK_SIZE_MAX])
{
	memset(buf, 0, HEADER_SIZE);
	buf[0] = p->peer.addr.family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	memcpy(buf + 6, &token->id, sizeof(token->id)); /* as sequence */
	memcpy(buf + HEADER_SIZE, token->nonce, sizeof(token->nonce));
	return HEADER_SIZE + sizeof(token->nonce);
}

static enum ask_answer
judge(const struct probe *p, const struct ask_token *token, const uint8_t *bytes, size_t size,
    struct text *detail)
{
	uint8_t reply = p->peer.addr.family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;

	(void)detail;
	if (size != HEADER_SIZE + sizeof(token->nonce) || bytes[0] != reply ||
	    memcmp(bytes + 6, &token->id, sizeof(token->id)) != 0 ||
	    memcmp(bytes + HEADER_SIZE, token->nonce, sizeof(token->nonce)) != 0)
		return ASK_NOT_OURS;
	return ASK_GOOD;
}

static bool
explain(const char *what, int err, char *buf, size_t size)
{
	if (err != EACCES || strcmp(what, "socket") != 0) /* of connect: a route that prohibits */
		return false;
	snprintf(buf, size,
	    "ping: net.ipv4.ping_group_range of this host leaves out group %u: "
	    "sysctl net.ipv4.ping_group_range=\"0 2147483647\" lets everybody ping",
	    (unsigned)getegid());
	return true;
}

static void
start(struct probe *p)
{
	static const struct ask_class class = { .type = SOCK_DGRAM,
		.protocol4 = IPPROTO_ICMP,
		.protocol6 = IPPROTO_ICMPV6,
		.write = write_question,
		.judge = judge,
		.explain = explain };

	ask_start(p, &class);
}

const struct probe_class probe_ping = {
	.size = sizeof(struct attempt_probe),
	.start = start,
	.done = attempt_probe_done,
};
