/*
 * varlink.c - see varlink.h.  Strict where the specification is (UAPI.20): a
 * message that no reply is defined for is refused whole.
 */
#include "ipc/varlink.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * How deep brackets nest, strings skipped; unbalanced text is the parser's to
 * refuse.  Counted before parsing, because jansson recurses and its own limit
 * (2048) is a stack that a stranger would choose.
 */
static bool
too_deep(const char *bytes, size_t size)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		char c = bytes[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > VARLINK_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

/* The object a message consists of, or NULL. */
static json_t *
load_object(const char *bytes, size_t size)
{
	json_t *root;

	if (too_deep(bytes, size))
		return NULL;
	root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		return NULL;
	}
	return root;
}

/* absent = null = {}.  A new reference. */
static json_t *
parameters_of(json_t *root)
{
	json_t *value = json_object_get(root, "parameters");

	return json_is_object(value) ? json_incref(value) : json_object();
}

/* Keys with a dot are vendor extensions, to be ignored. */
static bool
is_vendor_key(const char *key)
{
	return strchr(key, '.') != NULL;
}

static bool
take_flag(const json_t *value, bool *ret)
{
	*ret = json_is_true(value);
	return json_is_boolean(value);
}

static bool
read_call(json_t *root, struct varlink_call *call, const char **ret_method)
{
	const char *key, *method = NULL;
	json_t *value;

	json_object_foreach (root, key, value) {
		bool ok = true;

		if (strcmp(key, "method") == 0)
			ok = (method = json_string_value(value)) != NULL;
		else if (strcmp(key, "parameters") == 0)
			ok = json_is_object(value) || json_is_null(value);
		else if (strcmp(key, "more") == 0)
			ok = take_flag(value, &call->more);
		else if (strcmp(key, "oneway") == 0)
			ok = take_flag(value, &call->oneway);
		else if (strcmp(key, "upgrade") == 0)
			ok = take_flag(value, &call->upgrade);
		else
			ok = is_vendor_key(key);
		if (!ok)
			return false;
	}
	*ret_method = method;
	return method != NULL && call->more + call->oneway + call->upgrade <= 1;
}

int
varlink_call_parse(const char *bytes, size_t size, struct varlink_call *ret)
{
	struct varlink_call call = { 0 };
	json_t *root = load_object(bytes, size);
	const char *method;

	if (root == NULL)
		return -EBADMSG;
	if (!read_call(root, &call, &method)) {
		json_decref(root);
		return -EBADMSG;
	}
	call.parameters = parameters_of(root);
	call.method = xstrdup(method);
	json_decref(root);
	*ret = call;
	return 0;
}

static bool
read_reply(json_t *root, struct varlink_reply *reply, const char **ret_error)
{
	const char *key, *error = NULL;
	json_t *value;

	json_object_foreach (root, key, value) {
		bool ok = true;

		if (strcmp(key, "parameters") == 0)
			ok = json_is_object(value) || json_is_null(value);
		else if (strcmp(key, "error") == 0)
			ok = (error = json_string_value(value)) != NULL;
		else if (strcmp(key, "continues") == 0)
			ok = take_flag(value, &reply->continues);
		else
			ok = is_vendor_key(key);
		if (!ok)
			return false;
	}
	*ret_error = error;
	return error == NULL || !reply->continues; /* an error is final */
}

int
varlink_reply_parse(const char *bytes, size_t size, struct varlink_reply *ret)
{
	struct varlink_reply reply = { 0 };
	json_t *root = load_object(bytes, size);
	const char *error;

	if (root == NULL)
		return -EBADMSG;
	if (!read_reply(root, &reply, &error)) {
		json_decref(root);
		return -EBADMSG;
	}
	reply.parameters = parameters_of(root);
	reply.error = error != NULL ? xstrdup(error) : NULL;
	json_decref(root);
	*ret = reply;
	return 0;
}

void
varlink_call_done(struct varlink_call *call)
{
	free(call->method);
	json_decref(call->parameters);
	*call = (struct varlink_call){ 0 };
}

void
varlink_reply_done(struct varlink_reply *reply)
{
	free(reply->error);
	json_decref(reply->parameters);
	*reply = (struct varlink_reply){ 0 };
}

struct bounded {
	struct text text;
	size_t max;
};

static int
add_bounded(const char *bytes, size_t size, void *aux)
{
	struct bounded *out = aux;

	if (size > out->max - out->text.length)
		return -1;
	text_add_n(&out->text, bytes, size);
	return 0;
}

/* Takes 'root'.  The text counts its terminating NUL, which is the message's. */
static char *
encode(json_t *root, size_t max, size_t *ret_size)
{
	struct bounded out = { .max = max };
	int failed;

	failed = json_dump_callback(root, add_bounded, &out, JSON_COMPACT);
	json_decref(root);
	*ret_size = 0;
	if (failed != 0 || out.text.length == 0) {
		text_done(&out.text);
		return NULL;
	}
	*ret_size = out.text.length + 1;
	return text_take(&out.text);
}

char *
varlink_call_encode(const char *method, json_t *parameters, bool more, size_t *ret_size)
{
	json_t *root = json_object();

	json_object_set_new(root, "method", json_string(method));
	json_object_set_new(root, "parameters", parameters != NULL ? parameters : json_object());
	if (more)
		json_object_set_new(root, "more", json_true());
	return encode(root, VARLINK_CALL_MAX, ret_size);
}

/* Nothing but these three keys, ever; "parameters" always (ipc.md 1.3). */
char *
varlink_reply_encode(
    const char *error, json_t *parameters, bool continues, size_t max, size_t *ret_size)
{
	json_t *root = json_object();

	if (error != NULL)
		json_object_set_new(root, "error", json_string(error));
	json_object_set_new(root, "parameters", parameters != NULL ? parameters : json_object());
	if (continues && error == NULL)
		json_object_set_new(root, "continues", json_true());
	return encode(root, max, ret_size);
}

json_t *
varlink_string(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : json_null();
	char *copy;

	if (string != NULL)
		return string;
	copy = xstrdup(text);
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	string = json_string(copy);
	free(copy);
	return string;
}
