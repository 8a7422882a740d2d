/*
 * dns_fuzz.c - whatever comes as an answer from a name server.
 */
#include "checkd/dns.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer a;
	uint8_t query[DNS_QUERY_MAX];
	char name[256];
	size_t n = size < sizeof(name) ? size : sizeof(name) - 1;
	int query_size = dns_query_encode(0x1234, "example.org", 1, query), err;

	must(query_size > 0);
	err = dns_answer_decode(query, (size_t)query_size, data, size, &a);
	must(err == 0 || err == -ENOENT || err == -EBADMSG);
	if (err == 0)
		must(a.records <= size && a.rcode < 16); /* each record has bytes of its own */
	memcpy(name, data, n);
	name[n] = '\0';
	err = dns_query_encode(1, name, 1, query);
	must(err == -EINVAL || (err > 0 && err <= DNS_QUERY_MAX));
	return 0;
}
