/*
 * clienthello_fuzz.c - whatever a client sends first where ssl_preread is on.
 * More bytes never take a word back.
 */
#include "proxyd/clienthello.h"

#include "tests/fuzz/fuzz.h"

static void
check(const struct clienthello *h)
{
	must(memchr(h->server_name, '\0', sizeof(h->server_name)) != NULL);
	must(memchr(h->alpn, '\0', sizeof(h->alpn)) != NULL);
	must(strchr(h->server_name, '/') == NULL && strlen(h->protocol) < 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clienthello whole, part;
	enum clienthello_found found = clienthello_parse(data, size, &whole);
	size_t step = size > 4096 ? 64 : 1;

	if (found == CLIENTHELLO_YES)
		check(&whole);
	for (size_t n = 0; n < size; n += step) {
		enum clienthello_found early = clienthello_parse(data, n, &part);

		must(early == CLIENTHELLO_MORE || early == found);
		if (early == CLIENTHELLO_YES)
			must(strcmp(part.server_name, whole.server_name) == 0 &&
			     strcmp(part.alpn, whole.alpn) == 0);
	}
	return 0;
}
