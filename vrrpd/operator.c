/*
 * operator.c - see operator.h.
 */
#include "vrrpd/operator.h"

#include "common/text.h"
#include "vrrpd/control.h"
#include "vrrpd/roster.h"

#include <stdlib.h>

#define HOLD_MAX_MS (366 * INT64_C(86400000)) /* longer is until further notice */

/* The instance that a call names; NULL: answered. */
static struct instance *
named(struct ipc_call *call, const json_t *parameters, struct vrrpd *v)
{
	const char *name = json_string_value(json_object_get(parameters, "name"));
	struct instance *in = roster_find(v, name);

	if (in == NULL) /* one half is enough: the other moves along */
		in = roster_next_half(v, name, NULL);
	if (in == NULL)
		ipc_error(call, "org.trivet.vrrp.control.NoSuchInstance",
		    json_pack("{s:s}", "name", name));
	return in;
}

/* holdMs in microseconds, 0 when absent.  False: answered. */
static bool
hold_of(struct ipc_call *call, const json_t *parameters, int64_t *ret_us)
{
	const json_t *ms = json_object_get(parameters, "holdMs");
	json_int_t value = json_integer_value(ms);

	if (json_is_integer(ms) && (value <= 0 || value > HOLD_MAX_MS)) {
		ipc_error_invalid(call, "holdMs");
		return false;
	}
	*ret_us = json_is_integer(ms) ? value * USEC_PER_MSEC : 0;
	return true;
}

static void
reply_sequence(struct ipc_call *call, const struct vrrpd *v)
{
	ipc_reply(call, json_pack("{s:I}", "sequence", (json_int_t)control_sequence(v->control)));
}

/* "uid 0, for 60 s", to be freed. */
static char *
words_of(const struct ipc_call *call, int64_t hold_us, bool force)
{
	struct text t = { 0 };

	text_addf(&t, "uid %u", (unsigned)ipc_call_peer(call)->uid);
	if (force)
		text_add(&t, ", forced");
	if (hold_us > 0)
		text_addf(&t, ", for %.4g s", (double)hold_us / USEC_PER_SEC);
	return text_take(&t);
}

/* A group moves when all its members do: so its members are adjusted alike. */
static void
adjust_group(struct vrrpd *v, struct instance *one, int delta, int64_t hold_us, const char *words)
{
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		if (in == one || (one->group != NULL && in->group == one->group))
			instance_adjust(in, delta, hold_us, words);
}

static void
adjust_priority(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct instance *in = named(call, parameters, aux);
	json_int_t delta = json_integer_value(json_object_get(parameters, "delta"));
	int64_t hold_us;
	char *words;

	if (in == NULL || !hold_of(call, parameters, &hold_us))
		return;
	if (delta < -RECORD_DELTA_MAX || delta > RECORD_DELTA_MAX) {
		ipc_error_invalid(call, "delta");
		return;
	}
	words = words_of(call, hold_us, false);
	adjust_group(aux, in, (int)delta, hold_us, words);
	free(words);
	reply_sequence(call, aux);
}

static void
release(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct instance *in = named(call, parameters, aux);
	bool force = json_is_true(json_object_get(parameters, "force"));
	int64_t hold_us;
	char *words;

	if (in == NULL || !hold_of(call, parameters, &hold_us))
		return;
	if (!force && in->state.role != VRRP_MASTER) {
		ipc_error(call, "org.trivet.vrrp.control.NotMaster",
		    json_pack("{s:s, s:s}", "name", in->name, "state",
			control_state_word(in->state.role)));
		return;
	}
	words = words_of(call, hold_us, force);
	instance_release(in, force, hold_us, words);
	free(words);
	reply_sequence(call, aux);
}

static void
resume(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct instance *in = named(call, parameters, aux);

	if (in == NULL)
		return;
	instance_resume(in);
	reply_sequence(call, aux);
}

void
operator_serve(struct vrrpd *v, struct ipc_server *server)
{
	static struct ipc_method methods[] = {
		{ .name = "org.trivet.vrrp.control.AdjustPriority", .handle = adjust_priority },
		{ .name = "org.trivet.vrrp.control.Release", .handle = release },
		{ .name = "org.trivet.vrrp.control.Resume", .handle = resume },
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		methods[i].aux = v;
	ipc_server_add(server, methods, ARRAY_LEN(methods));
}
