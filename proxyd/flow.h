/*
 * flow.h - one session's two directions as a pure step: what happened goes in,
 * what to do comes out.  Half-closes, pending bytes, back-pressure, resets and
 * the reason of the end are decided here and nowhere else.
 *
 * The shell (relay_tcp.c) owns the sockets and the bytes; the flow only counts
 * them.  Faithful by construction: FIN leaves as FIN after the last byte before
 * it, RST as RST, both ways; bytes are taken from a side only when none wait
 * for the other, so that what is pending never exceeds one read.
 *
 * Order of a session: GREETING (where something must be known of the client
 * first), CONNECTING (one or several servers), OPEN, DONE.  A step after DONE
 * does nothing; FLOW_CLOSE is asked for exactly once.
 */
#ifndef PROXYD_FLOW_H
#define PROXYD_FLOW_H

#include <stdbool.h>
#include <stdint.h>

enum flow_side { FLOW_CLIENT, FLOW_SERVER };

static inline enum flow_side
flow_other(enum flow_side side)
{
	return side == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT;
}

enum flow_phase { FLOW_GREETING, FLOW_CONNECTING, FLOW_OPEN, FLOW_DONE };
const char *flow_phase_str(enum flow_phase); /* "greeting", "connecting", "open", "closed" */

/* Why a session ended; the words of $close_reason and of Counters.closeReasons. */
enum flow_reason {
	FLOW_REASON_NONE, /* it has not */
	FLOW_CLIENT_FIN,  /* both ended in order; the client was first */
	FLOW_SERVER_FIN,
	FLOW_CLIENT_RST,
	FLOW_SERVER_RST,
	FLOW_IDLE,	      /* proxy_timeout */
	FLOW_CONNECT_FAILED,  /* the last server tried refused or could not be reached */
	FLOW_CONNECT_TIMEOUT, /* the last server tried did not answer */
	FLOW_NO_SERVER,	      /* none was usable */
	FLOW_RESOURCES,	      /* ours ran out: descriptors, ports, memory */
	FLOW_ADMINISTRATOR,
	FLOW_SHUTDOWN,
	FLOW_COMPLETE,	   /* UDP: as many replies as were expected */
	FLOW_SERVER_DOWN,  /* on_server_down */
	FLOW_ADDRESS_LOST, /* its local address left this node */
	FLOW_HALF_CLOSED, /* proxy_half_close_timeout: one side had ended, the other said nothing */
	FLOW_CLIENT_GONE, /* it answers no more: keepalive, proxy_user_timeout, unreachable */
	FLOW_SERVER_GONE,
	FLOW_AGE,	       /* max_session_age */
	FLOW_DRAIN,	       /* its server is drained, and the time for that is over */
	FLOW_HANDOVER,	       /* it did not get through to the next process */
	FLOW_DENIED,	       /* deny */
	FLOW_LIMIT,	       /* limit_conn */
	FLOW_BAD_HEADER,       /* what came is no PROXY header, or ended within one */
	FLOW_GREETING_TIMEOUT, /* what the client had to say first did not come in time */
	FLOW_PREREAD_FULL,     /* more than preread_buffer_size, and still no whole ClientHello */
	FLOW_ANSWERED,	       /* return: it got its text */
	FLOW_REASON_MAX,
};
const char *flow_reason_str(enum flow_reason); /* "client fin", ... */

enum flow_event_kind {
	FLOW_EV_GREETED,  /* enough is known of the client: on to a server */
	FLOW_EV_ANSWERED, /* nobody else is needed: an orderly end */
	FLOW_EV_CONNECTED,
	FLOW_EV_CONNECT_FAILED, /* the server's doing */
	FLOW_EV_NO_SERVER,	/* answer to FLOW_NEXT: there is none left */
	FLOW_EV_READY,		/* 'side': readable, writable, hup, err */
	FLOW_EV_PREFACE, /* 'n' bytes of ours are to go to the server first; open, none pending */
	FLOW_EV_READ,	 /* 'n' bytes came from 'side' (0: none there); 'drained' */
	FLOW_EV_WROTE,	 /* 'n' bytes went to 'side'; 'blocked': it takes no more now */
	FLOW_EV_EOF,	 /* reading 'side' gave its end */
	FLOW_EV_RESET,	 /* reading 'side' gave an error; 'gone': not one its peer sent */
	FLOW_EV_HOLD,	 /* take nothing from 'side' until it is released */
	FLOW_EV_RELEASE,
	FLOW_EV_TIMEOUT, /* the deadline of the phase passed; 'reason': whose, NONE: IDLE */
	FLOW_EV_ABORT,	 /* end it for 'reason' */
};

struct flow_event {
	enum flow_event_kind kind;
	enum flow_side side;
	uint32_t n;
	/* READ: a short read, so the socket holds no more for now.  WROTE: see above. */
	bool drained, blocked;
	/* READY: as epoll(7) says it; hup: EPOLLRDHUP or EPOLLHUP, err: EPOLLERR. */
	bool readable, writable, hup, err;
	bool gone;
	enum flow_reason reason;
};

enum flow_action {
	/* Worth trying now; asked for again after each step until it is not. */
	FLOW_READ_CLIENT = 1 << 0,
	FLOW_READ_SERVER = 1 << 1,
	FLOW_WRITE_CLIENT = 1 << 2, /* pending bytes that came from the server */
	FLOW_WRITE_SERVER = 1 << 3,
	/* To be done at once, each said once. */
	FLOW_SHUT_CLIENT = 1 << 4, /* shutdown(SHUT_WR) */
	FLOW_SHUT_SERVER = 1 << 5,
	FLOW_BLAME = 1 << 6, /* count a failure against the server */
	FLOW_NEXT = 1 << 7,  /* let this server's socket go, connect to the next */
	FLOW_CLOSE = 1 << 8, /* both sockets, those in reset_sides with linger 0 */
};

struct flow_half { /* one side's socket */
	bool can_read, can_write, hup, err;
	bool eof;      /* its FIN was read */
	bool fin_sent; /* ours was sent to it */
	bool held;     /* it has had its share for now */
};

struct flow {		     /* a value; zeroed and flow_init()ed */
	uint8_t phase;	     /* enum flow_phase */
	uint8_t reason;	     /* enum flow_reason */
	uint8_t failure;     /* of the last connect: CONNECT_FAILED, CONNECT_TIMEOUT, SERVER_RST */
	uint8_t reset_sides; /* valid with FLOW_CLOSE: 1 << enum flow_side */
	bool half_close;     /* off: the end of one side ends both, as in nginx */
	bool server_spoke;   /* a byte came from it */
	bool client_passed;  /* a byte went to it: no other server from here on */
	uint32_t pending[2]; /* bytes read from that side, not yet written to the other */
	uint32_t preface;    /* so many of those for the server are ours, not the client's */
	struct flow_half half[2];
};

void flow_init(struct flow *, bool half_close);

/* One side has ended, the other has not. */
bool flow_is_half_closed(const struct flow *);

/* Returns a mask of enum flow_action. */
unsigned flow_step(struct flow *, const struct flow_event *);

#endif
