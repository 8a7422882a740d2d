/*
 * operator.c - see operator.h.
 */
#include "checkd/operator.h"

#include "common/loop.h"

#include <stdio.h>
#include <string.h>

/* NULL, or the parameter that is not good. */
static const char *
read_admin(const json_t *parameters, struct admin *ret)
{
	const char *mode = json_string_value(json_object_get(parameters, "administrative"));
	const char *comment = json_string_value(json_object_get(parameters, "comment"));
	const json_t *hold = json_object_get(parameters, "holdMs");
	struct admin a = { .until = MONO_NEVER };

	if (admin_mode_parse(mode, &a.mode) < 0)
		return "administrative";
	if (json_is_integer(hold)) {
		json_int_t ms = json_integer_value(hold);

		if (ms < 1 || ms > ADMIN_HOLD_MAX_MS)
			return "holdMs";
		a.until = mono_add(loop_now(), ms * USEC_PER_MSEC);
	}
	if (comment != NULL && strlen(comment) >= sizeof(a.comment))
		return "comment";
	snprintf(a.comment, sizeof(a.comment), "%s", comment != NULL ? comment : "");
	*ret = a;
	return NULL;
}

void
operator_serve(struct ipc_call *call, const json_t *parameters, struct target *t,
    const struct ipc_publisher *publisher)
{
	const struct ipc_peer *peer = ipc_call_peer(call);
	struct admin admin;
	const char *at_fault = read_admin(parameters, &admin);
	char who[64];

	if (at_fault != NULL) {
		ipc_error_invalid(call, at_fault);
		return;
	}
	snprintf(who, sizeof(who), "by uid %u pid %d", (unsigned)peer->uid, (int)peer->pid);
	target_set_admin(t, &admin, who);
	ipc_reply(call, json_pack("{sI}", "sequence", (json_int_t)ipc_sequence(publisher)));
}
