/*
 * flow.c - see flow.h.
 */
#include "proxyd/flow.h"

#define BIT(side) (1U << (side))
#define BOTH	  (BIT(FLOW_CLIENT) | BIT(FLOW_SERVER))

const char *
flow_phase_str(enum flow_phase phase)
{
	static const char *const names[] = {
		[FLOW_GREETING] = "greeting",
		[FLOW_CONNECTING] = "connecting",
		[FLOW_OPEN] = "open",
		[FLOW_DONE] = "closed",
	};

	return names[phase];
}

const char *
flow_reason_str(enum flow_reason reason)
{
	static const char *const names[FLOW_REASON_MAX] = {
		[FLOW_REASON_NONE] = "none",
		[FLOW_CLIENT_FIN] = "client fin",
		[FLOW_SERVER_FIN] = "server fin",
		[FLOW_CLIENT_RST] = "client rst",
		[FLOW_SERVER_RST] = "server rst",
		[FLOW_IDLE] = "idle",
		[FLOW_CONNECT_FAILED] = "connect failed",
		[FLOW_CONNECT_TIMEOUT] = "connect timeout",
		[FLOW_NO_SERVER] = "no server",
		[FLOW_RESOURCES] = "resources",
		[FLOW_ADMINISTRATOR] = "administrator",
		[FLOW_SHUTDOWN] = "shutdown",
		[FLOW_COMPLETE] = "complete",
		[FLOW_SERVER_DOWN] = "server down",
		[FLOW_ADDRESS_LOST] = "address lost",
		[FLOW_HALF_CLOSED] = "half-closed timeout",
		[FLOW_CLIENT_GONE] = "client gone",
		[FLOW_SERVER_GONE] = "server gone",
		[FLOW_AGE] = "age",
		[FLOW_DRAIN] = "drain",
		[FLOW_HANDOVER] = "handover failed",
		[FLOW_DENIED] = "denied",
		[FLOW_LIMIT] = "limit",
		[FLOW_BAD_HEADER] = "bad header",
		[FLOW_GREETING_TIMEOUT] = "greeting timeout",
		[FLOW_PREREAD_FULL] = "preread full",
		[FLOW_ANSWERED] = "answered",
	};

	return names[reason];
}

void
flow_init(struct flow *f, bool half_close)
{
	*f = (struct flow){ .phase = FLOW_CONNECTING, .half_close = half_close };
	f->half[FLOW_CLIENT].can_write = true;
}

/* The only way to DONE. */
static unsigned
finish(struct flow *f, enum flow_reason reason, unsigned reset_sides)
{
	f->phase = FLOW_DONE;
	f->reason = (uint8_t)reason;
	f->reset_sides = (uint8_t)reset_sides;
	return FLOW_CLOSE;
}

/* The server's connection is of no use; nothing but our own preface was said on it. */
static unsigned
next_server(struct flow *f, enum flow_reason failure)
{
	f->pending[FLOW_CLIENT] = f->preface = 0;
	f->phase = FLOW_CONNECTING;
	f->failure = (uint8_t)failure;
	f->half[FLOW_SERVER] = (struct flow_half){ 0 };
	return FLOW_BLAME | FLOW_NEXT;
}

static unsigned
reset(struct flow *f, enum flow_side side)
{
	if (side == FLOW_CLIENT)
		return finish(f, FLOW_CLIENT_RST, BOTH);
	if (!f->server_spoke && !f->client_passed && f->pending[FLOW_CLIENT] == f->preface &&
	    !f->half[FLOW_SERVER].eof && !f->half[FLOW_SERVER].fin_sent)
		return next_server(f, FLOW_SERVER_RST);
	return finish(f, FLOW_SERVER_RST, BOTH) | (f->server_spoke ? 0 : FLOW_BLAME);
}

/* The peer sent no reset: it is out of reach.  There is nobody to tell but the other side. */
static unsigned
gone(struct flow *f, enum flow_side side)
{
	unsigned actions = reset(f, side);

	if (f->phase == FLOW_DONE)
		f->reason = side == FLOW_CLIENT ? FLOW_CLIENT_GONE : FLOW_SERVER_GONE;
	return actions;
}

/* Everything that came from 'side' before its FIN has gone to the other. */
static bool
delivered(const struct flow *f, enum flow_side side)
{
	return f->half[side].eof && f->pending[side] == 0;
}

static enum flow_reason
fin_reason(const struct flow *f)
{
	return (enum flow_reason)f->failure; /* once OPEN it holds who ended first */
}

/* Without half-close the live side's bytes are flushed no further than nginx does. */
static bool
ended(const struct flow *f)
{
	bool client = delivered(f, FLOW_CLIENT), server = delivered(f, FLOW_SERVER);

	if (client && server)
		return true;
	return !f->half_close &&
	       ((client && !f->half[FLOW_SERVER].eof) || (server && !f->half[FLOW_CLIENT].eof));
}

bool
flow_is_half_closed(const struct flow *f)
{
	return f->phase == FLOW_OPEN && f->half[FLOW_CLIENT].eof != f->half[FLOW_SERVER].eof;
}

static unsigned
pass_fin(struct flow *f, enum flow_side from)
{
	struct flow_half *to = &f->half[flow_other(from)];

	if (!delivered(f, from) || to->fin_sent)
		return 0;
	to->fin_sent = true;
	return from == FLOW_CLIENT ? FLOW_SHUT_SERVER : FLOW_SHUT_CLIENT;
}

/* A side that failed while bytes of it are stuck: they cannot go anywhere in time. */
static bool
stuck(const struct flow *f, enum flow_side side)
{
	const struct flow_half *h = &f->half[side];

	return h->err && (h->eof || (f->pending[side] > 0 && !f->half[flow_other(side)].can_write));
}

/* What follows from the state as it is now: the end, or a FIN to pass on. */
static unsigned
settle(struct flow *f)
{
	if (f->phase != FLOW_OPEN) {
		/* The client's bytes stay in its socket until a server takes them. */
		return f->half[FLOW_CLIENT].err ? reset(f, FLOW_CLIENT) : 0;
	}
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++)
		if (stuck(f, side))
			return reset(f, side);
	if (ended(f))
		return finish(f, fin_reason(f), 0);
	return f->half_close ? pass_fin(f, FLOW_CLIENT) | pass_fin(f, FLOW_SERVER) : 0;
}

static unsigned
wanted_from(const struct flow *f, enum flow_side from)
{
	const struct flow_half *in = &f->half[from], *out = &f->half[flow_other(from)];

	if (f->pending[from] > 0)
		return !out->can_write	     ? 0
		       : from == FLOW_CLIENT ? FLOW_WRITE_SERVER
					     : FLOW_WRITE_CLIENT;
	if (!in->can_read || in->eof || in->held)
		return 0;
	return from == FLOW_CLIENT ? FLOW_READ_CLIENT : FLOW_READ_SERVER;
}

static unsigned
wanted(const struct flow *f)
{
	if (f->phase != FLOW_OPEN)
		return 0;
	return wanted_from(f, FLOW_CLIENT) | wanted_from(f, FLOW_SERVER);
}

static unsigned
on_ready(struct flow *f, const struct flow_event *ev)
{
	struct flow_half *h = &f->half[ev->side];

	h->can_read |= ev->readable || ev->hup || ev->err;
	h->can_write |= ev->writable;
	h->hup |= ev->hup;
	h->err |= ev->err;
	return 0;
}

static unsigned
on_end(struct flow *f, enum flow_side side)
{
	struct flow_half *h = &f->half[side];

	h->can_read = false;
	if (h->err)
		return reset(f, side);
	h->eof = true;
	if (!f->half[flow_other(side)].eof)
		f->failure = side == FLOW_CLIENT ? FLOW_CLIENT_FIN : FLOW_SERVER_FIN;
	return 0;
}

/*
 * A short read after EPOLLRDHUP was seen is the end: everything before the FIN
 * was in the socket by then, so the read that would return 0 can be spared.
 */
static unsigned
on_read(struct flow *f, const struct flow_event *ev)
{
	struct flow_half *h = &f->half[ev->side];

	f->pending[ev->side] += ev->n;
	f->server_spoke |= ev->side == FLOW_SERVER && ev->n > 0;
	if (!ev->drained)
		return 0;
	h->can_read = false;
	if (h->err && ev->n == 0)
		return reset(f, ev->side);
	if (h->err)
		h->can_read = true; /* the next read tells the error */
	else if (h->hup && ev->n > 0)
		return on_end(f, ev->side);
	return 0;
}

static unsigned
on_wrote(struct flow *f, const struct flow_event *ev)
{
	uint32_t *pending = &f->pending[flow_other(ev->side)], ours = 0;

	if (ev->side == FLOW_SERVER) {
		ours = ev->n < f->preface ? ev->n : f->preface;
		f->preface -= ours;
	}
	*pending -= ev->n < *pending ? ev->n : *pending;
	if (ev->blocked)
		f->half[ev->side].can_write = false;
	f->client_passed |= ev->side == FLOW_SERVER && ev->n > ours;
	return 0;
}

/* A peer that takes nothing any more is told by a reset that this was no orderly end. */
static unsigned
on_timeout(struct flow *f, enum flow_reason why)
{
	bool unsent = f->pending[FLOW_CLIENT] > 0 || f->pending[FLOW_SERVER] > 0;

	if (f->phase == FLOW_GREETING)
		return finish(f, FLOW_GREETING_TIMEOUT, BOTH);
	if (f->phase == FLOW_CONNECTING)
		return next_server(f, FLOW_CONNECT_TIMEOUT);
	return finish(f, why == FLOW_REASON_NONE ? FLOW_IDLE : why, unsent ? BOTH : 0);
}

static unsigned
on_no_server(struct flow *f)
{
	enum flow_reason why = f->failure;

	return finish(f, why == FLOW_REASON_NONE ? FLOW_NO_SERVER : why, BOTH);
}

static unsigned
apply(struct flow *f, const struct flow_event *ev)
{
	bool open = f->phase == FLOW_OPEN;

	switch (ev->kind) {
	case FLOW_EV_GREETED:
		if (f->phase != FLOW_GREETING)
			return 0;
		f->phase = FLOW_CONNECTING;
		return FLOW_NEXT;
	case FLOW_EV_PREFACE:
		if (open && f->pending[FLOW_CLIENT] == 0)
			f->pending[FLOW_CLIENT] = f->preface = ev->n;
		return 0;
	case FLOW_EV_ANSWERED:
		return f->phase == FLOW_GREETING ? finish(f, FLOW_ANSWERED, 0) : 0;
	case FLOW_EV_CONNECTED:
		if (!open) {
			f->phase = FLOW_OPEN;
			f->failure = FLOW_REASON_NONE;
			f->half[FLOW_SERVER].can_write = true;
		}
		return 0;
	case FLOW_EV_CONNECT_FAILED:
		return open ? 0 : next_server(f, FLOW_CONNECT_FAILED);
	case FLOW_EV_NO_SERVER:
		return open ? 0 : on_no_server(f);
	case FLOW_EV_READY:
		return on_ready(f, ev);
	case FLOW_EV_READ:
		return open ? on_read(f, ev) : 0;
	case FLOW_EV_WROTE:
		return open ? on_wrote(f, ev) : 0;
	case FLOW_EV_EOF:
		return open ? on_end(f, ev->side) : 0;
	case FLOW_EV_RESET:
		if (!open && ev->side == FLOW_SERVER)
			return 0;
		return ev->gone ? gone(f, ev->side) : reset(f, ev->side);
	case FLOW_EV_HOLD:
	case FLOW_EV_RELEASE:
		f->half[ev->side].held = ev->kind == FLOW_EV_HOLD;
		return 0;
	case FLOW_EV_TIMEOUT:
		return on_timeout(f, ev->reason);
	case FLOW_EV_ABORT:
		return finish(f, ev->reason, BOTH);
	}
	return 0;
}

unsigned
flow_step(struct flow *f, const struct flow_event *ev)
{
	unsigned actions;

	if (f->phase == FLOW_DONE)
		return 0;
	actions = apply(f, ev);
	if (f->phase == FLOW_DONE || (actions & FLOW_NEXT) != 0)
		return actions;
	actions |= settle(f);
	return actions | wanted(f);
}
