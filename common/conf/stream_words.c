/*
 * stream_words.c - the variables that a stream block makes: map, geo,
 * split_clients, set; and text with variables.  Names are declared before
 * anything is read (a log_format may stand above its map).
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4096 /* variables of a file */

/* ---- text with variables ---- */

/* What a key may be made of without a word about it. */
static bool
is_of_client(enum stream_variable v)
{
	switch (v) {
	case VAR_CONNECTION:
	case VAR_HOSTNAME:
	case VAR_MSEC:
	case VAR_NGINX_VERSION:
	case VAR_PID:
	case VAR_TIME_ISO8601:
	case VAR_TIME_LOCAL:
		return false;
	default:
		return true;
	}
}

/* False: said as an error. */
static bool
check_part(struct binder *b, const struct word *w, const struct template_part *p, bool early_only)
{
	enum stream_variable v = p->variable;

	if (v == VAR_UNKNOWN && strncmp(p->text, "ssl_", 4) == 0) {
		bind_say(b, CONF_WARNING, w->pos,
		    "'$%.64s' is never found: TLS is passed through, not terminated", p->text);
	} else if (v == VAR_UNKNOWN && strncmp(p->text, "geoip_", 6) == 0) {
		bind_say(b, CONF_WARNING, w->pos,
		    "'$%.64s' is never found: no database of places is read", p->text);
	} else if (v == VAR_UNKNOWN) {
		bind_say(b, CONF_ERROR, w->pos, "unknown variable '$%.64s'", p->text);
		return false;
	} else if (early_only && !stream_variable_is_early(v)) {
		bind_say(b, CONF_ERROR, w->pos, "'$%s' is not known yet when a server is chosen",
		    stream_variable_str(v));
		return false;
	} else if (early_only && !is_of_client(v)) {
		bind_say(b, CONF_WARNING, w->pos, "'$%s' does not tell clients apart",
		    stream_variable_str(v));
	}
	return true;
}

bool
stream_template(
    struct binder *b, const struct word *w, bool early_only, struct stream_template *ret)
{
	struct stream_template t;
	bool ok = true;

	if (template_parse(w->text, b->conf->lexicon, &t) < 0) {
		bind_say(b, CONF_ERROR, w->pos, "'${' without a name and '}'");
		return false;
	}
	for (size_t i = 0; i < t.n; i++)
		ok = check_part(b, w, &t.parts[i], early_only) && ok;
	if (ok)
		*ret = t;
	else
		template_done(&t);
	return ok;
}

/* ---- declaring ---- */

static bool
is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return n > 0 && text[n] == '\0' && (text[0] < '0' || text[0] > '9');
}

/* nginx knows it already, and not as something a file may change. */
static bool
is_built_in(const char *name)
{
	struct stream_template t;
	char *text = xasprintf("$%s", name);
	bool known;

	template_parse(text, NULL, &t);
	known = t.n == 1 && t.parts[0].variable != VAR_UNKNOWN;
	template_done(&t);
	free(text);
	return known;
}

static void
declare(struct binder *b, const struct word *w, enum word_kind kind)
{
	struct lexicon *l = b->conf->lexicon;

	if (w->text[0] != '$' || !is_name(w->text + 1) || is_built_in(w->text + 1) ||
	    lexicon_find(l, w->text + 1, strlen(w->text + 1)) != SIZE_MAX || l->n == WORDS_MAX)
		return; /* its binder says what is wrong */
	lexicon_add(l, w->text + 1, kind, w->pos);
}

/* Names in expressions: "~^(?<name>...)". */
static void
declare_captures(struct binder *b, const struct stmt *block)
{
	struct lexicon *l = b->conf->lexicon;

	for (const struct stmt *s = block->first; s != NULL; s = s->next) {
		const char *text = stmt_name(s), *name;
		struct regex *regex = NULL;
		char *why = NULL;
		size_t group;

		if (text[0] == '~')
			regex = regex_new(text + 1 + (text[1] == '*'), 0, &why);
		free(why); /* its binder says it */
		for (size_t i = 0; regex != NULL && (name = regex_name(regex, i, &group)) != NULL;
		     i++)
			if (!is_built_in(name) && l->n < WORDS_MAX &&
			    lexicon_find(l, name, strlen(name)) == SIZE_MAX)
				lexicon_add(l, name, WORD_CAPTURE, stmt_pos(s));
		regex_free(regex);
	}
}

static void
declare_sets(struct binder *b, const struct stmt *server)
{
	for (const struct stmt *s = server->first; s != NULL; s = s->next)
		if (strcmp(stmt_name(s), "set") == 0 && s->n_words == 3)
			declare(b, &s->words[1], WORD_SET);
}

void
stream_declare(struct binder *b, const struct stmt *stream)
{
	if (b->conf->lexicon == NULL)
		b->conf->lexicon = lexicon_new();
	for (const struct stmt *s = stream->first; s != NULL; s = s->next) {
		const char *name = stmt_name(s);

		if (strcmp(name, "map") == 0 && s->n_words == 3 && s->has_block) {
			declare(b, &s->words[2], WORD_MAP);
			declare_captures(b, s);
		} else if (strcmp(name, "split_clients") == 0 && s->n_words == 3 && s->has_block) {
			declare(b, &s->words[2], WORD_SPLIT);
		} else if (strcmp(name, "geo") == 0 && s->has_block && s->n_words >= 2 &&
			   s->n_words <= 3) {
			declare(b, &s->words[s->n_words - 1], WORD_GEO);
		} else if (strcmp(name, "server") == 0) {
			declare_sets(b, s);
		}
	}
}

/* The word that this block makes; NULL: said why not. */
static struct stream_word *
claim(struct binder *b, const struct word *w, enum word_kind kind)
{
	struct lexicon *l = b->conf->lexicon;
	size_t i = w->text[0] == '$' ? lexicon_find(l, w->text + 1, strlen(w->text + 1)) : SIZE_MAX;
	struct stream_word *word = i != SIZE_MAX ? &l->words[i] : NULL;

	if (w->text[0] != '$' || !is_name(w->text + 1))
		bind_say(
		    b, CONF_ERROR, w->pos, "'%.64s' is not the name of a variable: $name", w->text);
	else if (is_built_in(w->text + 1))
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is there already, and cannot be changed",
		    w->text);
	else if (word == NULL)
		bind_say(b, CONF_ERROR, w->pos, "more than %d variables", WORDS_MAX);
	else if (word->is_bound)
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is made already, in line %u", w->text,
		    word->pos.line);
	else {
		word->kind = kind; /* a server may set it, too */
		word->pos = w->pos;
		word->is_bound = true;
		return word;
	}
	return NULL;
}

/* A line of such a block: what is looked up, and its value. */
static bool
is_pair(struct binder *b, const struct stmt *s)
{
	if (s->n_words == 2 && !s->has_block)
		return true;
	bind_say(b, CONF_ERROR, stmt_pos(s), "a line here is a key and one value");
	return false;
}

/* ---- map ---- */

static size_t
map_value(struct binder *b, struct map *m, const struct word *w)
{
	struct stream_template value;

	if (!stream_template(b, w, false, &value))
		return SIZE_MAX;
	m->values = conf_grow(m->values, m->n_values, sizeof(*m->values));
	m->values[m->n_values] = value;
	return m->n_values++;
}

static void
add_key(struct map_keys *keys, const char *text, size_t n, size_t value, struct conf_pos pos)
{
	char *key = xstrndup(text, n);

	for (char *p = key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	keys->list = conf_grow(keys->list, keys->n, sizeof(*keys->list));
	keys->list[keys->n++] = (struct map_key){ key, value, pos };
}

static void
add_regex(struct binder *b, struct map *m, const struct stmt *s, size_t value)
{
	const char *text = stmt_name(s);
	bool ignore_case = text[1] == '*';
	struct map_regex r = { .value = value };
	char *why = NULL;

	r.regex = regex_new(text + 1 + ignore_case, ignore_case ? REGEX_CASELESS : 0, &why);
	if (r.regex == NULL) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "no regular expression: %s", why);
		free(why);
		return;
	}
	m->regexes = conf_grow(m->regexes, m->n_regexes, sizeof(*m->regexes));
	m->regexes[m->n_regexes++] = r;
}

/* ".example.com", "*.example.com", "www.example.*": only with 'hostnames'. */
static bool
add_mask(struct map *m, const char *key, size_t value, struct conf_pos pos)
{
	size_t n = strlen(key);

	if (strncmp(key, "*.", 2) == 0 && n > 2) {
		add_key(&m->tails, key + 1, n - 1, value, pos);
	} else if (n > 2 && strcmp(key + n - 2, ".*") == 0) {
		add_key(&m->heads, key, n - 1, value, pos);
	} else if (key[0] == '.' && n > 1) {
		add_key(&m->exact, key + 1, n - 1, value, pos);
		add_key(&m->tails, key, n, value, pos);
	} else {
		return false;
	}
	return true;
}

static void
map_line(struct binder *b, struct map *m, const struct stmt *s)
{
	const char *key = stmt_name(s);
	size_t value;

	if (!is_pair(b, s))
		return;
	value = map_value(b, m, &s->words[1]);
	if (value == SIZE_MAX)
		return;
	if (strcmp(key, "default") == 0) {
		if (m->fallback != SIZE_MAX)
			bind_say(b, CONF_ERROR, stmt_pos(s), "'default' is here twice");
		m->fallback = value;
	} else if (key[0] == '~') {
		add_regex(b, m, s, value);
	} else {
		key += key[0] == '\\'; /* "\default" is no default */
		if (!m->hostnames || !add_mask(m, key, value, stmt_pos(s)))
			add_key(&m->exact, key, strlen(key), value, stmt_pos(s));
	}
}

static bool
is_alone(const struct stmt *s, const char *word)
{
	return s->n_words == 1 && !s->has_block && strcmp(stmt_name(s), word) == 0;
}

/* map SOURCE $name { ... } */
void
stream_bind_map(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct stream_word *word = claim(b, &s->words[2], WORD_MAP);
	const struct map_key *twice;
	struct map *m;

	(void)d, (void)object;
	if (word == NULL || !stream_template(b, &s->words[1], false, &word->source))
		return;
	m = word->map = xcalloc(1, sizeof(*m));
	m->fallback = SIZE_MAX;
	for (const struct stmt *line = s->first; line != NULL; line = line->next)
		m->hostnames |= is_alone(line, "hostnames");
	for (const struct stmt *line = s->first; line != NULL; line = line->next)
		if (!is_alone(line, "hostnames") && !is_alone(line, "volatile"))
			map_line(b, m, line);
	twice = map_settle(m);
	if (twice != NULL)
		bind_say(b, CONF_ERROR, twice->pos, "'%.64s' is in this map twice", twice->text);
}

/* ---- geo ---- */

static size_t
geo_value(struct geo *g, const struct word *w)
{
	for (size_t i = g->n_values; i-- > 0 && g->n_values - i < 64;) /* the last ones: cheap */
		if (strcmp(g->values[i], w->text) == 0)
			return i;
	g->values = conf_grow(g->values, g->n_values, sizeof(char *));
	g->values[g->n_values] = xstrdup(w->text);
	return g->n_values++;
}

static bool
parse_network(const char *text, uint8_t low[static 16], uint8_t high[static 16], unsigned *ret_bits)
{
	const char *slash = strchr(text, '/');
	char *host = slash != NULL ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
	struct addr a = { 0 };
	bool ok = addr_parse(host, &a) == 0;
	unsigned width = a.family == AF_INET ? 32 : 128;
	int64_t bits = width;

	free(host);
	if (!ok ||
	    (slash != NULL && (!parse_integer(slash + 1, &bits) || bits < 0 || bits > width)))
		return false;
	bits += 128 - width;
	geo_address(&a, low);
	geo_address(&a, high);
	for (unsigned i = (unsigned)bits; i < 128; i++) {
		low[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		high[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	*ret_bits = (unsigned)bits;
	return true;
}

static bool
parse_range(const char *text, uint8_t low[static 16], uint8_t high[static 16])
{
	const char *dash = strchr(text, '-');
	char *first = xstrndup(text, dash != NULL ? (size_t)(dash - text) : strlen(text));
	struct addr a, z;
	bool ok = dash != NULL && addr_parse(first, &a) == 0 && addr_parse(dash + 1, &z) == 0 &&
		  a.family == z.family;

	free(first);
	if (!ok)
		return false;
	geo_address(&a, low);
	geo_address(&z, high);
	return memcmp(low, high, 16) <= 0;
}

/* "delete": what stands there until now has the default's value again. */
static void
geo_line(struct binder *b, struct geo *g, const struct stmt *s, bool ranges, size_t rank)
{
	bool deletes = strcmp(stmt_name(s), "delete") == 0;
	const char *net = deletes ? stmt_arg(s, 1) : stmt_name(s);
	uint8_t low[16], high[16];
	unsigned bits = 0;
	size_t value;

	if (!is_pair(b, s))
		return;
	value = deletes ? SIZE_MAX : geo_value(g, &s->words[1]);
	if (strcmp(net, "default") == 0) {
		g->fallback = value;
		return;
	}
	if (ranges ? !parse_range(net, low, high) : !parse_network(net, low, high, &bits)) {
		bind_say(b, CONF_ERROR, s->words[deletes].pos,
		    ranges ? "'%.64s' is not a range: 10.0.0.1-10.0.0.9"
			   : "'%.64s' is not a network: 10.0.0.0/8, 2001:db8::/32",
		    net);
		return;
	}
	/* of networks the longest holds, of equal ones and of ranges the last */
	geo_add(g, low, high, ranges ? rank : (size_t)bits * CONF_STATEMENTS_MAX + rank, value);
}

/* A network that is deleted lets the one around it be seen, as if it had never been written. */
static void
forget_deleted(struct geo *g)
{
	bool *gone = xcalloc(g->n_ranges + 1, sizeof(*gone));
	size_t kept = 0;

	for (size_t k = 0; k < g->n_ranges; k++) {
		if (g->ranges[k].value != SIZE_MAX)
			continue;
		for (size_t i = 0; i <= k; i++)
			gone[i] |= memcmp(g->ranges[k].low, g->ranges[i].low, 16) == 0 &&
				   memcmp(g->ranges[k].high, g->ranges[i].high, 16) == 0;
	}
	for (size_t i = 0; i < g->n_ranges; i++)
		if (!gone[i])
			g->ranges[kept++] = g->ranges[i];
	free(gone);
	g->n_ranges = kept;
}

/* geo [$address] $name { ... } */
void
stream_bind_geo(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct stream_word *word = claim(b, &s->words[s->n_words - 1], WORD_GEO);
	bool ranges = false, deletes = false;
	struct geo *g;
	size_t rank = 0;

	(void)d, (void)object;
	if (word == NULL ||
	    (s->n_words == 3 && !stream_template(b, &s->words[1], false, &word->source)))
		return;
	g = word->geo = xcalloc(1, sizeof(*g));
	g->fallback = SIZE_MAX;
	for (const struct stmt *line = s->first; line != NULL; line = line->next) {
		ranges |= is_alone(line, "ranges");
		deletes |= strcmp(stmt_name(line), "delete") == 0;
	}
	for (const struct stmt *line = s->first; line != NULL; line = line->next)
		if (!is_alone(line, "ranges"))
			geo_line(b, g, line, ranges, rank++);
	if (deletes && !ranges)
		forget_deleted(g);
	geo_settle(g);
}

/* ---- split_clients ---- */

#define SPLIT_WHOLE 10000 /* parts of ten thousand */

/* "12.5%" as 1250. */
static bool
parse_percent(const char *text, unsigned *ret)
{
	unsigned whole = 0, digits = 0, fraction = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole <= 100; p++)
		whole = whole * 10 + (unsigned)(*p - '0');
	if (p == text)
		return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && digits < 2; p++, digits++)
			fraction = fraction * 10 + (unsigned)(*p - '0');
	fraction *= digits == 1 ? 10 : 1;
	*ret = whole * 100 + fraction;
	return strcmp(p, "%") == 0 && *ret > 0 && *ret <= SPLIT_WHOLE;
}

/* split_clients SOURCE $name { 0.5% a; * b; } */
void
stream_bind_split(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct stream_word *word = claim(b, &s->words[2], WORD_SPLIT);
	unsigned sum = 0, percent;
	uint64_t below = 0;
	struct split *split;

	(void)d, (void)object;
	if (word == NULL || !stream_template(b, &s->words[1], false, &word->source))
		return;
	split = word->split = xcalloc(1, sizeof(*split));
	for (const struct stmt *line = s->first; line != NULL; line = line->next) {
		bool rest = strcmp(stmt_name(line), "*") == 0;

		if (!is_pair(b, line))
			continue;
		if (!rest && !parse_percent(stmt_name(line), &percent)) {
			bind_say(b, CONF_ERROR, stmt_pos(line), "'%.64s' is not a share: 0.5%%, *",
			    stmt_name(line));
			continue;
		}
		sum = rest ? SPLIT_WHOLE : sum + percent;
		if (sum > SPLIT_WHOLE || (rest && line->next != NULL)) {
			bind_say(b, CONF_ERROR, stmt_pos(line),
			    rest ? "'*' is what is left: it stands last"
				 : "these shares are more than 100%%");
			continue;
		}
		below += rest ? 0 : percent * (uint64_t)UINT32_MAX / SPLIT_WHOLE;
		split->parts = conf_grow(split->parts, split->n_parts, sizeof(*split->parts));
		split->parts[split->n_parts++] = (struct split_part){
			.below = rest ? 0 : (uint32_t)below, .value = xstrdup(stmt_arg(line, 1))
		};
	}
}

/* ---- set ---- */

/* set $name VALUE */
void
stream_bind_set(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;
	const struct word *w = &s->words[1];
	struct assignment a = { .word = SIZE_MAX };

	(void)d;
	if (w->text[0] == '$')
		a.word = lexicon_find(b->conf->lexicon, w->text + 1, strlen(w->text + 1));
	if (a.word == SIZE_MAX || b->conf->lexicon->words[a.word].kind == WORD_CAPTURE) {
		bind_say(b, CONF_ERROR, w->pos,
		    is_built_in(w->text + (w->text[0] == '$')) && w->text[0] == '$'
			? "'%.64s' is there already, and cannot be changed"
			: "'%.64s' is not the name of a variable: $name",
		    w->text);
		return;
	}
	if (!stream_template(b, &s->words[2], false, &a.value))
		return;
	draft->sets = conf_grow(draft->sets, draft->n_sets, sizeof(*draft->sets));
	draft->sets[draft->n_sets++] = a;
}

/* ---- when all of a stream block is read ---- */

void
stream_check_words(struct binder *b)
{
	const struct lexicon *l = b->conf->lexicon;
	size_t circle = lexicon_circle(l);

	if (circle != SIZE_MAX)
		bind_say(b, CONF_ERROR, l->words[circle].pos, "'$%.64s' is made of itself",
		    l->words[circle].name);
}
