/*
 * limit.h - how many sessions there are by a key (limit_conn): zones, shared by
 * all data threads.
 *
 * A zone belongs to the process: who opens one of the same name, key and size
 * gets the same, so that counts survive a reload.  What a session has taken it
 * gives back at its end, whatever ended it.  A zone holds a bounded number of
 * keys; a new one that finds no room is over the limit.
 */
#ifndef PROXYD_LIMIT_H
#define PROXYD_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_KEY_MAX  255 /* bytes of a key; a longer one is cut, for everybody in the same way */
#define LIMIT_KEY_COST 64  /* bytes of a zone's size for each key */

struct limit_zone;
struct limit_key; /* of a zone, with at least one session */

/* On the control thread.  'key' is its text as written. */
struct limit_zone *limit_zone_open(const char *name, const char *key, size_t size);
void limit_zone_close(struct limit_zone *); /* accepts NULL */
const char *limit_zone_name(const struct limit_zone *);

/*
 * From any thread: one session more.  0; -EDQUOT: there are 'max' already;
 * -ENOSPC: no room for the key.  *ret is to be given back; NULL for an empty
 * key, which is not counted.
 */
int limit_take(
    struct limit_zone *, const void *key, size_t size, unsigned max, struct limit_key **ret);
void limit_give(struct limit_key *); /* accepts NULL */

/* What it is, to be written down: its zone, its bytes. */
const struct limit_zone *limit_key_zone(const struct limit_key *);
const uint8_t *limit_key_bytes(const struct limit_key *, size_t *ret_size);

/* How many keys have sessions now. */
size_t limit_zone_keys(struct limit_zone *);

#endif
