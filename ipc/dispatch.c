/*
 * dispatch.c - see dispatch.h.
 */
#include "ipc/dispatch.h"

#include "common/log.h"
#include "common/text.h"
#include "ipc/varlink.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct ipc_call {
	struct ipc_conn *conn; /* NULL: the caller has gone, the handler does not know yet */
	struct ipc_peer peer;
	const char *method; /* as it was added; NULL while nobody was found to handle it */
	bool control, more, oneway;
	void (*on_gone)(void *aux);
	void (*on_writable)(void *aux);
	void *aux;
};

/* Takes 'parameters'.  False: it would have been too large, which was said instead. */
static bool
send_reply(struct ipc_call *call, const char *error, json_t *parameters, bool continues)
{
	bool fits = true;
	size_t size;
	char *bytes;

	if (call->conn == NULL || call->oneway) {
		json_decref(parameters);
		return true;
	}
	bytes = varlink_reply_encode(error, parameters, continues, VARLINK_REPLY_MAX, &size);
	if (bytes == NULL) {
		fits = false;
		bytes = varlink_reply_encode("org.trivet.daemon.ReplyTooLarge",
		    json_pack("{s:i}", "limit", VARLINK_REPLY_MAX), false, VARLINK_REPLY_MAX,
		    &size);
	}
	ipc_conn_send(call->conn, bytes, size);
	return fits;
}

static void
log_control(const struct ipc_call *call, const char *result)
{
	if (call->control)
		log_notice("bus: %s by uid %u pid %d: %s", call->method, (unsigned)call->peer.uid,
		    (int)call->peer.pid, result);
}

/* The final reply; the call is no more. */
static void
finish(struct ipc_call *call, const char *error, json_t *parameters)
{
	struct ipc_conn *c = call->conn;

	log_control(call, error != NULL ? error : "done");
	send_reply(call, error, parameters, false);
	if (c != NULL)
		ipc_conn_call_ended(c);
	free(call);
}

void
ipc_reply(struct ipc_call *call, json_t *parameters)
{
	finish(call, NULL, parameters);
}

void
ipc_error(struct ipc_call *call, const char *error, json_t *parameters)
{
	finish(call, error, parameters);
}

void
ipc_error_invalid(struct ipc_call *call, const char *parameter)
{
	finish(call, "org.varlink.service.InvalidParameter",
	    json_pack("{s:s}", "parameter", parameter));
}

void
ipc_continue(struct ipc_call *call, json_t *parameters)
{
	assert(call->more);
	if (!send_reply(call, NULL, parameters, true))
		ipc_conn_doom(call->conn); /* an error is final, the handler does not know */
}

bool
ipc_call_more(const struct ipc_call *call)
{
	return call->more;
}

const struct ipc_peer *
ipc_call_peer(const struct ipc_call *call)
{
	return &call->peer;
}

bool
ipc_call_blocked(const struct ipc_call *call)
{
	return call->conn != NULL && ipc_conn_is_blocked(call->conn);
}

void
ipc_call_watch(
    struct ipc_call *call, void (*on_gone)(void *), void (*on_writable)(void *), void *aux)
{
	call->on_gone = on_gone;
	call->on_writable = on_writable;
	call->aux = aux;
}

/*
 * The caller has left.  A handler that asked to be told is told, and that ends
 * the call; one that did not will answer some day, into the void.
 */
void
ipc_call_abandon(struct ipc_call *call)
{
	call->conn = NULL;
	log_control(call, "the caller left before the answer");
	if (call->on_gone == NULL)
		return;
	call->on_gone(call->aux);
	free(call);
}

static void
deny(struct ipc_call *call)
{
	struct ipc_conn *c = call->conn;

	log_limited(&c->owner->complaints, loop_now(), LOG_WARNING,
	    "bus: %s denied to uid %u pid %d", call->method, (unsigned)c->peer.uid,
	    (int)c->peer.pid);
	call->control = false; /* said already */
	finish(call, "org.varlink.service.PermissionDenied", NULL);
}

/* Everything that is the same for all methods, then the handler. */
static void
dispatch(struct ipc_call *call, const struct varlink_call *message)
{
	const struct ipc_conn *c = call->conn;
	const struct ipc_entry *entry;
	const char *error, *at_fault;
	json_t *parameters;

	entry = ipc_interfaces_find(&c->owner->interfaces, message->method, &error, &parameters);
	if (entry == NULL) {
		finish(call, error, parameters);
		return;
	}
	call->method = entry->method->name;
	call->control = entry->iface->control;
	at_fault = idl_check(entry->iface->idl, entry->member->in, message->parameters);
	if (call->control && !c->may_control)
		deny(call);
	else if (message->upgrade)
		finish(call, "org.varlink.service.MethodNotImplemented",
		    json_pack("{s:s}", "method", call->method));
	else if (at_fault != NULL)
		ipc_error_invalid(call, at_fault);
	else if (entry->member->requires_more && !call->more)
		finish(call, "org.varlink.service.ExpectedMore", NULL);
	else
		entry->method->handle(call, message->parameters, entry->method->aux);
}

void
ipc_call_wake(struct ipc_call *call)
{
	if (call->on_writable != NULL)
		call->on_writable(call->aux);
}

int
ipc_dispatch(struct ipc_conn *c, const char *bytes, size_t size)
{
	struct varlink_call message;
	struct ipc_call *call;

	if (varlink_call_parse(bytes, size, &message) < 0)
		return -EBADMSG;
	call = xcalloc(1, sizeof(*call));
	*call = (struct ipc_call){
		.conn = c,
		.peer = c->peer,
		.more = message.more,
		.oneway = message.oneway,
	};
	c->call = call;
	dispatch(call, &message);
	varlink_call_done(&message);
	return 0;
}
