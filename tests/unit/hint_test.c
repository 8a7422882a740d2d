/* hint_test.c - which commands could be a check of another type. */
#include "common/conf/hint.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *command, *hint; /* NULL: none */
} rows[] = {
	{ "killall -0 nginx", "process nginx" },
	{ "/usr/bin/killall -0 haproxy", "process haproxy" },
	{ "pkill -0 nginx", "process nginx" },
	{ "/bin/pidof nginx", "process nginx" },
	{ "pgrep -x nginx", "process nginx" },
	{ "sh -c 'killall -0 nginx'", "process nginx" },
	{ "killall -9 nginx", NULL },
	{ "killall -0 nginx haproxy", NULL },
	{ "pidof -s nginx", NULL },
	{ "pgrep nginx", NULL }, /* a part of the name is enough for it */
	{ "ss -ltn | grep :8443", "port 8443" },
	{ "/bin/sh -c \"ss -ltn | grep -q ':8443 '\"", "port 8443" },
	{ "bash -c 'netstat -nlt | grep 80$'", "port 80" },
	{ "bash -c 'netstat -tnl | grep 0.0.0.0:80'", "port 80" },
	{ "ss -Hltn sport = :53", "port 53" },
	{ "lsof -i :25", "port 25" },
	{ "sh -c 'ss -ltn | wc -l'", NULL },
	{ "ss -ltn 80", NULL },
	{ "ss -ltn | grep :70000", NULL },
	{ "ss -ltn | grep nginx", NULL },
	{ "nc -z 10.0.0.1 25", "tcp 10.0.0.1:25" },
	{ "/bin/nc -w1 -vz ::1 25", "tcp [::1]:25" },
	{ "nc 10.0.0.1 25", NULL },
	{ "nc -z 25", NULL },
	{ "curl -fsS http://127.0.0.1/healthz", "http http://127.0.0.1/healthz" },
	{ "sh -c 'curl -k https://10.0.0.1:6443/ | grep ok'", "https https://10.0.0.1:6443/" },
	{ "wget -q --spider http://web/", "http http://web/" },
	{ "curl http://user:secret@web/", NULL },
	{ "curl http://a/ http://b/", NULL },
	{ "curl -V", NULL },
	{ "/etc/keepalived/check.sh 80", NULL },
	{ "sh", NULL },
	{ "sh -c", NULL },
	{ "", NULL },
	{ "ss a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 grep :80", NULL },
};

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *hint = hint_check(rows[i].command);

		if ((hint == NULL) != (rows[i].hint == NULL) ||
		    (hint != NULL && strcmp(hint, rows[i].hint) != 0))
			fail_msg("\"%s\": %s", rows[i].command, hint != NULL ? hint : "none");
		free(hint);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
