/*
 * bind.h - from statements to structs: tables of directives.
 *
 * One row makes a directive known: it is what the parser looks up, what "did
 * you mean" chooses from, and what says that a word is accepted but has no
 * effect yet.  The tables stand with their subjects: globals.c, checks.c,
 * vrrp.c, stream.c.
 *
 * Internal to common/conf.
 */
#ifndef COMMON_CONF_BIND_H
#define COMMON_CONF_BIND_H

#include "common/conf/tree.h"

#define US_PER_S  INT64_C(1000000)
#define US_PER_MS INT64_C(1000)
#define MANY	  255 /* any number of arguments */

struct binder;
struct directive;
typedef void bind_fn(struct binder *, struct stmt *, const struct directive *, void *object);

enum directive_flags {
	D_BLOCK = 1 << 0, /* takes a block; without it: takes none */
	D_MAYBE_BLOCK = 1 << 1,
	D_REPEAT = 1 << 2,    /* may be written more than once */
	D_SEMICOLON = 1 << 3, /* its binder has its own word about a ';' (keepalived text) */
	D_GUARD = 1 << 4, /* not in effect yet, and something is unguarded without it: a warning */
};

struct directive {
	const char *name;
	uint8_t min_args, max_args;
	uint8_t flags;
	bind_fn *bind; /* NULL: known, not in effect yet; 'note' may say more */
	size_t offset; /* of the field in the object, for the binders below */
	int64_t low, high;
	const char *note;
};

/* A word that is accepted and does nothing yet, with or without a block. */
#define KNOWN(word)                                                                                \
	{                                                                                          \
		.name = word, .max_args = MANY, .flags = D_MAYBE_BLOCK | D_REPEAT                  \
	}

/* A word that will never have an effect here: 'why', as a notice. */
#define NOTHING(word, why)                                                                         \
	{                                                                                          \
		word, 0, MANY, D_MAYBE_BLOCK | D_REPEAT, bind_nothing, 0, 0, 0, why                \
	}

/* The same for a word that protects: 'without' says what happens while it does nothing. */
#define GUARD(word, without)                                                                       \
	{                                                                                          \
		.name = word, .max_args = MANY, .flags = D_MAYBE_BLOCK | D_REPEAT | D_GUARD,       \
		.note = without                                                                    \
	}

struct context {
	const char *kind; /* "vrrp_instance"; "" for the file */
	const char *name; /* "VI_1", or NULL */
	enum conf_part part;
	const struct directive *rows;
	size_t n_rows;
	bool is_ours;	/* a ';' between statements is fine here */
	bool is_secret; /* an unknown word may be a password: it is not shown */
};

#define VMAC_PREFIX_MAX 10 /* PREFIX6.255 is the name of an interface */

/* What the file said before everything else is bound: defaults of instances. */
struct globals {
	uint8_t version; /* 0: not written */
	bool strict, notify_priority_changes;
	struct addr mcast4, mcast6;
	int64_t garp_delay_us, garp_refresh_us;
	unsigned garp_repeat, garp_refresh_repeat, down_timer_adverts;
	int64_t garp_lower_delay_us; /* -1: not written */
	unsigned garp_lower_repeat;  /* 0: not written */
	int64_t garp_interval_us, gna_interval_us;
	char vmac_prefix[VMAC_PREFIX_MAX + 1]; /* "": not written */
	bool lower_prio_no_advert, higher_prio_send_advert, skip_check_adv_addr,
	    owner_ignore_adverts;
};

/* Something that names something else, looked up when all is bound. */
struct reference {
	struct stmt *stmt;
	size_t object; /* index of the instance or listener */
	bool of_group; /* ... or of the sync group */
	enum track_word { TRACK_ANY, TRACK_PROCESS, TRACK_FILE } word; /* of its block */
};

/* A health_check line, bound when its upstream and its match are known. */
struct health_reference {
	const struct stmt *stmt;
	int64_t timeout_us; /* 0: none written in its block */
	bool of_listener;
	size_t object; /* index of the listener or upstream */
};

struct binder {
	struct conf *conf;
	struct conf_source *src;
	const struct context *in; /* the block being bound */
	struct globals globals;
	struct reference *tracks, *passes;
	size_t n_tracks, n_passes;
	struct health_reference *healths;
	size_t n_healths;
	int64_t health_timeout_us; /* of the stream block */
	unsigned n_resolving;	   /* proxy_pass: variables in variables */
	struct log_format_conf *formats;
	size_t n_formats;
	char **broken; /* names of checks with an error, which was said: enough about them */
	size_t n_broken;
};

/* Bind the statements of a block into 'object' by a table. */
void bind_block(struct binder *, const struct stmt *block, const struct context *, void *object);

/* The same, the statements called 'last' after all others (they inherit from those). */
void bind_block_order(struct binder *, const struct stmt *block, const struct context *,
    void *object, const char *last);

/* Room for one more 'what'?  Said if not. */
bool bind_room(struct binder *, struct conf_pos, size_t n, size_t max, const char *what);

/* Does the block hold a statement of that name, however wrong? */
bool bind_mentions(const struct stmt *block, const char *name);

/* "; did you mean 'x'?" or "", to be freed (conf_nearest). */
char *bind_did_you_mean(
    struct binder *, const char *word, const void *names, size_t n, size_t stride);

/* Say something about a statement, in the part of the block it stands in. */
void bind_say(struct binder *, enum conf_severity, struct conf_pos, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* ---- values: false, said, and *ret untouched when the word is none ---- */

bool value_integer(struct binder *, const struct word *, int64_t low, int64_t high, int64_t *ret);
/* Plain seconds, fractions allowed. */
bool value_seconds(
    struct binder *, const struct word *, int64_t low_us, int64_t high_us, int64_t *ret);
/* Seconds, or with a unit: us ms s m h d. */
bool value_duration(
    struct binder *, const struct word *, int64_t low_us, int64_t high_us, int64_t *ret);
/* nginx's: 30, 30s, 500ms, 1m30s, 1d. */
bool value_nginx_time(struct binder *, const struct word *, int64_t *ret);
bool value_nginx_size(
    struct binder *, const struct word *, int64_t low, int64_t high, int64_t *ret);
bool value_on_off(struct binder *, const struct word *, bool *ret);
bool value_addr(struct binder *, const struct word *, struct addr *ret);

/* The same without a word about it. */
bool parse_duration(const char *text, int64_t *ret_us, bool *ret_unit);
bool parse_integer(const char *text, int64_t *ret);

/* ---- binders of one field ---- */

bind_fn bind_flag;     /* bool: the word alone, or on|off|true|false|yes|no */
bind_fn bind_unsigned; /* unsigned, low..high */
bind_fn bind_u8;       /* uint8_t, low..high */
bind_fn bind_string;   /* char * */
bind_fn bind_seconds;  /* int64_t, low..high in microseconds */
bind_fn bind_duration;
bind_fn bind_nginx_time;
bind_fn bind_nginx_flag;
bind_fn bind_accepted; /* nothing to do, and nothing to say */
bind_fn bind_nothing;  /* no effect, for good: a notice that says why, 'note' */
bind_fn bind_refused;  /* an error: 'note' */

/* ---- the subjects ---- */

void globals_bind(struct binder *, struct stmt *); /* global_defs */
void checks_bind(struct binder *, struct stmt *, enum check_block);
void vrrp_bind(struct binder *, struct stmt *);
/* vrrp_auth.c: how its adverts are authenticated. */
struct auth_draft {
	const struct stmt *type, *pass; /* of authentication */
	const struct stmt *hmac;	/* the block */
};
void vrrp_bind_authentication(struct binder *, struct stmt *block, struct auth_draft *);
void vrrp_bind_hmac(struct binder *, struct stmt *block, struct vrrp_conf *);
/* When version and interval are known. */
void vrrp_settle_authentication(struct binder *, const struct auth_draft *, struct vrrp_conf *);
void hmac_conf_free(struct hmac_conf *); /* accepts NULL */
/* vrrp_notify.c: how people are told; d->offset is that of a struct fifo_conf. */
bind_fn vrrp_bind_fifo;
bind_fn vrrp_bind_fifo_script;
/* notify_* of an instance or group: d->low says which. */
void vrrp_bind_notify(
    struct binder *, struct stmt *, const struct directive *, const char *of, size_t *notify);
void vrrp_settle_fifo(struct binder *, struct conf_pos, const struct fifo_conf *);
void fifo_conf_done(struct fifo_conf *);
/* vrrp_group.c: sync groups. */
void vrrp_bind_group(struct binder *, struct stmt *);
/* Of the two instances bound last; 'name' is the one they were written under. */
void vrrp_group_halves(struct binder *, const struct word *name);
void vrrp_resolve_groups(struct binder *); /* when the instances are known */
void vrrp_share_trackers(struct binder *); /* when all that is tracked is */
/* NULL: there is none, which is said elsewhere. */
struct vrrp_conf *vrrp_first_member(struct binder *, size_t group);
void sync_group_conf_done(struct sync_group_conf *);
/* vrrp_track.c: what its priority depends on besides checks. */
void vrrp_track_proxy_init(struct track_proxy_conf *);
void vrrp_bind_track_interface(
    struct binder *, struct stmt *block, struct track_interface_conf **list, size_t *n);
void vrrp_bind_link_delays(struct binder *, struct stmt *block);
void vrrp_bind_witness(struct binder *, const struct stmt *, struct vrrp_conf *);
void vrrp_bind_track_upstream(struct binder *, const struct stmt *, struct vrrp_conf *);
void vrrp_bind_track_proxy(struct binder *, const struct stmt *, struct vrrp_conf *);
void vrrp_resolve_proxy(struct binder *); /* when the listeners are known */
void vrrp_tracks_done(struct vrrp_conf *);
/* vips.c: the lines of an address block, and what lists of an instance have in common. */
void vrrp_bind_vips(struct binder *, struct stmt *block, struct vrrp_conf *, bool excluded);
bool vrrp_list_line(struct binder *, const struct stmt *);
bool vrrp_skips_address(struct binder *, struct stmt *, const char *what);
void vrrp_check_interface(struct binder *, const struct word *);
bool vrrp_parse_prefix(struct binder *, const struct word *, struct addr *ret, uint8_t *ret_length);
bool vrrp_value_scope(struct binder *, const struct word *, uint8_t *ret);
void vrrp_bind_static_vips(struct binder *, struct stmt *block);
void vip_conf_done(struct vip_conf *);
/* routes.c, rules.c: the lines of route and rule blocks, iproute2's words. */
void routes_bind(struct binder *, struct stmt *block, struct routing_conf *);
void rules_bind(struct binder *, struct stmt *block, struct routing_conf *);
void stream_bind(struct binder *, struct stmt *);
void nginx_bind(struct binder *, struct stmt *);      /* a whole nginx.conf */
void nginx_main_bind(struct binder *, struct stmt *); /* one statement of its main level */
void stream_resolve(struct binder *);		      /* every proxy_pass finds its upstream */
void stream_forget_formats(struct binder *);	      /* at the end */
void stream_clients_done(struct conf *);
extern const struct directive file_rows[];
extern const size_t file_n_rows;

/*
 * A command line: added to conf->scripts, *ret_script its index.  False and
 * said when there is no command in it.  The first argument holds it whole; words from
 * 'user_at' on are user and group.
 */
bool script_add(struct binder *, const struct stmt *, size_t user_at, bool is_notify, char *owner,
    size_t *ret_script);
void script_set_user(struct binder *, struct conf_script *, const char *user, const char *group);

/* suite.c: look up the references, check what one subject cannot see alone. */
void suite_check(struct binder *);

/* conf.c: what a struct holds, freed. */
void check_conf_done(struct check_conf *);
void check_http_done(struct http_conf *); /* checks_http.c */
void vrrp_conf_done(struct vrrp_conf *);
void script_conf_done(struct conf_script *);
void match_conf_done(struct match_conf *);

#endif
