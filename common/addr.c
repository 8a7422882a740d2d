/*
 * addr.c - see addr.h.
 */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

int
addr_parse(const char *text, struct addr *ret)
{
	struct addr a = { 0 };

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *
addr_format(const struct addr *a, char buf[static ADDR_STRLEN])
{
	buf[0] = '\0';
	if (a->family != AF_UNSPEC)
		inet_ntop(a->family, a->bytes, buf, ADDR_STRLEN);
	return buf;
}

size_t
addr_size(const struct addr *a)
{
	switch (a->family) {
	case AF_INET:
		return 4;
	case AF_INET6:
		return 16;
	default:
		return 0;
	}
}

int
addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, addr_size(a));
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

bool
addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, addr_size(a)) == 0;
}

bool
addr_is_multicast(const struct addr *a)
{
	return a->family == AF_INET    ? (a->bytes[0] & 0xf0) == 0xe0
	       : a->family == AF_INET6 ? a->bytes[0] == 0xff
				       : false;
}

bool
addr_is_link_local(const struct addr *a)
{
	return a->family == AF_INET    ? a->bytes[0] == 169 && a->bytes[1] == 254
	       : a->family == AF_INET6 ? a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80
				       : false;
}

bool
addr_in_prefix(const struct addr *a, const struct addr *prefix, uint8_t prefix_length)
{
	if (a->family != prefix->family)
		return false;
	for (unsigned bit = 0; bit < prefix_length; bit++)
		if ((a->bytes[bit / 8] ^ prefix->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* A port in plain decimal, 1..65535, and nothing behind it. */
static int
parse_port(const char *text, uint16_t *ret)
{
	unsigned long v = 0;

	if (*text < '1' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		v = v * 10 + (unsigned)(*text - '0');
		if (v > 65535)
			return -EINVAL;
	}
	if (*text != '\0')
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

static void
mask(struct addr_range *r)
{
	size_t whole = r->bits / 8U;

	if (whole < addr_size(&r->addr))
		r->addr.bytes[whole] &= (uint8_t)(0xff00 >> r->bits % 8);
	for (size_t i = whole + 1; i < sizeof(r->addr.bytes); i++)
		r->addr.bytes[i] = 0;
}

int
addr_range_parse(const char *text, struct addr_range *ret)
{
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[ADDR_STRLEN];
	struct addr_range r;
	size_t max;

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (addr_parse(address, &r.addr) < 0)
		return -EINVAL;
	max = addr_size(&r.addr) * 8;
	r.bits = (uint8_t)max;
	if (slash != NULL) {
		size_t digits = strspn(slash + 1, "0123456789");
		long bits = strtol(slash + 1, NULL, 10);

		if (digits == 0 || digits > 3 || slash[1 + digits] != '\0' || (size_t)bits > max)
			return -EINVAL;
		r.bits = (uint8_t)bits;
	}
	mask(&r);
	*ret = r;
	return 0;
}

bool
addr_range_has(const struct addr_range *r, const struct addr *a)
{
	size_t whole = r->bits / 8U;
	uint8_t rest = (uint8_t)(0xff00 >> r->bits % 8);

	if (a->family != r->addr.family || memcmp(a->bytes, r->addr.bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] & rest) == r->addr.bytes[whole];
}

struct addr
addr_unmapped(const struct addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	struct addr v4 = { .family = AF_INET };

	if (a->family != AF_INET6 || memcmp(a->bytes, prefix, sizeof(prefix)) != 0)
		return *a;
	memcpy(v4.bytes, a->bytes + 12, 4);
	return v4;
}

int
endpoint_parse(const char *text, struct endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[';
	struct endpoint ep = { 0 };
	char host[ADDR_STRLEN];
	size_t size;

	if (colon == NULL || colon == text)
		return -EINVAL;
	size = (size_t)(colon - text);
	if (brackets) {
		if (size < 2 || colon[-1] != ']')
			return -EINVAL;
		text++;
		size -= 2;
	}
	if (size >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	if (addr_parse(host, &ep.addr) < 0 || parse_port(colon + 1, &ep.port) < 0)
		return -EINVAL;
	if ((ep.addr.family == AF_INET6) != brackets)
		return -EINVAL; /* brackets belong to IPv6, and IPv6 needs them */
	*ret = ep;
	return 0;
}

const char *
endpoint_format(const struct endpoint *ep, char buf[static ENDPOINT_STRLEN])
{
	char host[ADDR_STRLEN];

	snprintf(buf, ENDPOINT_STRLEN, ep->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
	    addr_format(&ep->addr, host), ep->port);
	return buf;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

socklen_t
endpoint_to_sockaddr(const struct endpoint *ep, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (ep->addr.family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(ep->port);
		memcpy(&in6->sin6_addr, ep->addr.bytes, 16);
		return sizeof(*in6);
	}

	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	in->sin_family = AF_INET;
	in->sin_port = htons(ep->port);
	memcpy(&in->sin_addr, ep->addr.bytes, 4);
	return sizeof(*in);
}

int
endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *ret)
{
	struct endpoint ep = { .addr.family = (uint8_t)sa->sa_family };

	switch (sa->sa_family) {
	case AF_INET: {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		memcpy(ep.addr.bytes, &in->sin_addr, 4);
		ep.port = ntohs(in->sin_port);
		break;
	}
	case AF_INET6: {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		memcpy(ep.addr.bytes, &in6->sin6_addr, 16);
		ep.port = ntohs(in6->sin6_port);
		break;
	}
	default:
		return -EAFNOSUPPORT;
	}
	*ret = ep;
	return 0;
}

socklen_t
unix_to_sockaddr(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n;

	if (strncmp(text, "unix:", 5) != 0)
		return 0;
	n = strlen(text + 5);
	if (n == 0 || n >= sizeof(sun.sun_path))
		return 0;
	memcpy(sun.sun_path, text + 5, n);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, &sun, sizeof(sun));
	return sizeof(sun);
}

bool
unix_equal(const char *text, const struct sockaddr_storage *ss)
{
	struct sockaddr_un sun;

	memcpy(&sun, ss, sizeof(sun));
	return sun.sun_family == AF_UNIX && strncmp(text, "unix:", 5) == 0 &&
	       strncmp(text + 5, sun.sun_path, sizeof(sun.sun_path)) == 0;
}
