#include "tests/unit/test.h"

#include "checkd/request.h"

#include <string.h>

#define REST "User-Agent: trivet\r\nAccept: */*\r\n"

static const struct {
	const char *what, *url;
	uint16_t port;
	const char *addr; /* NULL: the host is a name */
	const char *method;
	const char *headers[3];
	bool keep_alive;
	const char *said;
} rows[] = {
	{ "a path", "http://10.0.0.1:8080/health", 8080, "10.0.0.1", NULL, { 0 }, false,
	    "GET /health HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n" REST "Connection: close\r\n\r\n" },
	{ "no path", "http://web.lab", 80, NULL, NULL, { 0 }, false,
	    "GET / HTTP/1.1\r\nHost: web.lab\r\n" REST "Connection: close\r\n\r\n" },
	{ "the usual port, said", "http://web.lab:80/", 80, NULL, NULL, { 0 }, false,
	    "GET / HTTP/1.1\r\nHost: web.lab\r\n" REST "Connection: close\r\n\r\n" },
	{ "a question alone", "http://web.lab?a=/b#c", 80, NULL, NULL, { 0 }, false,
	    "GET /?a=/b HTTP/1.1\r\nHost: web.lab\r\n" REST "Connection: close\r\n\r\n" },
	{ "a fragment alone", "HTTP://web.lab#c", 80, NULL, NULL, { 0 }, false,
	    "GET / HTTP/1.1\r\nHost: web.lab\r\n" REST "Connection: close\r\n\r\n" },
	{ "a fragment behind a path", "http://web.lab/a/../b?c#d", 80, NULL, NULL, { 0 }, false,
	    "GET /a/../b?c HTTP/1.1\r\nHost: web.lab\r\n" REST "Connection: close\r\n\r\n" },
	{ "IPv6", "http://[FD00:0::1]:8080/", 8080, "fd00::1", "HEAD", { 0 }, false,
	    "HEAD / HTTP/1.1\r\nHost: [fd00::1]:8080\r\n" REST "Connection: close\r\n\r\n" },
	{ "kept", "http://web.lab/", 80, NULL, "POST", { 0 }, true,
	    "POST / HTTP/1.1\r\nHost: web.lab\r\n" REST "\r\n" },
	{ "headers", "http://web.lab/", 80, NULL, NULL, { "X: y", "host: other", "Z:" }, false,
	    "GET / HTTP/1.1\r\nHost: other\r\n" REST "X: y\r\nConnection: close\r\n\r\n" },
	{ "in place of ours", "http://web.lab/", 80, NULL, NULL,
	    { "user-agent: me", "Accept:", "Connection: keep-alive" }, false,
	    "GET / HTTP/1.1\r\nHost: web.lab\r\nuser-agent: me\r\nConnection: keep-alive\r\n\r\n" },
	{ "none", "http://web.lab/", 80, NULL, NULL, { "Host:", "Hostile: x", "User-Agent: " },
	    true, "GET / HTTP/1.1\r\nAccept: */*\r\nHostile: x\r\n\r\n" },
};

static void
requests(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_conf http = { .url = (char *)rows[i].url,
			.method = (char *)rows[i].method,
			.headers = (char **)rows[i].headers,
			.keep_alive = rows[i].keep_alive };
		struct check_conf conf = { .http = &http, .endpoint.port = rows[i].port };
		struct text out = { 0 };

		while (http.n_headers < 3 && rows[i].headers[http.n_headers] != NULL)
			http.n_headers++;
		if (rows[i].addr != NULL)
			assert_int_equal(addr_parse(rows[i].addr, &conf.endpoint.addr), 0);
		request_compose(&conf, "trivet", &out);
		if (strcmp(text_str(&out), rows[i].said) != 0)
			fail_msg("%s: %s", rows[i].what, text_str(&out));
		text_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(requests) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
