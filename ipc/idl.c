/*
 * idl.c - see idl.h: reading the text.  A recursive descent over the grammar of
 * UAPI.20; the first fault ends it.
 */
#include "ipc/idl.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const char *at;
	unsigned line;
	unsigned depth;
	bool requires_more; /* said in the comments passed since the last member */
	const char *what;   /* the first fault; NULL: none yet */
};

static bool
fault(struct cursor *c, const char *what)
{
	if (c->what == NULL)
		c->what = what;
	return false;
}

static bool
is_letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static bool
is_alnum(char ch)
{
	return is_letter(ch) || (ch >= '0' && ch <= '9');
}

static void
skip_comment(struct cursor *c)
{
	static const char mark[] = "[Requires 'more' flag]";
	size_t length = strcspn(c->at, "\n");

	if (memmem(c->at, length, mark, sizeof(mark) - 1) != NULL)
		c->requires_more = true;
	c->at += length;
}

/* White space and comments; true if a line ended in between (or the text did). */
static bool
skip_space(struct cursor *c)
{
	unsigned line = c->line;

	for (;; c->at++) {
		if (*c->at == '#')
			skip_comment(c);
		if (*c->at == '\n')
			c->line++;
		else if (*c->at != ' ' && *c->at != '\t' && *c->at != '\r')
			return c->line != line || *c->at == '\0';
	}
}

/* Skips space, then 'symbol' if it stands there. */
static bool
accept(struct cursor *c, const char *symbol)
{
	size_t length = strlen(symbol);

	skip_space(c);
	if (strncmp(c->at, symbol, length) != 0)
		return false;
	c->at += length;
	return true;
}

/* A word of the language, not merely the beginning of one. */
static bool
accept_word(struct cursor *c, const char *word)
{
	size_t length = strlen(word);

	skip_space(c);
	if (strncmp(c->at, word, length) != 0 || is_alnum(c->at[length]) || c->at[length] == '_')
		return false;
	c->at += length;
	return true;
}

/* ---- names ---- */

static char *
take_name(struct cursor *c, const char *end)
{
	char *name;

	if (end - c->at > IDL_NAME_MAX) {
		fault(c, "name too long");
		return NULL;
	}
	name = xstrndup(c->at, (size_t)(end - c->at));
	c->at = end;
	return name;
}

/* [A-Z][A-Za-z0-9]* */
static char *
member_name(struct cursor *c)
{
	const char *p;

	skip_space(c);
	p = c->at;
	if (*p < 'A' || *p > 'Z') {
		fault(c, "a name of a type, method or error begins with a capital letter");
		return NULL;
	}
	while (is_alnum(*p))
		p++;
	return take_name(c, p);
}

/* [A-Za-z](_?[A-Za-z0-9])* */
static char *
field_name(struct cursor *c)
{
	const char *p;

	skip_space(c);
	p = c->at;
	if (!is_letter(*p)) {
		fault(c, "a name of a field begins with a letter");
		return NULL;
	}
	while (is_alnum(*p) || (*p == '_' && is_alnum(p[1])))
		p++;
	return take_name(c, p);
}

/* One label: letters and digits, hyphens inside.  NULL: there is none. */
static const char *
label_end(const char *p)
{
	if (!is_alnum(*p))
		return NULL;
	for (;;) {
		const char *q = p;

		while (*q == '-')
			q++;
		if (!is_alnum(*q))
			return p;
		p = q + 1;
	}
}

/* [A-Za-z]([-]*[A-Za-z0-9])*(\.[A-Za-z0-9]([-]*[A-Za-z0-9])*)+ */
static char *
interface_name(struct cursor *c)
{
	const char *p;
	unsigned labels = 1;

	skip_space(c);
	p = is_letter(*c->at) ? label_end(c->at) : NULL;
	while (p != NULL && *p == '.') {
		p = label_end(p + 1);
		labels++;
	}
	if (p == NULL || labels < 2) {
		fault(c, "not the name of an interface");
		return NULL;
	}
	return take_name(c, p);
}

/* ---- types ---- */

static void
type_free(struct idl_type *type)
{
	if (type == NULL)
		return;
	for (size_t i = 0; i < type->n_fields; i++) {
		free(type->fields[i].name);
		type_free(type->fields[i].type);
	}
	free(type->fields);
	free(type->name);
	type_free(type->element);
	free(type);
}

static struct idl_type *
type_new(enum idl_kind kind)
{
	struct idl_type *type = xcalloc(1, sizeof(*type));

	type->kind = kind;
	return type;
}

static struct idl_type *parse_type(struct cursor *);

const struct idl_field *
idl_field(const struct idl_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

/* NAME, or NAME: type.  The first one decides which all are. */
static bool
parse_field(struct cursor *c, struct idl_type *type)
{
	char *name = field_name(c);
	struct idl_field *field;
	bool typed;

	if (name == NULL)
		return false;
	if (idl_field(type, name) != NULL) {
		free(name);
		return fault(c, "two fields of one name");
	}
	type->fields = xreallocarray(type->fields, type->n_fields + 1, sizeof(*type->fields));
	field = &type->fields[type->n_fields++];
	*field = (struct idl_field){ .name = name };
	typed = accept(c, ":");
	if (type->n_fields == 1)
		type->kind = typed ? IDL_STRUCT : IDL_ENUM;
	else if (typed != (type->kind == IDL_STRUCT))
		return fault(c, "fields with and without a type");
	if (!typed)
		return true;
	/* 'field' may move while the type is read: it is the last one all the same. */
	return (type->fields[type->n_fields - 1].type = parse_type(c)) != NULL;
}

/* After "(".  "()" is a struct without fields. */
static bool
parse_fields(struct cursor *c, struct idl_type *type)
{
	if (accept(c, ")"))
		return true;
	do {
		if (!parse_field(c, type))
			return false;
	} while (accept(c, ","));
	return accept(c, ")") || fault(c, "')' or ',' expected");
}

static struct idl_type *
parse_brackets(struct cursor *c)
{
	struct idl_type *type;

	if (!accept(c, "(")) {
		fault(c, "'(' expected");
		return NULL;
	}
	type = type_new(IDL_STRUCT);
	if (!parse_fields(c, type)) {
		type_free(type);
		return NULL;
	}
	return type;
}

static struct idl_type *
parse_container(struct cursor *c, enum idl_kind kind)
{
	struct idl_type *type = type_new(kind);

	type->element = parse_type(c);
	if (type->element != NULL)
		return type;
	type_free(type);
	return NULL;
}

static struct idl_type *
parse_word(struct cursor *c)
{
	static const struct {
		const char *word;
		enum idl_kind kind;
	} basic[] = {
		{ "bool", IDL_BOOL },
		{ "int", IDL_INT },
		{ "float", IDL_FLOAT },
		{ "string", IDL_STRING },
		{ "object", IDL_OBJECT },
		{ "any", IDL_ANY },
	};
	struct idl_type *type;
	char *name;

	for (size_t i = 0; i < ARRAY_LEN(basic); i++)
		if (accept_word(c, basic[i].word))
			return type_new(basic[i].kind);
	name = member_name(c);
	if (name == NULL) {
		c->what = "a type expected";
		return NULL;
	}
	type = type_new(IDL_NAMED);
	type->name = name;
	return type;
}

static struct idl_type *
parse_type(struct cursor *c)
{
	struct idl_type *type;
	bool nullable;

	if (c->depth >= IDL_DEPTH_MAX) {
		fault(c, "nested too deeply");
		return NULL;
	}
	c->depth++;
	nullable = accept(c, "?");
	skip_space(c);
	if (nullable && *c->at == '?') {
		fault(c, "'?' twice");
		return NULL;
	}
	if (*c->at == '(')
		type = parse_brackets(c);
	else if (accept(c, "[]"))
		type = parse_container(c, IDL_ARRAY);
	else if (accept(c, "[string]"))
		type = parse_container(c, IDL_MAP);
	else
		type = parse_word(c);
	c->depth--;
	if (type != NULL)
		type->nullable = nullable;
	return type;
}

/* ---- members ---- */

static void
member_done(struct idl_member *m)
{
	free(m->name);
	type_free(m->in);
	type_free(m->out);
}

void
idl_free(struct idl *idl)
{
	if (idl == NULL)
		return;
	for (size_t i = 0; i < idl->n_members; i++)
		member_done(&idl->members[i]);
	free(idl->members);
	free(idl->name);
	free(idl);
}

static bool
parse_struct(struct cursor *c, struct idl_type **ret)
{
	*ret = parse_brackets(c);
	if (*ret == NULL)
		return false;
	return (*ret)->kind == IDL_STRUCT || fault(c, "a struct expected, not an enum");
}

static bool
parse_body(struct cursor *c, struct idl_member *m)
{
	m->name = member_name(c);
	if (m->name == NULL)
		return false;
	switch (m->kind) {
	case IDL_MEMBER_TYPE:
		return (m->in = parse_brackets(c)) != NULL;
	case IDL_MEMBER_ERROR:
		return parse_struct(c, &m->in);
	case IDL_MEMBER_METHOD:
		return parse_struct(c, &m->in) && (accept(c, "->") || fault(c, "'->' expected")) &&
		       parse_struct(c, &m->out);
	}
	return false;
}

/* Types, methods and errors share one namespace. */
static bool
name_is_new(const struct idl *idl, const struct idl_member *m)
{
	for (size_t i = 0; i < idl->n_members; i++)
		if (&idl->members[i] != m && strcmp(idl->members[i].name, m->name) == 0)
			return false;
	return true;
}

static bool
parse_member(struct cursor *c, struct idl *idl)
{
	struct idl_member *m;
	enum idl_member_kind kind;

	if (accept_word(c, "type"))
		kind = IDL_MEMBER_TYPE;
	else if (accept_word(c, "method"))
		kind = IDL_MEMBER_METHOD;
	else if (accept_word(c, "error"))
		kind = IDL_MEMBER_ERROR;
	else
		return fault(c, "'type', 'method' or 'error' expected");

	idl->members = xreallocarray(idl->members, idl->n_members + 1, sizeof(*idl->members));
	m = &idl->members[idl->n_members];
	*m = (struct idl_member){ .kind = kind, .requires_more = c->requires_more };
	c->requires_more = false;
	if (!parse_body(c, m)) {
		member_done(m);
		return false;
	}
	idl->n_members++;
	if (!name_is_new(idl, m))
		return fault(c, "two members of one name");
	c->requires_more = false; /* comments inside a member are about its fields */
	return skip_space(c) || fault(c, "a line break expected");
}

/* Every name used as a type is declared. */
static bool
type_resolves(const struct idl *idl, const struct idl_type *type)
{
	if (type == NULL)
		return true;
	if (type->kind == IDL_NAMED)
		return idl_find(idl, IDL_MEMBER_TYPE, type->name) != NULL;
	for (size_t i = 0; i < type->n_fields; i++)
		if (!type_resolves(idl, type->fields[i].type))
			return false;
	return type_resolves(idl, type->element);
}

static bool
all_resolve(struct cursor *c, const struct idl *idl)
{
	for (size_t i = 0; i < idl->n_members; i++)
		if (!type_resolves(idl, idl->members[i].in) ||
		    !type_resolves(idl, idl->members[i].out))
			return fault(c, "a type that is not declared");
	return true;
}

static bool
parse_interface(struct cursor *c, struct idl *idl)
{
	if (!accept_word(c, "interface"))
		return fault(c, "'interface' expected");
	idl->name = interface_name(c);
	if (idl->name == NULL)
		return false;
	c->requires_more = false;
	if (!skip_space(c))
		return fault(c, "a line break expected");
	while (*c->at != '\0')
		if (!parse_member(c, idl))
			return false;
	return all_resolve(c, idl);
}

int
idl_parse(const char *text, struct idl **ret, struct idl_fault *ret_fault)
{
	struct cursor c = { .at = text, .line = 1 };
	struct idl *idl = xcalloc(1, sizeof(*idl));

	if (parse_interface(&c, idl)) {
		*ret = idl;
		return 0;
	}
	if (ret_fault != NULL)
		*ret_fault = (struct idl_fault){ c.line, c.what };
	idl_free(idl);
	return -EINVAL;
}

const struct idl_member *
idl_find(const struct idl *idl, enum idl_member_kind kind, const char *name)
{
	for (size_t i = 0; i < idl->n_members; i++)
		if (idl->members[i].kind == kind && strcmp(idl->members[i].name, name) == 0)
			return &idl->members[i];
	return NULL;
}
