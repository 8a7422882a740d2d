/*
 * lexicon.c - see lexicon.h; map and split_clients are here, geo.c has its own.
 */
#include "common/conf/lexicon.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- map ---- */

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct map_key *)a)->text, ((const struct map_key *)b)->text);
}

static const struct map_key *
sort_keys(struct map_keys *keys)
{
	if (keys->n > 0)
		qsort(keys->list, keys->n, sizeof(*keys->list), compare_keys);
	for (size_t i = 1; i < keys->n; i++)
		if (strcmp(keys->list[i - 1].text, keys->list[i].text) == 0)
			return &keys->list[i];
	return NULL;
}

const struct map_key *
map_settle(struct map *m)
{
	const struct map_key *twice = sort_keys(&m->exact), *tail = sort_keys(&m->tails),
			     *head = sort_keys(&m->heads);

	return twice != NULL ? twice : tail != NULL ? tail : head;
}

static int
compare_text(const char *text, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)text[i], k = (unsigned char)key[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != k || k == '\0')
			return c != k ? c - k : 1; /* a NUL in the text is behind every key */
	}
	return key[n] != '\0' ? -1 : 0;
}

static size_t
find_key(const struct map_keys *keys, const char *text, size_t n)
{
	size_t low = 0, high = keys->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int rc = compare_text(text, n, keys->list[middle].text);

		if (rc == 0)
			return keys->list[middle].value;
		if (rc < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SIZE_MAX;
}

/* "*.tail": the longest first.  The '*' stands for at least one character. */
static size_t
find_tail(const struct map *m, const char *text, size_t n)
{
	for (size_t i = 1; i < n && m->tails.n > 0; i++) {
		size_t value = text[i] == '.' ? find_key(&m->tails, text + i, n - i) : SIZE_MAX;

		if (value != SIZE_MAX)
			return value;
	}
	return SIZE_MAX;
}

static size_t
find_head(const struct map *m, const char *text, size_t n)
{
	for (size_t i = n; i-- > 1 && m->heads.n > 0;) {
		size_t value = text[i] == '.' && i + 1 < n ? find_key(&m->heads, text, i + 1)
							   : SIZE_MAX;

		if (value != SIZE_MAX)
			return value;
	}
	return SIZE_MAX;
}

static size_t
find_regex(const struct map *m, const char *text, size_t n, struct captures *c)
{
	for (size_t i = 0; i < m->n_regexes; i++)
		if (capture_match(c, m->regexes[i].regex, text, n))
			return m->regexes[i].value;
	return SIZE_MAX;
}

const struct stream_template *
map_find(const struct map *m, const char *text, size_t n, struct captures *c)
{
	size_t value;

	if (m->hostnames && n > 0 && text[n - 1] == '.')
		n--;
	value = find_key(&m->exact, text, n);
	if (value == SIZE_MAX)
		value = find_tail(m, text, n);
	if (value == SIZE_MAX)
		value = find_head(m, text, n);
	if (value == SIZE_MAX)
		value = find_regex(m, text, n, c);
	if (value == SIZE_MAX)
		value = m->fallback;
	return value != SIZE_MAX ? &m->values[value] : NULL;
}

static void
keys_done(struct map_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		free(keys->list[i].text);
	free(keys->list);
}

static void
map_free(struct map *m)
{
	if (m == NULL)
		return;
	keys_done(&m->exact);
	keys_done(&m->tails);
	keys_done(&m->heads);
	for (size_t i = 0; i < m->n_regexes; i++)
		regex_free(m->regexes[i].regex);
	free(m->regexes);
	for (size_t i = 0; i < m->n_values; i++)
		template_done(&m->values[i]);
	free(m->values);
	free(m);
}

/* ---- split_clients ---- */

uint32_t
split_hash(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	const uint32_t factor = 0x5bd1e995;
	uint32_t h = (uint32_t)n;

	for (; n >= 4; n -= 4, p += 4) {
		uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			     (uint32_t)p[3] << 24;

		k *= factor;
		k ^= k >> 24;
		k *= factor;
		h *= factor;
		h ^= k;
	}
	if (n >= 3)
		h ^= (uint32_t)p[2] << 16;
	if (n >= 2)
		h ^= (uint32_t)p[1] << 8;
	if (n >= 1) {
		h ^= p[0];
		h *= factor;
	}
	h ^= h >> 13;
	h *= factor;
	return h ^ h >> 15;
}

const char *
split_find(const struct split *s, const char *text, size_t n)
{
	uint32_t hash = split_hash(text, n);

	for (size_t i = 0; i < s->n_parts; i++)
		if (hash < s->parts[i].below || s->parts[i].below == 0)
			return s->parts[i].value;
	return "";
}

static void
split_free(struct split *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_parts; i++)
		free(s->parts[i].value);
	free(s->parts);
	free(s);
}

/* ---- all of them ---- */

struct lexicon *
lexicon_new(void)
{
	struct lexicon *l = xcalloc(1, sizeof(*l));

	l->refs = 1;
	return l;
}

struct lexicon *
lexicon_ref(struct lexicon *l)
{
	__atomic_fetch_add(&l->refs, 1, __ATOMIC_RELAXED);
	return l;
}

static void
geo_free(struct geo *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n_values; i++)
		free(g->values[i]);
	free(g->values);
	free(g->ranges);
	free(g);
}

void
lexicon_unref(struct lexicon *l)
{
	if (l == NULL || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < l->n; i++) {
		struct stream_word *w = &l->words[i];

		free(w->name);
		template_done(&w->source);
		map_free(w->map);
		geo_free(w->geo);
		split_free(w->split);
	}
	free(l->words);
	free(l);
}

size_t
lexicon_find(const struct lexicon *l, const char *name, size_t n)
{
	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->words[i].name) == n && strncmp(l->words[i].name, name, n) == 0)
			return i;
	return SIZE_MAX;
}

size_t
lexicon_add(struct lexicon *l, const char *name, enum word_kind kind, struct conf_pos pos)
{
	l->words = xreallocarray(l->words, l->n + 1, sizeof(*l->words));
	l->words[l->n] = (struct stream_word){ .name = xstrdup(name), .kind = kind, .pos = pos };
	return l->n++;
}

/* ---- circles ---- */

enum mark { UNSEEN, OPEN, DONE };

static bool leads_back(const struct lexicon *, size_t word, enum mark *);

static bool
template_leads_back(const struct lexicon *l, const struct stream_template *t, enum mark *marks)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->parts[i].variable == VAR_WORD && leads_back(l, t->parts[i].index, marks))
			return true;
	return false;
}

static bool
leads_back(const struct lexicon *l, size_t word, enum mark *marks)
{
	const struct stream_word *w = &l->words[word];
	bool found;

	if (marks[word] != UNSEEN)
		return marks[word] == OPEN;
	marks[word] = OPEN;
	found = template_leads_back(l, &w->source, marks);
	for (size_t i = 0; w->map != NULL && i < w->map->n_values && !found; i++)
		found = template_leads_back(l, &w->map->values[i], marks);
	marks[word] = DONE;
	return found;
}

size_t
lexicon_circle(const struct lexicon *l)
{
	enum mark *marks = xcalloc(l->n + 1, sizeof(*marks));
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < l->n && found == SIZE_MAX; i++)
		if (leads_back(l, i, marks))
			found = i;
	free(marks);
	return found;
}
