#include "common/message.h"
#include "tests/unit/test.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of this tree; the tests run at its root. */
static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(f);
	if (getdelim(&text, &size, '\0', f) < 0)
		fail_msg("%s is empty", path);
	fclose(f);
	return text;
}

static void
ids(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < message_n_kinds; i++) {
		const char *id = message_kinds[i].id;

		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(id, message_kinds[j].id);
	}
}

static void
by_fields(void **unused)
{
	const char *const master[] = { "from", "BACKUP", "to", "MASTER", NULL };
	const char *const check[] = { "check", "web", "state", "down", "before", "up", NULL };
	const char *const draining[] = { "server", "a:1", "state", "draining", NULL };
	const char *const resumed[] = { "resumed", "master", NULL };
	const char *const none[] = { NULL };

	(void)unused;
	assert_string_equal(message_id(master), message_kinds[0].id);
	assert_non_null(message_id(check));
	assert_string_not_equal(message_id(check), message_id(master));
	assert_non_null(message_id(resumed));  /* whatever its value */
	assert_non_null(message_id(draining)); /* neither up nor down */
	assert_string_not_equal(message_id(draining), message_id(check));
	assert_null(message_id(none));
	assert_null(message_id(NULL));
}

/* journalctl -x has a text for each, and none for what nobody sends. */
static void
catalog(void **unused)
{
	char *text = slurp("packaging/trivet.catalog"), head[3 + 32 + 1 + 1];
	size_t n = 0;

	(void)unused;
	for (size_t i = 0; i < message_n_kinds; i++) {
		snprintf(head, sizeof(head), "-- %s\n", message_kinds[i].id);
		if (strstr(text, head) == NULL)
			fail_msg("no text for \"%s\", %s", message_kinds[i].what, head);
	}
	for (const char *p = text; (p = strstr(p, "\n-- ")) != NULL; p++)
		n++;
	assert_int_equal(n, message_n_kinds);
	free(text);
}

/* ---- what the sources send ---- */

/* Where the expression at 'p' ends: at a comma or a bracket that is not within it. */
static const char *
expression_end(const char *p)
{
	int depth = 0;

	for (; *p != '\0'; p++)
		if (*p == '"')
			for (p++; *p != '"' && *p != '\0'; p++)
				p += *p == '\\';
		else if (strchr("({[", *p) != NULL)
			depth++;
		else if (strchr(")}]", *p) != NULL && depth-- == 0)
			return p;
		else if (*p == ',' && depth == 0)
			return p;
	return p;
}

static const char *
skip_space(const char *p)
{
	return p + strspn(p, " \t\n");
}

/* "\"key\"" or any other expression into 'buf'; "" for what is no literal.  Behind the comma. */
static const char *
next_word(const char *p, char buf[static 64])
{
	const char *end = expression_end(p = skip_space(p));

	buf[0] = '\0';
	if (p[0] == '"' && end[-1] == '"')
		snprintf(buf, 64, "%.*s", (int)(end - p - 2), p + 1);
	return *end == ',' ? end + 1 : end;
}

/* Has one of the pairs of the list behind 'p' a row?  A value known at run time only: by its key.
 */
static bool
has_row(const char *p)
{
	char key[64], value[64];

	while (*skip_space(p) != '}') {
		p = next_word(p, key);
		if (key[0] == '\0')
			return false; /* NULL, and nothing before it */
		p = next_word(p, value);
		for (size_t i = 0; i < message_n_kinds; i++)
			if (strcmp(message_kinds[i].key, key) == 0 &&
			    (message_kinds[i].value == NULL || value[0] == '\0' ||
				strcmp(message_kinds[i].value, value) == 0))
				return true;
	}
	return false;
}

/* The fields of the call at 'call': written there, or in the nearest array above. */
static const char *
fields_of(const char *text, const char *call)
{
	const char *p = strchr(call, '(') + 1, *list = NULL;

	for (int i = 0; i < 2; i++)
		p = expression_end(p) + 1;
	p = skip_space(p);
	if (strncmp(p, "(const char *const[])", 21) == 0)
		return strchr(p, '{') + 1;
	if (strncmp(p, "fields,", 7) != 0)
		return NULL;
	for (const char *q = text; (q = strstr(q, "fields[] = {")) != NULL && q < call; q++)
		list = strchr(q, '{') + 1;
	return list;
}

/* Whoever emits an event gives it an id: there is no other list of the events. */
static void
every_event(void **unused)
{
	glob_t files;
	size_t n = 0;

	(void)unused;
	assert_int_equal(glob("vrrpd/*.c", 0, NULL, &files), 0);
	assert_int_equal(glob("checkd/*.c", GLOB_APPEND, NULL, &files), 0);
	assert_int_equal(glob("proxyd/*.c", GLOB_APPEND, NULL, &files), 0);
	assert_int_equal(glob("common/*.c", GLOB_APPEND, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		char *text = slurp(files.gl_pathv[i]);

		for (const char *p = text; (p = strstr(p, "\tevent_emit(")) != NULL; p++, n++) {
			const char *fields = fields_of(text, p);

			if (fields == NULL || !has_row(fields))
				fail_msg("%s: an event without a MESSAGE_ID: %.120s",
				    files.gl_pathv[i], p + 1);
		}
		free(text);
	}
	globfree(&files);
	assert_true(n >= 25); /* else the calls are not found */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(by_fields),
		cmocka_unit_test(catalog),
		cmocka_unit_test(every_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
