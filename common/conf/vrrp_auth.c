/*
 * vrrp_auth.c - how adverts are authenticated: authentication (a password in
 * clear text) and auth_hmac (a key of which only a proof goes on the wire).
 * No secret is ever said, nor is a word that may be one.
 */
#include "common/conf/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- authentication ---- */

/* A ';' behind a word of authentication is part of it on keepalived's wire. */
static bool
auth_semicolon(struct binder *b, const struct stmt *s)
{
	size_t n;

	if (s->semicolon.line == 0)
		return false;
	n = s->n_words > 1 ? strlen(s->words[1].text) : 0;
	if (strcmp(stmt_name(s), "auth_pass") == 0)
		bind_say(b, CONF_ERROR, s->semicolon,
		    "';' after a password: keepalived's password has %zu characters, the ';' among "
		    "them; without the ';' it has %zu. Remove the ';', or put quotes around all "
		    "%zu characters",
		    n + 1, n, n + 1);
	else
		bind_say(b, CONF_ERROR, s->semicolon,
		    "';' after auth_type: keepalived does not know '%.16s;' and sends no "
		    "authentication; without the ';' it sends %.16s. Remove the ';'",
		    n > 0 ? s->words[1].text : "", n > 0 ? s->words[1].text : "");
	return true;
}

static void
bind_auth_type(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct auth_draft *draft = object;
	const char *word = s->words[1].text;

	(void)d;
	if (auth_semicolon(b, s))
		return;
	if (strcmp(word, "PASS") == 0)
		draft->type = s;
	else if (strcmp(word, "AH") == 0)
		bind_say(b, CONF_ERROR, s->words[1].pos,
		    "auth_type AH is not supported: use PASS on every node, or none");
	else
		bind_say(b, CONF_ERROR, s->words[1].pos,
		    "unknown auth_type '%.16s': keepalived would send no authentication; PASS is meant?",
		    word);
}

static void
bind_auth_pass(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct auth_draft *draft = object;
	const struct word *w = &s->words[1];
	size_t n = strlen(w->text);

	(void)d;
	if (auth_semicolon(b, s))
		return;
	if (w->cut)
		bind_say(b, CONF_WARNING, w->pos,
		    "'!' and '#' begin a comment: the password is the %zu character%s before it, as "
		    "keepalived reads it; to have all of it, put quotes around it on every node",
		    n, n == 1 ? "" : "s");
	if (w->quoted && strchr(w->text, '\\') != NULL)
		bind_say(b, CONF_WARNING, w->pos,
		    "'\\' is part of the password, as keepalived reads it (%zu characters)", n);
	if (n > 8)
		bind_say(b, CONF_WARNING, w->pos,
		    "the password has %zu characters, and the first 8 are used", n);
	draft->pass = s;
}

/* clang-format off */
static const struct directive auth_rows[] = {
	{ "auth_type", 1, 1, D_SEMICOLON, bind_auth_type, 0, 0, 0, NULL },
	{ "auth_pass", 1, 1, D_SEMICOLON, bind_auth_pass, 0, 0, 0, NULL },
};
/* clang-format on */

void
vrrp_bind_authentication(struct binder *b, struct stmt *s, struct auth_draft *draft)
{
	struct context in = { .kind = "authentication",
		.part = CONF_VRRP,
		.is_secret = true,
		.rows = auth_rows,
		.n_rows = ARRAY_LEN(auth_rows) };

	bind_block(b, s, &in, draft);
}

/* ---- auth_hmac ---- */

#define KEYS_MAX 255 /* as many as there are ids */

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c | ('A' ^ 'a')) : NULL;

	return c >= '0' && c <= '9' ? c - '0' : at != NULL ? (int)(at - digits) : -1;
}

static bool
key_from_hex(const char *hex, struct hmac_key_conf *key)
{
	size_t n = strlen(hex);

	if (n % 2 != 0 || n > 2 * sizeof(key->bytes))
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(hex[i]);

		if (digit < 0)
			return false;
		key->bytes[i / 2] = (uint8_t)(key->bytes[i / 2] << 4 | digit);
	}
	key->size = (uint8_t)(n / 2);
	return true;
}

/* "hex:..." or the bytes as they stand; 'pos' is where to complain, without a letter of it. */
static bool
key_value(struct binder *b, struct conf_pos pos, const char *text, struct hmac_key_conf *key)
{
	size_t n = strlen(text);

	if (strncmp(text, "hex:", 4) == 0) {
		if (!key_from_hex(text + 4, key)) {
			bind_say(b, CONF_ERROR, pos,
			    "behind hex: stand up to %d bytes of two hexadecimal digits each",
			    HMAC_KEY_MAX);
			return false;
		}
		n = key->size;
	} else if (n <= HMAC_KEY_MAX) {
		memcpy(key->bytes, text, n);
		key->size = (uint8_t)n;
	}
	if (n >= HMAC_KEY_MIN && n <= HMAC_KEY_MAX)
		return true;
	bind_say(b, CONF_ERROR, pos, "a key is %d to %d bytes, and this one has %zu", HMAC_KEY_MIN,
	    HMAC_KEY_MAX, n);
	return false;
}

/* One line of what may stand behind the id; the newline that editors leave is none of it. */
static bool
key_from_file(struct binder *b, const struct word *w, struct hmac_key_conf *key)
{
	const char *path = w->text + strlen("file:");
	const struct conf_host *host = b->src->host;
	char *text = NULL;
	size_t size = 0;
	int r = -ENOSYS;
	bool good;

	if (host != NULL && host->read_file != NULL)
		r = host->read_file(host->aux, path, &text, &size);
	if (r < 0) {
		bind_say(b, CONF_ERROR, w->pos, "cannot read the key file: %s%s", strerror(-r),
		    r == -EACCES ? "; it belongs to root and the group _trivet, mode 0640" : "");
		return false;
	}
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		text[--size] = '\0';
	if (strlen(text) != size) {
		bind_say(b, CONF_ERROR, w->pos, "there is a NUL in the key file; hex: may say it");
		good = false;
	} else {
		good = key_value(b, w->pos, text, key);
	}
	explicit_bzero(text, size);
	free(text);
	return good;
}

/* key ID hex:DIGITS | file:PATH | WORD */
static void
bind_key(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct hmac_conf *h = object;
	struct hmac_key_conf key = { 0 };
	const struct word *w = &s->words[2];
	int64_t id;
	bool good;

	(void)d;
	if (!parse_integer(s->words[1].text, &id) || id < 1 || id > 255) { /* it may be the key */
		bind_say(b, CONF_ERROR, s->words[1].pos, "a key's id is 1 to 255");
		return;
	}
	key.id = (uint8_t)id;
	for (size_t i = 0; i < h->n_keys; i++)
		if (h->keys[i].id == key.id) {
			bind_say(
			    b, CONF_ERROR, s->words[1].pos, "there is a key %u already", key.id);
			return;
		}
	if (w->cut)
		bind_say(b, CONF_WARNING, w->pos,
		    "'!' and '#' begin a comment: the key is what stands before it; to have all of "
		    "it, put quotes around it on every node");
	good = strncmp(w->text, "file:", 5) == 0 ? key_from_file(b, w, &key)
						 : key_value(b, w->pos, w->text, &key);
	if (good && bind_room(b, w->pos, h->n_keys, KEYS_MAX, "keys")) {
		h->keys = conf_grow(h->keys, h->n_keys, sizeof(*h->keys));
		h->keys[h->n_keys++] = key;
	}
	explicit_bzero(&key, sizeof(key));
}

static void
bind_mode(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	static const char *const words[] = {
		[HMAC_ENFORCE] = "enforce",
		[HMAC_PERMISSIVE] = "permissive",
		[HMAC_RECEIVE_ONLY] = "receive-only",
	};
	struct hmac_conf *h = object;

	(void)d;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(s->words[1].text, words[i]) == 0) {
			h->mode = (enum hmac_mode_conf)i;
			return;
		}
	bind_say(b, CONF_ERROR, s->words[1].pos,
	    "'%.64s' is neither enforce, permissive nor receive-only", s->words[1].text);
}

static void
bind_anti_replay(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct hmac_conf *h = object;

	(void)d;
	h->monotonic = strcmp(s->words[1].text, "monotonic") == 0;
	if (!h->monotonic && strcmp(s->words[1].text, "time") != 0)
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is neither time nor monotonic",
		    s->words[1].text);
}

/* clang-format off */
static const struct directive hmac_rows[] = {
	{ "key", 2, 2, D_REPEAT, bind_key, 0, 0, 0, NULL },
	{ "active_key", 1, 1, 0, bind_u8, offsetof(struct hmac_conf, active), 1, 255, NULL },
	{ "mode", 1, 1, 0, bind_mode, 0, 0, 0, NULL },
	{ "anti_replay", 1, 1, 0, bind_anti_replay, 0, 0, 0, NULL },
	{ "time_window", 1, 1, 0, bind_seconds, offsetof(struct hmac_conf, window_us),
	    US_PER_S, 300 * US_PER_S, NULL },
};
/* clang-format on */

/* Before anything is said of the block: whatever may be (part of) a key is not shown. */
static void
hide_keys(struct binder *b, const struct stmt *block)
{
	for (const struct stmt *s = block->first; s != NULL; s = s->next)
		for (size_t i = 1; strcmp(stmt_name(s), "key") == 0 && i < s->n_words; i++) {
			int64_t id;

			if (strncmp(s->words[i].text, "file:", 5) != 0 &&
			    (i > 1 || !parse_integer(s->words[i].text, &id)))
				source_mark_secret(b->src, s->words[i].pos);
		}
}

static bool
has_key(const struct hmac_conf *h, uint8_t id)
{
	for (size_t i = 0; i < h->n_keys; i++)
		if (h->keys[i].id == id)
			return true;
	return false;
}

void
vrrp_bind_hmac(struct binder *b, struct stmt *block, struct vrrp_conf *v)
{
	struct context in = { .kind = "auth_hmac",
		.part = CONF_VRRP,
		.is_secret = true,
		.rows = hmac_rows,
		.n_rows = ARRAY_LEN(hmac_rows) };
	struct hmac_conf *h = xcalloc(1, sizeof(*h));

	hide_keys(b, block);
	bind_block(b, block, &in, h);
	if (!bind_mentions(block, "key"))
		bind_say(b, CONF_ERROR, stmt_pos(block), "auth_hmac has no key");
	else if (!bind_mentions(block, "active_key"))
		bind_say(b, CONF_ERROR, stmt_pos(block),
		    "auth_hmac has no active_key: which one is it to sign with?");
	else if (h->active != 0 && h->n_keys > 0 && !has_key(h, h->active))
		bind_say(b, CONF_ERROR, stmt_pos(block), "active_key %u: there is no such key",
		    h->active);
	hmac_conf_free(v->hmac);
	v->hmac = h;
}

/* The interval is known now. */
static void
settle_hmac(struct binder *b, const struct stmt *block, struct vrrp_conf *v)
{
	struct hmac_conf *h = v->hmac;

	if (h->window_us == 0)
		h->window_us = MAX(3 * v->advert_us, 5 * US_PER_S);
	else if (h->monotonic)
		bind_say(b, CONF_WARNING, stmt_pos(block),
		    "time_window has no effect beside 'anti_replay monotonic'");
	if (h->mode != HMAC_ENFORCE && v->strict)
		bind_say(b, CONF_ERROR, stmt_pos(block),
		    "under vrrp_strict the mode of auth_hmac can be enforce only");
	else if (h->mode != HMAC_ENFORCE)
		bind_say(b, CONF_WARNING, stmt_pos(block),
		    "adverts that nobody signed are heard as well: no protection until the mode is "
		    "enforce");
}

void
hmac_conf_free(struct hmac_conf *h)
{
	if (h == NULL)
		return;
	if (h->keys != NULL)
		explicit_bzero(h->keys, h->n_keys * sizeof(*h->keys));
	free(h->keys);
	free(h);
}

/* ---- all in all ---- */

/* What keepalived would send, all in all. */
static void
settle_password(struct binder *b, const struct auth_draft *draft, struct vrrp_conf *v)
{
	const struct stmt *any = draft->type != NULL ? draft->type : draft->pass;
	const char *pass = draft->pass != NULL ? draft->pass->words[1].text : "";

	if (any == NULL)
		return;
	if (v->hmac != NULL)
		bind_say(b, CONF_WARNING, stmt_pos(any),
		    "there is auth_hmac too: this block is ignored, as keepalived does");
	else if (v->version == 3)
		bind_say(b, CONF_WARNING, stmt_pos(any),
		    "VRRP version 3 has no authentication: ignored, as keepalived does");
	else if (v->strict)
		bind_say(b, CONF_WARNING, stmt_pos(any),
		    "vrrp_strict allows no authentication: ignored, as keepalived does");
	else if (draft->type == NULL)
		bind_say(b, CONF_WARNING, stmt_pos(any),
		    "no auth_type: no authentication is sent, as keepalived does");
	else if (pass[0] == '\0')
		bind_say(b, CONF_WARNING, stmt_pos(any),
		    "no auth_pass: no authentication is sent, as keepalived does");
	else {
		v->auth = VRRP_AUTH_PASS;
		memcpy(v->auth_pass, pass, MIN(strlen(pass), sizeof(v->auth_pass)));
	}
}

void
vrrp_settle_authentication(struct binder *b, const struct auth_draft *draft, struct vrrp_conf *v)
{
	if (v->hmac != NULL)
		settle_hmac(b, draft->hmac, v);
	settle_password(b, draft, v);
}
