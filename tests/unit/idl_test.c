/*
 * idl_test.c - which interface texts are well-formed, and which values are what
 * they declare (UAPI.20; ipc.md 1.7).
 */
#include "ipc/idl.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define I "interface a.b\n"

static const struct {
	const char *what, *text;
	unsigned line; /* of the fault; 0: well-formed */
} texts[] = {
	{ "no members", "interface a.b\n", 0 },
	{ "no line break at the very end", "interface a.b", 0 },
	{ "comments everywhere",
	    "# one\n\n # two\ninterface a.b # three\n# four\ntype T ( # five\n a: int, # six\n"
	    " # seven\n b: string # eight\n) # nine\n# ten",
	    0 },
	{ "every type",
	    I "type T (a: bool, b: int, c: float, d: string, e: object, f: any, g: (x: int),\n"
	      " h: (one, two), i: T, j: []T, k: [string]int, l: ?T, m: ?[]T, n: ?[string]T,\n"
	      " o: [string](), p: [][]int, q: []?int)\n",
	    0 },
	{ "type before its use or after", I "method M(a: T) -> (b: ?T)\ntype T ()\n", 0 },
	{ "an enum as type", I "type T (one, two)\n", 0 },
	{ "an enum of one value", I "type T (one)\n", 0 },
	{ "method over lines", I "method M(\n  a: int\n) -> (\n  b: int\n)\n", 0 },
	{ "no space needed", I "method M()->()\nerror E()\n", 0 },
	{ "carriage returns", "interface a.b\r\nmethod M() -> ()\r\n", 0 },
	{ "hyphens and digits in the name", "interface a-b1.2c.d--e\n", 0 },
	{ "names that begin like a type", I "type Integer (a: int)\nmethod M(a: Integer) -> ()\n",
	    0 },
	{ "underscores in fields", I "type T (a_b1: int)\n", 0 },

	{ "empty", "", 1 },
	{ "no interface", "type T ()\n", 1 },
	{ "one label", "interface a\n", 1 },
	{ "label begins with a hyphen", "interface a.-b\n", 1 },
	{ "label ends with a hyphen", "interface a.b-\n", 1 },
	{ "name begins with a digit", "interface 1a.b\n", 1 },
	{ "empty label", "interface a..b\n", 1 },
	{ "ends with a dot", "interface a.b.\n", 1 },
	{ "two interfaces", I "interface c.d\n", 2 },
	{ "unknown member", I "property P ()\n", 2 },
	{ "member in lower case", I "method m() -> ()\n", 2 },
	{ "member with underscore", I "method M_n() -> ()\n", 2 },
	{ "two members on a line", I "error E () error F ()\n", 2 },
	{ "member on the interface's line", "interface a.b error E ()\n", 1 },
	{ "trailing comma", I "type T (a: int,)\n", 2 },
	{ "no comma", I "type T (a: int b: int)\n", 2 },
	{ "comma only", I "type T (,)\n", 2 },
	{ "not closed", I "type T (a: int\n", 3 },
	{ "field twice", I "type T (a: int,\n a: int)\n", 3 },
	{ "enum value twice", I "type T (a, a)\n", 2 },
	{ "enum and struct mixed", I "type T (a: int, b)\n", 2 },
	{ "struct and enum mixed", I "type T (a, b: int)\n", 2 },
	{ "field ends with underscore", I "type T (a_: int)\n", 2 },
	{ "field with two underscores", I "type T (a__b: int)\n", 2 },
	{ "field begins with underscore", I "type T (_a: int)\n", 2 },
	{ "field without type name", I "type T (a: )\n", 2 },
	{ "unknown basic type", I "type T (a: integer)\n", 2 },
	{ "undeclared type", I "method M(a: T) -> ()\n", 3 },
	{ "an error is no type", I "error E ()\nmethod M(a: E) -> ()\n", 4 },
	{ "null twice", I "type T (a: ??int)\n", 2 },
	{ "map of ints", I "type T (a: [int]int)\n", 2 },
	{ "a method without result", I "method M()\n", 3 },
	{ "a method with an enum", I "method M(a, b) -> ()\n", 2 },
	{ "an error with an enum", I "error E (a, b)\n", 2 },
	{ "an error without fields", I "error E\n", 3 },
	{ "type and method of one name", I "type T ()\nmethod T() -> ()\n", 3 },
	{ "method and error of one name", I "method T() -> ()\nerror T ()\n", 3 },
	{ "an alias is not a type", I "type T int\n", 2 },
};

static void
texts_are_read(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct idl_fault fault = { 0 };
		struct idl *idl = NULL;
		int error = idl_parse(texts[i].text, &idl, &fault);

		if ((error == 0) != (texts[i].line == 0))
			fail_msg("\"%s\": %s", texts[i].what, error == 0 ? "accepted" : fault.what);
		if (error != 0 && (error != -EINVAL || idl != NULL || fault.what == NULL))
			fail_msg("\"%s\": refused in a wrong way", texts[i].what);
		if (fault.line != texts[i].line)
			fail_msg("\"%s\": line %u (%s)", texts[i].what, fault.line, fault.what);
		idl_free(idl);
	}
}

static void
nesting_is_bounded(void **unused)
{
	char text[65536] = I "type T (a: ";
	struct idl_fault fault;
	struct idl *idl;

	(void)unused;
	for (size_t i = 0; i < 20000; i++)
		strcat(text + 2 * i, "[]"); /* from where it ended: strcat from the start is slow */
	strcat(text, "int)\n");
	assert_int_equal(idl_parse(text, &idl, &fault), -EINVAL);
	assert_string_equal(fault.what, "nested too deeply");
}

static const char interface_text[] =
    "interface a.b\n"
    "type Color (red, green)\n"
    "type Point (x: int, y: ?int)\n"
    "method M(b: ?bool, i: ?int, f: ?float, s: ?string, o: ?object, a: ?any, st: ?(x: int),\n"
    "  e: ?Color, p: ?Point, list: ?[]Point, map: ?[string]int, set: ?[string](),\n"
    "  holes: ?[]?int) -> ()\n"
    "# Talks.\n"
    "# [Requires 'more' flag]\n"
    "method Needs(i: int, s: ?string) -> ()\n"
    "# [Supports 'more' flag]\n"
    "method Plain() -> ()\n";

static const struct {
	const char *what, *method, *json, *at_fault; /* NULL: as declared */
} values[] = {
	{ "nothing", "M", "{}", NULL },
	{ "null is absent", "M", "{\"b\":null,\"list\":null,\"p\":null,\"e\":null}", NULL },
	{ "bool", "M", "{\"b\":true}", NULL },
	{ "bool as int", "M", "{\"b\":1}", "b" },
	{ "int", "M", "{\"i\":-1}", NULL },
	{ "int with a fraction", "M", "{\"i\":1.0}", "i" },
	{ "int with an exponent", "M", "{\"i\":1e3}", "i" },
	{ "int as string", "M", "{\"i\":\"1\"}", "i" },
	{ "int as bool", "M", "{\"i\":true}", "i" },
	{ "float", "M", "{\"f\":1.5}", NULL },
	{ "float without fraction", "M", "{\"f\":1}", NULL },
	{ "float as string", "M", "{\"f\":\"1\"}", "f" },
	{ "string", "M", "{\"s\":\"\"}", NULL },
	{ "string as number", "M", "{\"s\":1}", "s" },
	{ "object", "M", "{\"o\":{\"any\":[1]}}", NULL },
	{ "object as array", "M", "{\"o\":[]}", "o" },
	{ "any number", "M", "{\"a\":1}", NULL },
	{ "any array", "M", "{\"a\":[{}]}", NULL },
	{ "struct", "M", "{\"st\":{\"x\":1}}", NULL },
	{ "struct without a member", "M", "{\"st\":{}}", "st" },
	{ "struct with one too many", "M", "{\"st\":{\"x\":1,\"z\":1}}", "st" },
	{ "enum", "M", "{\"e\":\"green\"}", NULL },
	{ "enum of another value", "M", "{\"e\":\"blue\"}", "e" },
	{ "enum as number", "M", "{\"e\":1}", "e" },
	{ "named", "M", "{\"p\":{\"x\":1,\"y\":null}}", NULL },
	{ "named, wrong inside", "M", "{\"p\":{\"x\":1,\"y\":\"\"}}", "p" },
	{ "array", "M", "{\"list\":[{\"x\":1},{\"x\":2}]}", NULL },
	{ "empty array", "M", "{\"list\":[]}", NULL },
	{ "array with a bad one", "M", "{\"list\":[{\"x\":1},7]}", "list" },
	{ "array with null", "M", "{\"list\":[null]}", "list" },
	{ "array as object", "M", "{\"list\":{}}", "list" },
	{ "array of nullables", "M", "{\"holes\":[1,null]}", NULL },
	{ "map", "M", "{\"map\":{\"any key\":1}}", NULL },
	{ "map with a bad value", "M", "{\"map\":{\"k\":\"v\"}}", "map" },
	{ "map as array", "M", "{\"map\":[1]}", "map" },
	{ "set", "M", "{\"set\":{\"k\":{}}}", NULL },
	{ "set with a value", "M", "{\"set\":{\"k\":{\"v\":1}}}", "set" },
	{ "undeclared", "M", "{\"i\":1,\"zzz\":1}", "zzz" },
	{ "undeclared, null", "M", "{\"zzz\":null}", "zzz" },
	{ "case matters", "M", "{\"I\":1}", "I" },
	{ "required, there", "Needs", "{\"i\":1}", NULL },
	{ "required, missing", "Needs", "{}", "i" },
	{ "required, null", "Needs", "{\"i\":null}", "i" },
	{ "anything where nothing is declared", "Plain", "{\"i\":1}", "i" },
};

static struct idl *
parse_interface(void)
{
	struct idl_fault fault;
	struct idl *idl;

	if (idl_parse(interface_text, &idl, &fault) < 0)
		fail_msg("line %u: %s", fault.line, fault.what);
	return idl;
}

static void
values_are_checked(void **unused)
{
	struct idl *idl = parse_interface();

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct idl_member *m = idl_find(idl, IDL_MEMBER_METHOD, values[i].method);
		json_t *json = json_loads(values[i].json, 0, NULL);
		const char *got = idl_check(idl, m->in, json), *wanted = values[i].at_fault;

		if ((got == NULL) != (wanted == NULL) || (got != NULL && strcmp(got, wanted) != 0))
			fail_msg("\"%s\": %s", values[i].what, got != NULL ? got : "accepted");
		json_decref(json);
	}
	idl_free(idl);
}

static void
members_are_found(void **unused)
{
	struct idl *idl = parse_interface();

	(void)unused;
	assert_string_equal(idl->name, "a.b");
	assert_non_null(idl_find(idl, IDL_MEMBER_TYPE, "Point"));
	assert_null(idl_find(idl, IDL_MEMBER_METHOD, "Point"));
	assert_null(idl_find(idl, IDL_MEMBER_ERROR, "Nowhere"));
	assert_false(idl_find(idl, IDL_MEMBER_METHOD, "M")->requires_more);
	assert_true(idl_find(idl, IDL_MEMBER_METHOD, "Needs")->requires_more);
	assert_false(idl_find(idl, IDL_MEMBER_METHOD, "Plain")->requires_more);
	idl_free(idl);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(members_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
