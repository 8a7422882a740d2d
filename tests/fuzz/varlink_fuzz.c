/*
 * varlink_fuzz.c - whatever a stranger or a broken sibling sends: a call, a
 * reply, an interface text and parameters against it, the messages of a stream.
 * The first byte says which.  Beyond not crashing: what is accepted can be said
 * again and means the same; a consumer hears of no object twice going.
 */
#include "ipc/idl.h"
#include "ipc/mirror.h"
#include "ipc/varlink.h"

#include "tests/fuzz/fuzz.h"

static void
fuzz_call(const char *bytes, size_t size)
{
	struct varlink_call call, again;
	size_t said;
	char *text;

	if (varlink_call_parse(bytes, size, &call) < 0)
		return;
	must(call.method != NULL && json_is_object(call.parameters));
	text = varlink_call_encode(call.method, json_incref(call.parameters), call.more, &said);
	if (text != NULL) {
		must(varlink_call_parse(text, said - 1, &again) == 0);
		must(strcmp(again.method, call.method) == 0 && again.more == call.more);
		must(json_equal(again.parameters, call.parameters));
		varlink_call_done(&again);
		free(text);
	}
	varlink_call_done(&call);
}

static void
fuzz_reply(const char *bytes, size_t size)
{
	struct varlink_reply reply, again;
	size_t said;
	char *text;

	if (varlink_reply_parse(bytes, size, &reply) < 0)
		return;
	must(json_is_object(reply.parameters) && !(reply.error != NULL && reply.continues));
	text = varlink_reply_encode(
	    reply.error, json_incref(reply.parameters), reply.continues, VARLINK_REPLY_MAX, &said);
	if (text != NULL) {
		must(varlink_reply_parse(text, said - 1, &again) == 0);
		must(again.continues == reply.continues);
		must(json_equal(again.parameters, reply.parameters));
		varlink_reply_done(&again);
		free(text);
	}
	varlink_reply_done(&reply);
}

/* "INTERFACE TEXT" NUL "PARAMETERS" */
static void
fuzz_idl(const char *bytes, size_t size)
{
	char *text = strndup(bytes, size);
	size_t length = strlen(text);
	struct idl *idl = NULL;
	json_t *value = NULL;

	if (length < size)
		value = json_loadb(bytes + length + 1, size - length - 1, 0, NULL);
	if (idl_parse(text, &idl, NULL) == 0)
		for (size_t i = 0; i < idl->n_members && json_is_object(value); i++)
			if (idl->members[i].kind != IDL_MEMBER_TYPE)
				idl_check(idl, idl->members[i].in, value);
	idl_free(idl);
	json_decref(value);
	free(text);
}

/* What the consumer believes: a key is told to go only if it had come. */
static void
on_object(void *aux, const char *key, const json_t *object)
{
	json_t *known = aux;

	if (object == NULL)
		must(json_object_del(known, key) == 0);
	else
		must(json_object_set_new(known, key, json_true()) == 0);
}

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf;
	(void)size;
	return json_string_value(json_object_get(object, "name"));
}

/* Messages, a NUL after each; an empty one is a lost connection. */
static void
fuzz_stream(const char *bytes, size_t size)
{
	static const struct ipc_view_array arrays[] = { { "toys", name_of, "t/", on_object } };
	json_t *known = json_object();
	struct ipc_mirror *m = ipc_mirror_new(arrays, 1, known);
	struct varlink_reply reply;
	const char *end;

	while ((end = memchr(bytes, '\0', size)) != NULL) {
		size_t length = (size_t)(end - bytes);

		if (length == 0) {
			ipc_mirror_disconnected(m);
		} else if (varlink_reply_parse(bytes, length, &reply) == 0) {
			if (ipc_mirror_apply(m, reply.parameters) != NULL)
				ipc_mirror_disconnected(m);
			varlink_reply_done(&reply);
		}
		bytes += length + 1;
		size -= length + 1;
	}
	ipc_mirror_free(m);
	json_decref(known);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		fuzz_call(bytes, size - 1);
		break;
	case 'r':
		fuzz_reply(bytes, size - 1);
		break;
	case 'i':
		fuzz_idl(bytes, size - 1);
		break;
	case 's':
		fuzz_stream(bytes, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
