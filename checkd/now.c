/*
 * now.c - see now.h.
 */
#include "checkd/now.h"

#include "ipc/varlink.h"

#include <errno.h>
#include <stdlib.h>

struct question {
	struct target_waiter waiter;
	struct target *target;
	struct ipc_call *call;
	const struct ipc_publisher *publisher;
	json_t *name; /* the configuration that said it may go before the answer */
};

static void
question_free(struct question *q)
{
	json_decref(q->name);
	free(q);
}

static json_t *
reply(const struct target *t, uint64_t sequence)
{
	const struct target_status *s = target_status(t);

	return json_pack("{sI ss ss sI}", "sequence", (json_int_t)sequence, "state",
	    check_state_str(s->state), "reason",
	    s->admin.mode == ADMIN_AUTO ? check_reason_str(s->verdict.reason)
					: admin_mode_str(s->admin.mode),
	    "durationUsec", (json_int_t)s->duration_us);
}

static void
on_verdict(struct target_waiter *w, const struct target *t)
{
	struct question *q = CONTAINER_OF(w, struct question, waiter);

	if (t != NULL)
		ipc_reply(q->call, reply(t, ipc_sequence(q->publisher)));
	else
		ipc_error(
		    q->call, "org.trivet.check.NoSuchCheck", json_pack("{sO}", "name", q->name));
	question_free(q);
}

static void
on_gone(void *aux)
{
	struct question *q = aux;

	target_forget(q->target, &q->waiter);
	question_free(q);
}

void
now_serve(struct ipc_call *call, struct target *t, const struct ipc_publisher *publisher)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->waiter.on_verdict = on_verdict;
	q->target = t;
	q->call = call;
	q->publisher = publisher;
	q->name = varlink_string(target_conf(t)->name);
	switch (target_ask(t, &q->waiter)) {
	case 0:
		ipc_call_watch(call, on_gone, NULL, q);
		return;
	case -EALREADY:
		ipc_reply(call, reply(t, ipc_sequence(publisher)));
		break;
	default:
		ipc_error(call, "org.trivet.check.CheckBusy", json_pack("{sO}", "name", q->name));
		break;
	}
	question_free(q);
}
