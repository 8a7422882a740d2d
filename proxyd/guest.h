/*
 * guest.h - what a session is asked about its client, where its listener has
 * rules (rules.h): on the session's data thread, between accept and the first
 * server, and what it carries from there to its end.
 *
 * What a client sends first (a PROXY header) is looked at where it lies, in the
 * socket, and taken only when it is whole: half of it needs no memory here, and
 * is there for another process after a restart.
 */
#ifndef PROXYD_GUEST_H
#define PROXYD_GUEST_H

#include "proxyd/limit.h"
#include "proxyd/proxyproto.h"
#include "proxyd/rate.h"
#include "proxyd/worker.h"

#include "common/conf/client.h"

struct guest {
	struct endpoint client; /* the peer, or whom a trusted header named */
	struct endpoint peer, local;
	/* As the header said, trusted or not; AF_UNSPEC: there was none, or it named nobody. */
	struct endpoint proxied, proxied_to;
	bool transparent;      /* servers see its own address */
	bool transparent_port; /* and its port */
	unsigned announce;     /* version of the header for servers; 0: none */
	struct rate rates[2];  /* by the side that bytes come from */
	enum guest_stage {     /* handed over by their numbers (parcel.h) */
		GUEST_HEADER,  /* a PROXY header is to come */
		GUEST_JUDGED,  /* it may come */
		GUEST_PREREAD, /* a ClientHello is to come */
		GUEST_KNOWN,   /* on to a server */
		GUEST_ANSWER,  /* it gets our text */
		GUEST_LINGER,  /* it has got it, and may read it before the end */
	} stage;
	bool waits_anew;   /* the stage it waits in has just begun */
	uint32_t answered; /* bytes of our text that it has got */
	uint8_t *tlvs;	   /* of the header; NULL: none */
	size_t tlvs_size;
	/* what ssl_preread found; NULL: it did not look, or it is no TLS */
	char *server_name, *alpn;
	const char *tls_protocol;
	struct upstream *up; /* proxy_pass with variables; the route keeps it.  NULL: the route's */
	struct story *story; /* NULL: nobody tells of it */
	struct limit_key *held[CLIENT_LIMITS_MAX];
	unsigned n_held;
};

enum guest_word {
	GUEST_WAIT,    /* it has not said everything yet */
	GUEST_WELCOME, /* find it a server */
	GUEST_LEAVE,   /* *ret_reason says why */
	GUEST_CONTENT, /* it has got all it wanted */
};

/* A client is there, or has said more. */
enum guest_word guest_greet(struct worker *, struct session *, enum flow_reason *ret_reason);

/* At its end, also of a session that another process goes on with. */
void guest_done(struct session *);

void guest_free(struct guest *); /* accepts NULL */

/* The places under limits that it held; NULL and none are accepted. */
void guest_give_back(struct guest *);

/*
 * Of datagrams, at the first of a session: *ret is NULL where nothing is asked.
 * The second: of a session that another process let in.
 */
enum guest_word guest_admit(struct worker *, const struct route *, const struct endpoint *client,
    const struct endpoint *local, struct guest **ret, enum flow_reason *ret_reason);
struct guest *guest_readmit(struct worker *, const struct route *, const struct endpoint *client,
    const struct endpoint *local);

/* The TLVs of its header, once; they are copied (no memory: there are none). */
void guest_keep_tlvs(struct guest *, const uint8_t *tlvs, size_t size);

/* How long a client has for what it says in this stage. */
int64_t guest_timeout_us(const struct session *);

/* It has got its text and had time to read it: that it does not end is no failure. */
static inline bool
guest_is_lingering(const struct session *s)
{
	return s->guest != NULL && s->guest->stage == GUEST_LINGER;
}

/* Where it goes: the route's, or what proxy_pass made of it.  NULL: nowhere. */
struct upstream *guest_up(const struct session *);

/* What is known of it, but for what its story tells (story.h). */
struct facts;
void guest_facts(const struct session *, struct facts *ret);

/* Whom its server is to see, for dial_bind_as; where it is transparent. */
struct endpoint guest_source(const struct guest *);

/* The header for the server, if it gets one; its size. */
size_t guest_preface(const struct guest *, bool dgram, uint8_t buf[static PROXYPROTO_COMPOSED_MAX]);

/*
 * How many bytes may be taken from a side now; 0: hold it, guest_held() says
 * until when.  Taken ones are to be told.
 */
uint32_t guest_allows(struct guest *, enum flow_side from, uint32_t wanted, mono_t now);
void guest_spent(struct guest *, enum flow_side from, uint32_t n);
mono_t guest_held(const struct guest *); /* MONO_NEVER: no side is held */

/* The next server for this session, by its upstream's algorithm and key.  NULL: none. */
struct server *guest_pick(struct worker *, struct session *);

/* For words about it: the client itself, AF_UNSPEC for a unix socket's. */
struct endpoint guest_client(const struct session *);

#endif
