/*
 * varlink_fuzz.c - whatever a stranger sends: a call, a reply, an interface
 * text, and parameters against it.  The first byte says which.  Beyond not
 * crashing: what is accepted can be said again and means the same.
 */
#include "ipc/idl.h"
#include "ipc/varlink.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool true_one)
{
	if (!true_one)
		abort();
}

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
	default:
		break;
	}
	return 0;
}
