/*
 * flow_test.c - sessions as scripts with known ends, then in random order.
 *
 * The random part plays the shell against two imaginary sockets: it obeys every
 * action and checks after each step what must hold in any order of events.
 */
#include "tests/unit/test.h"

#include "proxyd/flow.h"

#include <string.h>

#define C FLOW_CLIENT
#define S FLOW_SERVER

#define CONNECTED                                                                                  \
	{                                                                                          \
		.kind = FLOW_EV_CONNECTED                                                          \
	}
#define FAILED                                                                                     \
	{                                                                                          \
		.kind = FLOW_EV_CONNECT_FAILED                                                     \
	}
#define NONE_LEFT                                                                                  \
	{                                                                                          \
		.kind = FLOW_EV_NO_SERVER                                                          \
	}
#define TIMEOUT                                                                                    \
	{                                                                                          \
		.kind = FLOW_EV_TIMEOUT                                                            \
	}
#define TIMEOUT_FOR(r)                                                                             \
	{                                                                                          \
		.kind = FLOW_EV_TIMEOUT, .reason = r                                               \
	}
#define GONE(s)                                                                                    \
	{                                                                                          \
		.kind = FLOW_EV_RESET, .side = s, .gone = true                                     \
	}
#define READABLE(s)                                                                                \
	{                                                                                          \
		.kind = FLOW_EV_READY, .side = s, .readable = true                                 \
	}
#define WRITABLE(s)                                                                                \
	{                                                                                          \
		.kind = FLOW_EV_READY, .side = s, .writable = true                                 \
	}
#define HUP(s)                                                                                     \
	{                                                                                          \
		.kind = FLOW_EV_READY, .side = s, .readable = true, .hup = true                    \
	}
#define ERR(s)                                                                                     \
	{                                                                                          \
		.kind = FLOW_EV_READY, .side = s, .readable = true, .hup = true, .err = true       \
	}
#define READ(s, k)                                                                                 \
	{                                                                                          \
		.kind = FLOW_EV_READ, .side = s, .n = k, .drained = true                           \
	}
#define READ_FULL(s, k)                                                                            \
	{                                                                                          \
		.kind = FLOW_EV_READ, .side = s, .n = k                                            \
	}
#define WROTE(s, k)                                                                                \
	{                                                                                          \
		.kind = FLOW_EV_WROTE, .side = s, .n = k                                           \
	}
#define BLOCKED(s, k)                                                                              \
	{                                                                                          \
		.kind = FLOW_EV_WROTE, .side = s, .n = k, .blocked = true                          \
	}
#define EOF_OF(s)                                                                                  \
	{                                                                                          \
		.kind = FLOW_EV_EOF, .side = s                                                     \
	}
#define RESET(s)                                                                                   \
	{                                                                                          \
		.kind = FLOW_EV_RESET, .side = s                                                   \
	}
#define PREFACE(k)                                                                                 \
	{                                                                                          \
		.kind = FLOW_EV_PREFACE, .n = k                                                    \
	}
#define HOLD(s)                                                                                    \
	{                                                                                          \
		.kind = FLOW_EV_HOLD, .side = s                                                    \
	}
#define RELEASE(s)                                                                                 \
	{                                                                                          \
		.kind = FLOW_EV_RELEASE, .side = s                                                 \
	}
#define ABORT(r)                                                                                   \
	{                                                                                          \
		.kind = FLOW_EV_ABORT, .reason = r                                                 \
	}
#define END                                                                                        \
	{                                                                                          \
		.kind = 99                                                                         \
	}

#define R_C FLOW_READ_CLIENT
#define R_S FLOW_READ_SERVER
#define W_C FLOW_WRITE_CLIENT
#define W_S FLOW_WRITE_SERVER

/* clang-format off: one step a line */
static const struct script {
	const char *what;
	bool no_half_close;
	struct {
		struct flow_event ev;
		unsigned actions;
	} steps[14];
	enum flow_reason reason;
	unsigned reset_sides;
} scripts[] = {
	{ "request, reply, client ends first", false,
	    { { READABLE(C), 0 }, { CONNECTED, R_C }, { READ(C, 64), W_S }, { WROTE(S, 64), 0 },
		{ READABLE(S), R_S }, { READ(S, 64), W_C }, { WROTE(C, 64), 0 }, { HUP(C), R_C },
		{ EOF_OF(C), FLOW_SHUT_SERVER }, { HUP(S), R_S }, { EOF_OF(S), FLOW_CLOSE },
		{ END, 0 } },
	    FLOW_CLIENT_FIN, 0 },
	{ "FIN with the last bytes spares a read", false,
	    { { CONNECTED, 0 }, { HUP(S), R_S }, { READ(S, 10), W_C },
		{ WROTE(C, 10), FLOW_SHUT_CLIENT }, { HUP(C), R_C }, { EOF_OF(C), FLOW_CLOSE },
		{ END, 0 } },
	    FLOW_SERVER_FIN, 0 },
	{ "FIN waits for the bytes before it", false,
	    { { CONNECTED, 0 }, { HUP(S), R_S }, { READ_FULL(S, 100), W_C }, { BLOCKED(C, 40), 0 },
		{ WRITABLE(C), W_C }, { WROTE(C, 60), R_S }, { EOF_OF(S), FLOW_SHUT_CLIENT },
		{ END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "late data after the client's FIN", false,
	    { { HUP(C), 0 }, { CONNECTED, R_C }, { EOF_OF(C), FLOW_SHUT_SERVER },
		{ READABLE(S), R_S }, { READ(S, 5), W_C }, { WROTE(C, 5), 0 }, { HUP(S), R_S },
		{ EOF_OF(S), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_FIN, 0 },
	{ "half-close off: the first end ends both, flushed", true,
	    { { CONNECTED, 0 }, { HUP(C), R_C }, { READ(C, 5), W_S }, { BLOCKED(S, 0), 0 },
		{ WRITABLE(S), W_S }, { WROTE(S, 5), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_FIN, 0 },
	{ "half-close off: both ended, both are flushed first", true,
	    { { CONNECTED, 0 }, { HUP(S), R_S }, { READ(S, 5), W_C }, { BLOCKED(C, 0), 0 },
		{ HUP(C), R_C }, { EOF_OF(C), 0 }, { WRITABLE(C), W_C },
		{ WROTE(C, 5), FLOW_CLOSE }, { END, 0 } },
	    FLOW_SERVER_FIN, 0 },
	{ "client resets", false,
	    { { CONNECTED, 0 }, { ERR(C), R_C }, { RESET(C), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_RST, 3 },
	{ "server resets after it spoke: the bytes go first", false,
	    { { CONNECTED, 0 }, { ERR(S), R_S }, { READ(S, 9), W_C }, { WROTE(C, 9), R_S },
		{ RESET(S), FLOW_CLOSE }, { END, 0 } },
	    FLOW_SERVER_RST, 3 },
	{ "server resets before its first byte, after the request", false,
	    { { READABLE(C), 0 }, { CONNECTED, R_C }, { READ(C, 9), W_S }, { WROTE(S, 9), 0 },
		{ ERR(S), R_S }, { RESET(S), FLOW_CLOSE | FLOW_BLAME }, { END, 0 } },
	    FLOW_SERVER_RST, 3 },
	{ "server resets before anything was said: the next one", false,
	    { { CONNECTED, 0 }, { ERR(S), R_S }, { RESET(S), FLOW_BLAME | FLOW_NEXT },
		{ CONNECTED, 0 }, { READABLE(C), R_C }, { END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "refused, next refused, none left", false,
	    { { READABLE(C), 0 }, { FAILED, FLOW_BLAME | FLOW_NEXT },
		{ FAILED, FLOW_BLAME | FLOW_NEXT }, { NONE_LEFT, FLOW_CLOSE }, { END, 0 } },
	    FLOW_CONNECT_FAILED, 3 },
	{ "connect timeout, none left", false,
	    { { TIMEOUT, FLOW_BLAME | FLOW_NEXT }, { NONE_LEFT, FLOW_CLOSE }, { END, 0 } },
	    FLOW_CONNECT_TIMEOUT, 3 },
	{ "nobody usable", false, { { NONE_LEFT, FLOW_CLOSE }, { END, 0 } }, FLOW_NO_SERVER, 3 },
	{ "client resets while we connect", false, { { ERR(C), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_RST, 3 },
	{ "client resets with its bytes stuck: the server hears of it at once", false,
	    { { READABLE(C), 0 }, { CONNECTED, R_C }, { READ_FULL(C, 100), W_S },
		{ BLOCKED(S, 10), 0 }, { ERR(C), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_RST, 3 },
	{ "client reset after its FIN", false,
	    { { CONNECTED, 0 }, { HUP(C), R_C }, { EOF_OF(C), FLOW_SHUT_SERVER },
		{ ERR(C), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_RST, 3 },
	{ "half-closed for too long", false,
	    { { CONNECTED, 0 }, { EOF_OF(C), FLOW_SHUT_SERVER },
		{ TIMEOUT_FOR(FLOW_HALF_CLOSED), FLOW_CLOSE }, { END, 0 } },
	    FLOW_HALF_CLOSED, 0 },
	{ "a client out of reach", false, { { CONNECTED, 0 }, { GONE(C), FLOW_CLOSE }, { END, 0 } },
	    FLOW_CLIENT_GONE, 3 },
	{ "a server out of reach, after it spoke", false,
	    { { CONNECTED, 0 }, { READABLE(S), FLOW_READ_SERVER },
		{ READ(S, 3), FLOW_WRITE_CLIENT }, { WROTE(C, 3), 0 }, { GONE(S), FLOW_CLOSE },
		{ END, 0 } },
	    FLOW_SERVER_GONE, 3 },
	{ "a server out of reach before it was asked: the next", false,
	    { { CONNECTED, 0 }, { GONE(S), FLOW_BLAME | FLOW_NEXT }, { NONE_LEFT, FLOW_CLOSE },
		{ END, 0 } },
	    FLOW_SERVER_RST, 3 },
	{ "idle", false, { { CONNECTED, 0 }, { TIMEOUT, FLOW_CLOSE }, { TIMEOUT, 0 }, { END, 0 } },
	    FLOW_IDLE, 0 },
	{ "idle with unsent bytes is no clean end", false,
	    { { CONNECTED, 0 }, { READABLE(S), R_S }, { READ(S, 7), W_C }, { BLOCKED(C, 0), 0 },
		{ TIMEOUT, FLOW_CLOSE }, { END, 0 } },
	    FLOW_IDLE, 3 },
	{ "a preface, then the client's bytes", false,
	    { { READABLE(C), 0 }, { CONNECTED, R_C }, { PREFACE(50), W_S }, { BLOCKED(S, 20), 0 },
		{ WRITABLE(S), W_S }, { WROTE(S, 30), R_C }, { READ(C, 9), W_S },
		{ WROTE(S, 9), 0 }, { END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "server resets after the preface alone: the next one", false,
	    { { CONNECTED, 0 }, { PREFACE(50), W_S }, { WROTE(S, 50), 0 }, { ERR(S), R_S },
		{ RESET(S), FLOW_BLAME | FLOW_NEXT }, { CONNECTED, 0 }, { PREFACE(50), W_S },
		{ WROTE(S, 50), 0 }, { READABLE(C), R_C }, { READ(C, 9), W_S }, { WROTE(S, 9), 0 },
		{ END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "server resets with the preface half sent: the next one", false,
	    { { CONNECTED, 0 }, { PREFACE(50), W_S }, { BLOCKED(S, 20), 0 }, { ERR(S), R_S },
		{ RESET(S), FLOW_BLAME | FLOW_NEXT }, { CONNECTED, 0 }, { PREFACE(50), W_S },
		{ END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "server resets after preface and request: no other", false,
	    { { READABLE(C), 0 }, { CONNECTED, R_C }, { PREFACE(50), W_S }, { WROTE(S, 50), R_C },
		{ READ(C, 9), W_S }, { WROTE(S, 9), 0 }, { ERR(S), R_S },
		{ RESET(S), FLOW_CLOSE | FLOW_BLAME }, { END, 0 } },
	    FLOW_SERVER_RST, 3 },
	{ "held: nothing is taken until it is released, the other side goes on", false,
	    { { CONNECTED, 0 }, { READABLE(C), R_C }, { HOLD(C), 0 }, { READABLE(S), R_S },
		{ READ(S, 3), W_C }, { WROTE(C, 3), 0 }, { HUP(C), 0 }, { RELEASE(C), R_C },
		{ EOF_OF(C), FLOW_SHUT_SERVER }, { END, 0 } },
	    FLOW_REASON_NONE, 0 },
	{ "an operator's word", false,
	    { { CONNECTED, 0 }, { ABORT(FLOW_ADMINISTRATOR), FLOW_CLOSE }, { RESET(C), 0 },
		{ END, 0 } },
	    FLOW_ADMINISTRATOR, 3 },
};
/* clang-format on */

static void
every_script(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const struct script *sc = &scripts[i];
		struct flow f;

		flow_init(&f, !sc->no_half_close);
		for (size_t k = 0; (int)sc->steps[k].ev.kind != 99; k++) {
			unsigned actions = flow_step(&f, &sc->steps[k].ev);

			if (actions != sc->steps[k].actions)
				fail_msg("\"%s\", step %zu: actions %#x, not %#x", sc->what, k,
				    actions, sc->steps[k].actions);
		}
		if (f.reason != sc->reason || (f.phase == FLOW_DONE) != (f.reason != 0) ||
		    f.reset_sides != sc->reset_sides)
			fail_msg("\"%s\": ended with \"%s\", resets %#x", sc->what,
			    flow_reason_str(f.reason), f.reset_sides);
	}
}

/* What a client has to say first. */
static void
greeting(void **unused)
{
	static const struct {
		struct flow_event ev;
		unsigned actions;
		enum flow_reason reason;
	} rows[] = {
		{ { .kind = FLOW_EV_GREETED }, FLOW_NEXT, FLOW_REASON_NONE },
		{ TIMEOUT, FLOW_CLOSE, FLOW_GREETING_TIMEOUT },
		{ READABLE(C), 0, FLOW_REASON_NONE },
		{ HUP(C), 0, FLOW_REASON_NONE },
		{ ERR(C), FLOW_CLOSE, FLOW_CLIENT_RST },
		{ ABORT(FLOW_BAD_HEADER), FLOW_CLOSE, FLOW_BAD_HEADER },
		{ READ(C, 9), 0, FLOW_REASON_NONE },
		{ PREFACE(9), 0, FLOW_REASON_NONE },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct flow f;

		flow_init(&f, true);
		f.phase = FLOW_GREETING;
		assert_int_equal(flow_step(&f, &rows[i].ev), rows[i].actions);
		assert_int_equal(f.reason, rows[i].reason);
		assert_int_equal(f.pending[C], 0);
		assert_true(f.phase == (rows[i].ev.kind == FLOW_EV_GREETED	? FLOW_CONNECTING
					   : rows[i].reason != FLOW_REASON_NONE ? FLOW_DONE
										: FLOW_GREETING));
	}
}

/* ---- random order ---- */

struct rng {
	uint64_t state;
};

static uint32_t
next(struct rng *r, uint32_t below)
{
	r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(r->state >> 33) % below;
}

struct play {
	struct flow f;
	struct rng rng;
	unsigned seed, closes, shuts[2], tries;
	uint64_t from[2], to[2]; /* bytes read from a side, written to a side */
	uint32_t preface;	 /* of the server that is connected; every other session has one */
	bool ended[2], broken;	 /* FIN seen from a side; something other than FIN happened */
};

static void
must(const struct play *p, bool holds, const char *what)
{
	if (!holds)
		fail_msg("seed %u: %s", p->seed, what);
}

static void
observe(struct play *p, unsigned actions)
{
	const struct flow *f = &p->f;

	p->closes += (actions & FLOW_CLOSE) != 0;
	p->shuts[C] += (actions & FLOW_SHUT_CLIENT) != 0;
	p->shuts[S] += (actions & FLOW_SHUT_SERVER) != 0;
	must(p, p->closes <= 1, "closed twice");
	must(p, p->shuts[C] <= 1 && p->shuts[S] <= 1, "shut down twice");
	must(p, (f->phase == FLOW_DONE) == (p->closes == 1), "done without close");
	must(
	    p, (f->phase == FLOW_DONE) == (f->reason != FLOW_REASON_NONE), "reason and end differ");
	must(p, !(actions & FLOW_NEXT) || (p->to[S] <= p->preface && p->from[S] == 0),
	    "next server after bytes were passed");
	must(p, !(actions & FLOW_READ_CLIENT) || f->pending[C] == 0, "reads ahead of the server");
	must(p, !(actions & FLOW_READ_SERVER) || f->pending[S] == 0, "reads ahead of the client");
	must(p, !(actions & (FLOW_SHUT_CLIENT | FLOW_SHUT_SERVER)) || !(actions & FLOW_CLOSE),
	    "shutdown of what is being closed");
	must(p, f->phase == FLOW_DONE || p->from[C] - p->to[S] == f->pending[C], "bytes upward");
	must(p, f->phase == FLOW_DONE || p->from[S] - p->to[C] == f->pending[S], "bytes downward");
}

/* What becomes of the next connect: at most three servers. */
static struct flow_event
after_next(struct play *p)
{
	if (++p->tries >= 3)
		return (struct flow_event)NONE_LEFT;
	switch (next(&p->rng, 3)) {
	case 0:
		return (struct flow_event)FAILED;
	case 1:
		return (struct flow_event)TIMEOUT;
	}
	return (struct flow_event)CONNECTED;
}

static unsigned
feed(struct play *p, struct flow_event ev)
{
	bool was_open = p->f.phase == FLOW_OPEN;
	unsigned actions = flow_step(&p->f, &ev);

	if (actions & FLOW_NEXT) { /* what was said to that server was ours */
		must(p, p->from[C] == p->preface, "the client's bytes are gone with a server");
		p->from[C] -= p->preface;
		p->to[S] = p->preface = 0;
		p->broken = true;
	}
	observe(p, actions);
	if (actions & FLOW_NEXT)
		return feed(p, after_next(p));
	if (!was_open && p->f.phase == FLOW_OPEN && p->seed % 2 == 1) {
		p->preface = 1 + next(&p->rng, 60);
		p->from[C] += p->preface;
		return feed(p, (struct flow_event)PREFACE(p->preface));
	}
	return actions;
}

static unsigned
play_read(struct play *p, enum flow_side side)
{
	struct flow_event ev = { .kind = FLOW_EV_READ, .side = side, .n = next(&p->rng, 100) };

	if (p->f.half[side].hup && next(&p->rng, 3) == 0) {
		p->ended[side] = true;
		return feed(p, (struct flow_event)EOF_OF(side));
	}
	ev.drained = ev.n == 0 || next(&p->rng, 2) == 0;
	p->from[side] += ev.n;
	if (ev.drained && ev.n > 0 && p->f.half[side].hup && !p->f.half[side].err)
		p->ended[side] = true;
	return feed(p, ev);
}

static unsigned
play_write(struct play *p, enum flow_side side)
{
	uint32_t pending = p->f.pending[side == C ? S : C];
	struct flow_event ev = {
		.kind = FLOW_EV_WROTE, .side = side, .n = next(&p->rng, pending + 1)
	};

	ev.blocked = ev.n < pending;
	p->to[side] += ev.n;
	return feed(p, ev);
}

static struct flow_event
random_event(struct play *p)
{
	enum flow_side side = (enum flow_side)next(&p->rng, 2);
	uint32_t dice = next(&p->rng, 200);

	if (dice == 0)
		return (struct flow_event)RESET(side);
	if (dice == 1)
		return (struct flow_event)TIMEOUT_FOR(
		    flow_is_half_closed(&p->f) ? FLOW_HALF_CLOSED : FLOW_REASON_NONE);
	if (dice == 9)
		return (struct flow_event)GONE(side);
	if (dice == 2)
		return (struct flow_event)ABORT(FLOW_SHUTDOWN);
	if (dice == 3)
		return (struct flow_event)ERR(side);
	if (dice < 8)
		return (struct flow_event)FAILED;
	if (dice < 12)
		return dice < 10 ? (struct flow_event)HOLD(side) : (struct flow_event)RELEASE(side);
	if (dice < 40)
		return (struct flow_event)CONNECTED;
	if (dice < 60)
		return (struct flow_event)HUP(side);
	if (dice < 130)
		return (struct flow_event)WRITABLE(side);
	return (struct flow_event)READABLE(side);
}

/* Obeys until nothing is wanted or the event's share of work is used up. */
static void
work(struct play *p, unsigned actions)
{
	for (int i = 0; i < 8 && actions != 0 && p->f.phase == FLOW_OPEN; i++) {
		if (actions & FLOW_WRITE_SERVER)
			actions = play_write(p, S);
		else if (actions & FLOW_WRITE_CLIENT)
			actions = play_write(p, C);
		else if (actions & FLOW_READ_CLIENT)
			actions = play_read(p, C);
		else if (actions & FLOW_READ_SERVER)
			actions = play_read(p, S);
		else
			break;
	}
}

static void
random_orders(void **unused)
{
	unsigned reasons[FLOW_REASON_MAX] = { 0 };

	(void)unused;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		struct play p = { .rng.state = seed, .seed = seed };
		bool half_close = next(&p.rng, 4) != 0;

		flow_init(&p.f, half_close);
		for (int i = 0; i < 400 && p.f.phase != FLOW_DONE; i++) {
			struct flow_event ev = random_event(&p);

			p.broken |= ev.kind != FLOW_EV_READY && ev.kind != FLOW_EV_CONNECTED;
			work(&p, feed(&p, ev));
		}
		reasons[p.f.reason]++;
		if (p.f.reason != FLOW_CLIENT_FIN && p.f.reason != FLOW_SERVER_FIN)
			continue;
		must(&p, p.ended[C] || p.ended[S], "an orderly end without a FIN");
		must(&p, p.f.reset_sides == 0, "an orderly end with a reset");
		if (half_close)
			must(&p, p.to[S] == p.from[C] && p.to[C] == p.from[S],
			    "bytes lost at an orderly end");
	}
	for (int r = FLOW_CLIENT_FIN; r < FLOW_REASON_MAX; r++)
		if (reasons[r] == 0 && r != FLOW_NO_SERVER && r != FLOW_RESOURCES &&
		    r != FLOW_ADMINISTRATOR && r != FLOW_SERVER_DOWN && r != FLOW_ADDRESS_LOST &&
		    r != FLOW_COMPLETE && r != FLOW_AGE && r != FLOW_DRAIN && r != FLOW_HANDOVER &&
		    r < FLOW_DENIED) /* those: greeting() */
			fail_msg("no seed ended with \"%s\"", flow_reason_str((enum flow_reason)r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_script),
		cmocka_unit_test(greeting),
		cmocka_unit_test(random_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
