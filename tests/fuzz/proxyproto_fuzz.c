/*
 * proxyproto_fuzz.c - whatever a client sends where a PROXY header is wanted.
 */
#include "proxyd/proxyproto.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>

/* What was understood can be said again. */
static void
must_repeat(const struct proxyproto *p)
{
	uint8_t buf[PROXYPROTO_COMPOSED_MAX];
	size_t n = proxyproto_compose(p->version, &p->source, &p->destination, p->dgram, buf);
	enum proxyproto_error error;
	struct proxyproto again;

	must(n <= sizeof(buf) && proxyproto_parse(buf, n, &again, &error) == (int)n);
	must(endpoint_equal(&again.source, &p->source) &&
	     endpoint_equal(&again.destination, &p->destination));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum proxyproto_error error = PROXYPROTO_OK;
	struct proxyproto p, cut;
	int rc = proxyproto_parse(data, size, &p, &error);
	uint16_t n;

	must(rc == -EBADMSG || rc >= 0);
	must(rc != -EBADMSG || (error > PROXYPROTO_OK && error < PROXYPROTO_ERRORS));
	must(rc != 0 || size < PROXYPROTO_MAX); /* more is not asked for without end */
	if (rc <= 0)
		return 0;
	must((size_t)rc <= size && rc <= PROXYPROTO_MAX);
	must(proxyproto_parse(data, (size_t)rc - 1, &cut, &error) == 0);
	for (unsigned type = 0; type < 256; type++) {
		const uint8_t *v = proxyproto_tlv(data, &p, (uint8_t)type, &n);

		must(v == NULL || (v >= data && v + n <= data + rc));
	}
	must_repeat(&p);
	return 0;
}
