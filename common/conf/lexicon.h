/*
 * lexicon.h - the variables that the file itself makes: by map, geo,
 * split_clients, set, and by names in regular expressions.  Finding a value is
 * pure and takes no memory.
 *
 * One lexicon belongs to one stream {}: built while it is read, immutable
 * afterwards, and shared by reference with what runs (its sessions may outlive
 * the configuration).
 */
#ifndef COMMON_CONF_LEXICON_H
#define COMMON_CONF_LEXICON_H

#include "common/addr.h"
#include "common/conf/capture.h"
#include "common/conf/diag.h"
#include "common/conf/template.h"

#include <stdint.h>

enum word_kind { WORD_SET, WORD_MAP, WORD_GEO, WORD_SPLIT, WORD_CAPTURE };

/* ---- map ---- */

struct map_key {
	char *text; /* in small letters; of a mask without its '*' */
	size_t value;
	struct conf_pos pos;
};

struct map_keys {
	struct map_key *list; /* sorted by map_settle() */
	size_t n;
};

struct map_regex {
	struct regex *regex;
	size_t value;
};

struct map {
	bool hostnames;
	struct map_keys exact, tails, heads; /* "*.example.com": ".example.com"; "www.*": "www." */
	struct map_regex *regexes;	     /* in the order of the file */
	size_t n_regexes;
	struct stream_template *values;
	size_t n_values;
	size_t fallback; /* SIZE_MAX: an empty value */
};

/* Sort; the first key that is there twice, or NULL. */
const struct map_key *map_settle(struct map *);

/*
 * nginx's order: exact, the longest "*.tail", the longest "head.*", the first
 * expression, the default.  NULL: the value is empty.
 */
const struct stream_template *map_find(
    const struct map *, const char *text, size_t n, struct captures *);

/* ---- geo ---- */

struct geo_range {
	uint8_t low[16], high[16]; /* IPv4 as ::ffff:a.b.c.d */
	size_t value;		   /* SIZE_MAX: the default */
	size_t rank;		   /* while it is built: of ranges that overlap the highest holds */
};

struct geo {
	struct geo_range *ranges; /* after geo_settle(): sorted, none overlaps */
	size_t n_ranges;
	char **values;
	size_t n_values;
	size_t fallback; /* SIZE_MAX: empty */
};

/* Both 16 bytes, as in struct geo_range. */
void geo_address(const struct addr *, uint8_t ret[static 16]);
void geo_add(struct geo *, const uint8_t *low, const uint8_t *high, size_t rank, size_t value);
void geo_settle(struct geo *);

/* "" for what is nowhere in it. */
const char *geo_find(const struct geo *, const struct addr *);

/* ---- split_clients ---- */

struct split_part {
	uint32_t below; /* hashes below this one are its; 0: all that are left */
	char *value;
};

struct split {
	struct split_part *parts;
	size_t n_parts;
};

/* MurmurHash2 of seed 0, as nginx divides its clients. */
uint32_t split_hash(const char *text, size_t n);
const char *split_find(const struct split *, const char *text, size_t n);

/* ---- all of them ---- */

struct stream_word {
	char *name;
	enum word_kind kind;
	bool is_bound; /* its block was read */
	struct conf_pos pos;
	struct stream_template
	    source; /* what is looked up; geo without one: the client's address */
	struct map *map;
	struct geo *geo;
	struct split *split;
};

struct lexicon {
	unsigned refs; /* atomic */
	struct stream_word *words;
	size_t n;
};

/* set $x value: the assignments of a server in their order. */
struct assignment {
	size_t word;
	struct stream_template value;
};

struct lexicon *lexicon_new(void);
struct lexicon *lexicon_ref(struct lexicon *);
void lexicon_unref(struct lexicon *); /* accepts NULL */

/* SIZE_MAX: there is none. */
size_t lexicon_find(const struct lexicon *, const char *name, size_t n);
size_t lexicon_add(struct lexicon *, const char *name, enum word_kind, struct conf_pos);

/* A word that is made of itself, through others; SIZE_MAX: none is. */
size_t lexicon_circle(const struct lexicon *);

#endif
