/*
 * idl.h - the Varlink interface definition language: reads a .varlink text and
 * says whether parameters are what it declares.  Pure.
 *
 * Every type of UAPI.20 is understood; what ipc/model may use of it is a
 * smaller set (ipc.md 1.7), because not every parser in the field knows all.
 */
#ifndef IPC_IDL_H
#define IPC_IDL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define IDL_DEPTH_MAX 16 /* brackets, arrays and maps in one type */
#define IDL_NAME_MAX  255

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_OBJECT, /* any JSON object */
	IDL_ANY,
	IDL_STRUCT, /* fields */
	IDL_ENUM,   /* fields: only their names */
	IDL_NAMED,  /* name: a type of the same interface */
	IDL_ARRAY,  /* element */
	IDL_MAP,    /* element; keys are strings */
};

struct idl_field;

struct idl_type {
	enum idl_kind kind;
	bool nullable;
	char *name;
	struct idl_type *element;
	struct idl_field *fields;
	size_t n_fields;
};

struct idl_field {
	char *name;
	struct idl_type *type; /* NULL for the values of an enum */
};

enum idl_member_kind { IDL_MEMBER_TYPE, IDL_MEMBER_METHOD, IDL_MEMBER_ERROR };

struct idl_member {
	enum idl_member_kind kind;
	char *name;
	struct idl_type *in;  /* of a type or an error: itself */
	struct idl_type *out; /* of a method: its reply */
	bool requires_more;   /* "[Requires 'more' flag]" stands in its comment */
};

struct idl {
	char *name; /* "org.trivet.check" */
	struct idl_member *members;
	size_t n_members;
};

struct idl_fault {
	unsigned line; /* from 1 */
	const char *what;
};

/* 0, or -EINVAL with where and why in *fault (may be NULL).  *ret is untouched on failure. */
int idl_parse(const char *text, struct idl **ret, struct idl_fault *fault);
void idl_free(struct idl *);

/* By name; NULL: none. */
const struct idl_member *idl_find(const struct idl *, enum idl_member_kind, const char *name);

/* A field of a struct, or a value of an enum, by name; NULL: none. */
const struct idl_field *idl_field(const struct idl_type *, const char *name);

/*
 * Is 'parameters' what the struct 'type' (in or out of a member) declares?
 * NULL if so, else the name of the first parameter at fault: undeclared,
 * ill-typed or missing.  The name belongs to one of the arguments.
 */
const char *idl_check(const struct idl *, const struct idl_type *type, const json_t *parameters);

#endif
