/*
 * mirror_test.c - what a consumer is told of its peer's objects, message by
 * message (ipc.md 3): a script of messages, and what came out of it.
 */
#include "ipc/mirror.h"

#include "common/text.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static struct text told; /* "a+1 b- ..." */

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf;
	(void)size;
	return json_string_value(json_object_get(object, "n"));
}

static const char *
composed_of(const json_t *object, char *buf, size_t size)
{
	const char *u = json_string_value(json_object_get(object, "u"));
	const char *n = json_string_value(json_object_get(object, "n"));

	if (u == NULL || n == NULL || strlen(u) + strlen(n) + 2 > size)
		return NULL;
	return strcat(strcat(strcpy(buf, u), "/"), n);
}

static void
tell(const char *kind, const char *key, const json_t *object)
{
	text_addf(&told, "%s%s", told.length > 0 ? " " : "", kind);
	if (object == NULL)
		text_addf(&told, "%s-", key);
	else
		text_addf(
		    &told, "%s+%d", key, (int)json_integer_value(json_object_get(object, "v")));
}

static void
on_plain(void *aux, const char *key, const json_t *object)
{
	(void)aux;
	tell("", key, object);
}

static void
on_server(void *aux, const char *key, const json_t *object)
{
	(void)aux;
	tell("server:", key, object);
}

static const struct ipc_view_array arrays[] = {
	{ "plain", name_of, "plain/", on_plain },
	{ "servers", composed_of, "server/", on_server },
};

#define AT(s)	"'epoch':'e','sequence':" #s
#define SNAP(s) "{'kind':'snapshot'," AT(s) ",'complete':true"
#define PART(s) "{'kind':'snapshot'," AT(s) ",'complete':false"
#define UPD(s)	"{'kind':'update'," AT(s)
#define CUT	"cut" /* the connection is lost */

static const struct {
	const char *what;
	const char *messages[6];
	const char *told;
	const char *nonsense; /* of the last message; NULL: fine */
} rows[] = {
	{ "a snapshot", { SNAP(3) ",'plain':[{'n':'a','v':1},{'n':'b','v':2}]}" }, "a+1 b+2",
	    NULL },
	{ "an empty one", { SNAP(0) "}" }, "", NULL },
	{ "parts tell nothing until complete", { PART(0) ",'plain':[{'n':'a','v':1}]}" }, "",
	    NULL },
	{ "parts together",
	    { PART(0) ",'plain':[{'n':'a','v':1}]}", PART(0) ",'plain':[{'n':'b','v':1}]}",
		SNAP(2) ",'plain':[{'n':'a','v':2}]}" },
	    "a+2 b+1", NULL },
	{ "removed between parts",
	    { PART(0) ",'plain':[{'n':'a','v':1},{'n':'b','v':1}]}",
		SNAP(2) ",'removed':['plain/a']}" },
	    "b+1", NULL },
	{ "an update", { SNAP(1) "}", UPD(2) ",'plain':[{'n':'a','v':7}]}" }, "a+7", NULL },
	{ "the same again is no news",
	    { SNAP(1) ",'plain':[{'n':'a','v':7}]}", UPD(2) ",'plain':[{'n':'a','v':7}]}" }, "a+7",
	    NULL },
	{ "removed", { SNAP(1) ",'plain':[{'n':'a','v':7}]}", UPD(2) ",'removed':['plain/a']}" },
	    "a+7 a-", NULL },
	{ "removed, never known", { SNAP(1) "}", UPD(2) ",'removed':['plain/a','other/a']}" }, "",
	    NULL },
	{ "removed of one array only",
	    { SNAP(1) ",'plain':[{'n':'x','v':1}],'servers':[{'u':'w','n':'x','v':1}]}",
		UPD(2) ",'removed':['server/w/x']}" },
	    "x+1 server:w/x+1 server:w/x-", NULL },
	{ "null arrays", { SNAP(1) ",'plain':null,'removed':null}" }, "", NULL },
	{ "without a key: not for us", { SNAP(1) ",'plain':[{'v':1}],'servers':[{'n':'x'}]}" }, "",
	    NULL },
	{ "kept while away", { SNAP(1) ",'plain':[{'n':'a','v':1}]}", CUT }, "a+1", NULL },
	{ "kept while a new snapshot is incomplete",
	    { SNAP(1) ",'plain':[{'n':'a','v':1}]}", CUT, PART(0) ",'plain':[]}" }, "a+1", NULL },
	{ "half a snapshot is forgotten with its connection",
	    { PART(0) ",'plain':[{'n':'a','v':1}]}", CUT, SNAP(1) "}" }, "", NULL },
	{ "replaced whole: what is there first, then what is gone",
	    { SNAP(9) ",'plain':[{'n':'a','v':1},{'n':'b','v':1},{'n':'c','v':1}]}", CUT,
		SNAP(0) ",'plain':[{'n':'b','v':1},{'n':'c','v':2},{'n':'d','v':1}]}" },
	    "a+1 b+1 c+1 c+2 d+1 a-", NULL },
	{ "a successor counts from its own beginning",
	    { SNAP(9) "}", CUT, "{'kind':'heartbeat','epoch':'f','sequence':0}" }, "", NULL },
	{ "sequence may jump", { SNAP(1) "}", UPD(100) "}" }, "", NULL },
	{ "what a newer one says", { SNAP(1) "}", "{'kind':'song'," AT(1) "}" }, "", NULL },

	{ "update before the snapshot", { UPD(1) "}" }, "", "an update before the snapshot" },
	{ "update before the new snapshot", { SNAP(1) "}", CUT, UPD(1) "}" }, "",
	    "an update before the snapshot" },
	{ "backwards", { SNAP(5) "}", UPD(4) "}" }, "", "its sequence runs backwards" },
	{ "another epoch", { SNAP(5) "}", "{'kind':'heartbeat','epoch':'f','sequence':5}" }, "",
	    "its epoch changed within a connection" },
	{ "no kind", { "{" AT(1) "}" }, "", "a message without kind" },
	{ "no epoch", { "{'kind':'heartbeat','sequence':1}" }, "",
	    "a message without epoch and sequence" },
	{ "sequence a string", { "{'kind':'heartbeat','epoch':'e','sequence':'1'}" }, "",
	    "a message without epoch and sequence" },
	{ "no array", { SNAP(1) ",'plain':{}}" }, "", "an array of objects expected" },
	{ "no object", { SNAP(1) ",'plain':[1]}" }, "", "an object expected" },
	{ "removed no array", { SNAP(1) ",'removed':'a'}" }, "", "an array of keys expected" },
	{ "removed no key", { SNAP(1) ",'removed':[1]}" }, "", "a key expected" },
};

/* 'like':'this', so that rows can be read. */
static json_t *
parse(const char *quoted)
{
	char *text = xstrdup(quoted);
	json_t *json;

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	json = json_loads(text, 0, NULL);
	if (json == NULL)
		fail_msg("the test's own mistake: %s", quoted);
	free(text);
	return json;
}

/* What makes the last message nonsense, or NULL. */
static const char *
play(struct ipc_mirror *m, const char *const *messages, size_t n)
{
	const char *nonsense = NULL;

	for (size_t i = 0; i < n && messages[i] != NULL; i++) {
		json_t *message;

		assert_null(nonsense); /* only the last one may be */
		if (strcmp(messages[i], CUT) == 0) {
			ipc_mirror_disconnected(m);
			assert_false(ipc_mirror_is_complete(m));
			continue;
		}
		message = parse(messages[i]);
		nonsense = ipc_mirror_apply(m, message);
		json_decref(message);
	}
	return nonsense;
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipc_mirror *m = ipc_mirror_new(arrays, ARRAY_LEN(arrays), NULL);
		const char *nonsense = play(m, rows[i].messages, ARRAY_LEN(rows[i].messages));

		if (strcmp(text_str(&told), rows[i].told) != 0)
			fail_msg("\"%s\": told \"%s\"", rows[i].what, text_str(&told));
		if ((nonsense == NULL) != (rows[i].nonsense == NULL) ||
		    (nonsense != NULL && strcmp(nonsense, rows[i].nonsense) != 0))
			fail_msg("\"%s\": %s", rows[i].what, nonsense != NULL ? nonsense : "fine");
		text_done(&told);
		ipc_mirror_free(m);
	}
}

static void
objects_are_bounded(void **unused)
{
	struct ipc_mirror *m = ipc_mirror_new(arrays, ARRAY_LEN(arrays), NULL);
	json_t *message = parse(SNAP(1) ",'plain':[]}"), *array = json_object_get(message, "plain");

	(void)unused;
	for (int i = 0; i < 65537; i++) {
		char *name = xasprintf("n%d", i);

		json_array_append_new(array, json_pack("{s:s}", "n", name));
		free(name);
	}
	assert_string_equal(ipc_mirror_apply(m, message), "too many objects");
	assert_int_equal(told.length, 0);
	json_decref(message);
	ipc_mirror_free(m);
}

static void
position_is_described(void **unused)
{
	struct ipc_mirror *m = ipc_mirror_new(arrays, ARRAY_LEN(arrays), NULL);
	json_t *link = json_object(), *message = parse(SNAP(7) "}");

	(void)unused;
	ipc_mirror_describe(m, link);
	assert_true(json_is_null(json_object_get(link, "epoch")));
	assert_null(ipc_mirror_apply(m, message));
	assert_true(ipc_mirror_is_complete(m));
	ipc_mirror_describe(m, link);
	assert_string_equal(json_string_value(json_object_get(link, "epoch")), "e");
	assert_int_equal(json_integer_value(json_object_get(link, "sequence")), 7);
	json_decref(link);
	json_decref(message);
	ipc_mirror_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(objects_are_bounded),
		cmocka_unit_test(position_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
