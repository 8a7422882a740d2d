/*
 * flow_fuzz.c - a session in any order of events, between two imaginary sockets.
 *
 * The target plays relay_tcp.c: it does what the flow asks for, with real bytes
 * that are kept in real memory while one side takes none, so that a leak or a
 * second release is the sanitizer's to tell; and two peers who speak, end, reset
 * and make room as the input says.  Checked after each step: nothing is closed,
 * shut or freed twice; what is pending is what was read and not written; each
 * byte arrives in its place; no FIN overtakes one.  In the end, with all room
 * and both peers' FIN, nothing is stuck.
 */
#include "proxyd/flow.h"

#include "tests/fuzz/fuzz.h"

#define READ_MAX  64
#define TRIES_MAX 3
#define TURNS_MAX 8

struct peer {		      /* what the other end of a socket does; the socket */
	uint64_t said, taken; /* bytes it sent, bytes read of them */
	uint64_t given;	      /* bytes written to it, ours left out */
	uint32_t room;
	bool fin, rst;
	bool is_open, is_shut;
};

struct play {
	const uint8_t *at, *end;
	struct flow flow;
	struct peer peer[2];
	uint8_t *parked[2];
	uint32_t offset[2];
	uint32_t preface; /* bytes of ours that were not written yet */
	uint8_t preface_size;
	unsigned tries, closes;
};

static const uint8_t OURS = 0xa5;

static uint8_t
take(struct play *p)
{
	return p->at < p->end ? *p->at++ : 0;
}

/* What the n-th byte of a side is. */
static uint8_t
pattern(enum flow_side side, uint64_t n)
{
	return (uint8_t)((n * 7 + side * 3) % 127);
}

/* ---- what must hold ---- */

static void
check(const struct play *p, unsigned actions)
{
	const struct flow *f = &p->flow;

	must((f->phase == FLOW_DONE) == (p->closes == 1));
	must((f->phase == FLOW_DONE) == (f->reason != FLOW_REASON_NONE));
	if (f->phase == FLOW_DONE) {
		must((actions & ~(unsigned)(FLOW_CLOSE | FLOW_BLAME)) == 0);
		return;
	}
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		uint32_t ours = side == FLOW_CLIENT ? p->preface : 0;
		const struct peer *from = &p->peer[side], *to = &p->peer[flow_other(side)];

		must(f->pending[side] <= READ_MAX);
		must(f->pending[side] == from->taken - to->given + ours);
		must(f->pending[side] == 0 ||
		     (actions & (side == FLOW_CLIENT ? FLOW_READ_CLIENT : FLOW_READ_SERVER)) == 0);
	}
	must(f->phase == FLOW_OPEN ||
	     (actions & (FLOW_READ_CLIENT | FLOW_READ_SERVER | FLOW_WRITE_CLIENT |
			    FLOW_WRITE_SERVER | FLOW_SHUT_CLIENT | FLOW_SHUT_SERVER)) == 0);
}

/* An orderly end: nothing that either side said before its FIN is missing. */
static void
check_end(const struct play *p)
{
	const struct flow *f = &p->flow;
	bool orderly = f->reason == FLOW_CLIENT_FIN || f->reason == FLOW_SERVER_FIN;

	if (!orderly)
		return;
	must(f->reset_sides == 0);
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		const struct peer *from = &p->peer[side], *to = &p->peer[flow_other(side)];

		must(!f->half_close || (from->fin && to->given == from->said));
	}
	must(p->peer[FLOW_CLIENT].fin || p->peer[FLOW_SERVER].fin);
}

/* ---- the shell's hands ---- */

static void
unpark(struct play *p, enum flow_side from)
{
	free(p->parked[from]);
	p->parked[from] = NULL;
	p->offset[from] = 0;
}

static void
close_side(struct play *p, enum flow_side side)
{
	p->peer[side].is_open = false;
	unpark(p, side);
}

static void
end(struct play *p)
{
	must(++p->closes == 1);
	check_end(p);
	close_side(p, FLOW_CLIENT);
	close_side(p, FLOW_SERVER);
}

static void
shut(struct play *p, enum flow_side side)
{
	const struct peer *from = &p->peer[flow_other(side)];
	struct peer *to = &p->peer[side];

	must(to->is_open && !to->is_shut);
	must(from->fin && from->taken == from->said && to->given == from->said);
	to->is_shut = true;
}

/* The next server: what becomes of it is the input's to say. */
static struct flow_event
connect_next(struct play *p)
{
	const struct flow_half *server = &p->flow
					      .half[FLOW_SERVER]; /* it knows of none of it yet */

	/* Not a byte of the client's may have been said to this one. */
	must(p->peer[FLOW_SERVER].given == 0 && p->peer[FLOW_CLIENT].taken == 0);
	must(!server->can_read && !server->can_write && !server->hup && !server->err &&
	     !server->eof && !server->fin_sent);
	unpark(p, FLOW_CLIENT);
	p->preface = 0;
	close_side(p, FLOW_SERVER);
	p->peer[FLOW_SERVER] = (struct peer){ 0 };
	if (p->tries++ == TRIES_MAX)
		return (struct flow_event){ .kind = FLOW_EV_NO_SERVER };
	p->peer[FLOW_SERVER].is_open = true;
	switch (take(p) % 4) {
	case 0:
		return (struct flow_event){ .kind = FLOW_EV_CONNECTED };
	case 1:
		return (struct flow_event){ .kind = FLOW_EV_CONNECT_FAILED };
	case 2:
		return (struct flow_event){ .kind = FLOW_EV_ABORT, .reason = FLOW_RESOURCES };
	}
	return (struct flow_event){ .kind = FLOW_EV_HOLD, .side = FLOW_CLIENT }; /* it takes time */
}

static unsigned
feed(struct play *p, struct flow_event ev)
{
	unsigned actions;

	for (;;) {
		bool was_open = p->flow.phase == FLOW_OPEN;

		actions = flow_step(&p->flow, &ev);
		if (actions & FLOW_CLOSE)
			end(p);
		if (actions & FLOW_SHUT_CLIENT)
			shut(p, FLOW_CLIENT);
		if (actions & FLOW_SHUT_SERVER)
			shut(p, FLOW_SERVER);
		if (actions & FLOW_NEXT) {
			must((actions & FLOW_CLOSE) == 0 && p->flow.phase == FLOW_CONNECTING);
			ev = connect_next(p);
			continue;
		}
		check(p, actions);
		if (was_open || p->flow.phase != FLOW_OPEN || p->preface_size == 0)
			return actions;
		must(p->parked[FLOW_CLIENT] == NULL);
		p->parked[FLOW_CLIENT] = malloc(p->preface_size);
		memset(p->parked[FLOW_CLIENT], OURS, p->preface_size);
		p->preface = p->preface_size;
		ev = (struct flow_event){ .kind = FLOW_EV_PREFACE, .n = p->preface_size };
	}
}

static bool
is_over(const struct play *p)
{
	return p->flow.phase == FLOW_DONE;
}

/* The bytes reach the peer: each is the next. */
static void
deliver(struct play *p, enum flow_side to, const uint8_t *bytes, uint32_t n)
{
	struct peer *peer = &p->peer[to];

	must(peer->is_open && !peer->is_shut);
	for (uint32_t i = 0; i < n; i++)
		if (to == FLOW_SERVER && p->preface > 0) {
			must(bytes[i] == OURS);
			p->preface--;
		} else {
			must(bytes[i] == pattern(flow_other(to), peer->given++));
		}
}

static unsigned
write_bytes(struct play *p, enum flow_side to, const uint8_t *bytes, uint32_t size)
{
	struct flow_event ev = { .kind = FLOW_EV_WROTE, .side = to };
	struct peer *peer = &p->peer[to];

	if (peer->rst) {
		ev.blocked = true;
		feed(p, ev);
		if (is_over(p))
			return 0;
		return feed(p, (struct flow_event){
				   .kind = FLOW_EV_READY, .side = to, .hup = true, .err = true });
	}
	ev.n = size < peer->room ? size : peer->room;
	ev.blocked = ev.n < size;
	peer->room -= ev.n;
	deliver(p, to, bytes, ev.n);
	return feed(p, ev);
}

static unsigned
read_side(struct play *p, enum flow_side from)
{
	struct peer *peer = &p->peer[from];
	struct flow_event ev = { .kind = FLOW_EV_READ, .side = from };
	uint64_t there = peer->said - peer->taken;
	enum flow_side to = flow_other(from);
	uint8_t buffer[READ_MAX];
	unsigned actions;
	uint32_t left;

	must(peer->is_open && p->parked[from] == NULL);
	if (there == 0 && peer->rst)
		return feed(
		    p, (struct flow_event){
			   .kind = FLOW_EV_RESET, .side = from, .gone = (peer->said & 1) != 0 });
	if (there == 0 && peer->fin)
		return feed(p, (struct flow_event){ .kind = FLOW_EV_EOF, .side = from });
	ev.n = there < READ_MAX ? (uint32_t)there : READ_MAX;
	ev.drained = ev.n < READ_MAX;
	for (uint32_t i = 0; i < ev.n; i++)
		buffer[i] = pattern(from, peer->taken++);
	actions = feed(p, ev);
	if (is_over(p) || ev.n == 0)
		return actions;
	if (actions & (from == FLOW_CLIENT ? FLOW_WRITE_SERVER : FLOW_WRITE_CLIENT))
		actions = write_bytes(p, to, buffer, ev.n);
	if (is_over(p))
		return 0;
	left = p->flow.pending[from];
	if (left > 0) {
		p->parked[from] = malloc(left);
		memcpy(p->parked[from], buffer + (ev.n - left), left);
	}
	return actions;
}

static unsigned
write_parked(struct play *p, enum flow_side to)
{
	enum flow_side from = flow_other(to);
	uint32_t before = p->flow.pending[from];
	unsigned actions, tries = p->tries;

	must(p->parked[from] != NULL);
	actions = write_bytes(p, to, p->parked[from] + p->offset[from], before);
	if (is_over(p) || p->tries != tries)
		return actions;
	p->offset[from] += before - p->flow.pending[from];
	if (p->flow.pending[from] == 0)
		unpark(p, from);
	return actions;
}

/* Its share of work; returns what is still wanted. */
static unsigned
run(struct play *p, unsigned actions, unsigned turns)
{
	for (; turns > 0 && actions != 0 && !is_over(p); turns--) {
		if (actions & FLOW_WRITE_SERVER)
			actions = write_parked(p, FLOW_SERVER);
		else if (actions & FLOW_WRITE_CLIENT)
			actions = write_parked(p, FLOW_CLIENT);
		else if ((actions & FLOW_READ_SERVER) &&
			 ((turns & 1) != 0 || !(actions & FLOW_READ_CLIENT)))
			actions = read_side(p, FLOW_SERVER);
		else if (actions & FLOW_READ_CLIENT)
			actions = read_side(p, FLOW_CLIENT);
		else
			break;
	}
	return is_over(p) ? 0 : actions;
}

/* ---- what happens ---- */

/* As epoll(7) would say it of this side now. */
static unsigned
report(struct play *p, enum flow_side side)
{
	const struct peer *peer = &p->peer[side];
	struct flow_event ev = { .kind = FLOW_EV_READY,
		.side = side,
		.readable = peer->said > peer->taken || peer->fin || peer->rst,
		.writable = peer->room > 0 || peer->rst,
		.hup = peer->fin || peer->rst,
		.err = peer->rst };

	if (!peer->is_open || (side == FLOW_SERVER && p->flow.phase != FLOW_OPEN))
		return feed(p, (struct flow_event){ .kind = FLOW_EV_READY });
	return feed(p, ev);
}

static unsigned
server_answers(struct play *p, unsigned how)
{
	struct flow_event ev = { .kind = FLOW_EV_CONNECTED };

	if (p->flow.phase != FLOW_CONNECTING)
		return 0;
	if (how % 3 == 1)
		ev.kind = FLOW_EV_CONNECT_FAILED;
	if (how % 3 == 2)
		ev.kind = FLOW_EV_TIMEOUT;
	feed(p, ev);
	return is_over(p) ? 0 : report(p, FLOW_SERVER);
}

static unsigned
time_out(struct play *p)
{
	return feed(
	    p, (struct flow_event){ .kind = FLOW_EV_TIMEOUT,
		   .reason = flow_is_half_closed(&p->flow) ? FLOW_HALF_CLOSED : FLOW_IDLE });
}

static unsigned
happen(struct play *p, uint8_t op)
{
	static const enum flow_reason reasons[] = { FLOW_SHUTDOWN, FLOW_ADMINISTRATOR, FLOW_AGE,
		FLOW_SERVER_DOWN, FLOW_ADDRESS_LOST, FLOW_RESOURCES, FLOW_HANDOVER, FLOW_DENIED };
	enum flow_side side = op >> 4 & 1;
	struct peer *peer = &p->peer[side];
	unsigned n = op >> 5;

	switch (op & 15) {
	case 0:
	case 1:
	case 2: /* it speaks */
		if (peer->is_open && !peer->fin && !peer->rst)
			peer->said += n * n * 3 + 1;
		return report(p, side);
	case 3:
	case 4: /* it makes room */
		peer->room += peer->is_open ? n * n * 4 + 1 : 0;
		return report(p, side);
	case 5:
		peer->fin |= peer->is_open;
		return report(p, side);
	case 6:
		peer->rst |= peer->is_open && n == 0;
		return report(p, side);
	case 7:
	case 8:
		return server_answers(p, n);
	case 9:
		return n == 0 ? time_out(p) : 0;
	case 10:
		return n == 0 ? feed(p, (struct flow_event){ .kind = FLOW_EV_ABORT,
					    .reason = reasons[take(p) % 8] })
			      : 0;
	case 11:
		return feed(p, (struct flow_event){ .kind = FLOW_EV_HOLD, .side = side });
	case 12:
		return feed(p, (struct flow_event){ .kind = FLOW_EV_RELEASE, .side = side });
	case 13:
		return feed(
		    p, (struct flow_event){ .kind = n == 0 ? FLOW_EV_ANSWERED : FLOW_EV_GREETED });
	case 14: /* in a state it is not meant for: nothing comes of it */
		if (p->flow.phase == FLOW_OPEN)
			return feed(p, (struct flow_event){ .kind = FLOW_EV_CONNECT_FAILED });
		return feed(p, (struct flow_event){ .kind = FLOW_EV_READ, .side = side, .n = n });
	}
	return feed(p, (struct flow_event){ .kind = FLOW_EV_READY }); /* on with what was left */
}

/* All room and both FINs: an open session comes to its end, or to another server, by itself. */
static void
finish(struct play *p)
{
	unsigned tries = p->tries, actions = 0;

	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER && !is_over(p); side++) {
		p->peer[side].room = UINT32_MAX / 2;
		p->peer[side].fin = true;
		feed(p, (struct flow_event){ .kind = FLOW_EV_RELEASE, .side = side });
		actions = is_over(p) ? 0 : report(p, side);
	}
	if (!is_over(p))
		run(p, actions, UINT32_MAX);
	must(p->flow.phase != FLOW_OPEN || p->tries != tries);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = { .at = data, .end = data + size };
	uint8_t how = take(&p);
	struct flow done;

	flow_init(&p.flow, (how & 1) != 0);
	if (how & 2)
		p.flow.phase = FLOW_GREETING;
	else
		p.peer[FLOW_SERVER].is_open = true; /* as after the first connect */
	p.preface_size = how & 4 ? 1 + (how >> 4) : 0;
	p.peer[FLOW_CLIENT].is_open = true;
	while (p.at < p.end && !is_over(&p)) {
		unsigned actions = happen(&p, take(&p));

		run(&p, actions, 1 + (how >> 3) % TURNS_MAX);
	}
	while (p.flow.phase == FLOW_OPEN)
		finish(&p);
	if (!is_over(&p))
		feed(&p, (struct flow_event){ .kind = FLOW_EV_ABORT, .reason = FLOW_SHUTDOWN });
	must(is_over(&p) && p.closes == 1);
	done = p.flow;
	must(flow_step(&p.flow, &(struct flow_event){ .kind = FLOW_EV_ABORT }) == 0);
	must(flow_step(&p.flow, &(struct flow_event){ .kind = FLOW_EV_READY, .readable = true }) ==
	     0);
	must(memcmp(&done, &p.flow, sizeof(done)) == 0);
	return 0;
}
