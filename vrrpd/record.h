/*
 * record.h - what a vrrpd leaves for the next one: every instance's identity,
 * role and terms of its priority sum, as a small text file
 * (RUN_DIR/vrrpd/state), rewritten whenever a role or a term changes.
 *
 * Pure: the shell reads and writes the file (O_NOFOLLOW, owner and mode
 * checked, rename).  The reader believes nothing: a file that does not hold to
 * the format in every line is refused whole, and the start is an ordinary one.
 */
#ifndef VRRPD_RECORD_H
#define VRRPD_RECORD_H

#include "common/mono.h"
#include "common/text.h"
#include "vrrpd/event.h"
#include "vrrpd/priority.h"

#define RECORD_VERSION	     1
#define RECORD_SIZE_MAX	     (4 * 1024 * 1024)
#define RECORD_INSTANCES_MAX 4096
#define RECORD_TERMS_MAX     256 /* of one instance */
#define RECORD_NAME_SIZE     256 /* of a text, with its NUL; longer ones are cut on writing */
#define RECORD_ADOPTIONS_MAX 8
#define RECORD_DELTA_MAX     255 /* either way */

struct record_term {
	enum prio_kind kind;
	char name[RECORD_NAME_SIZE];
	enum prio_verdict verdict;
	mono_t valid_until, since;
	char evidence[RECORD_NAME_SIZE]; /* "": none */
};

struct record_instance {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t vrid;
	char interface[16];
	enum vrrp_role role;
	uint8_t priority;
	mono_t advert_at; /* MASTER: the last advert before writing; else 0 */
	struct record_term *terms;
	size_t n_terms;

	/* What the operator said, to be said again to the next process. */
	int delta; /* AdjustPriority; 0: nothing */
	mono_t delta_until;
	bool released; /* Release with force */
	mono_t released_until;
};

struct record {
	char boot_id[37];
	mono_t stamp;				/* CLOCK_BOOTTIME when written */
	mono_t monotonic;			/* CLOCK_MONOTONIC at the same moment */
	bool handover;				/* written on purpose, by a planned restart */
	mono_t adoptions[RECORD_ADOPTIONS_MAX]; /* the last ones, oldest first */
	size_t n_adoptions;
	struct record_instance *instances;
	size_t n_instances;
};

/* Notes an adoption at 'now'; the oldest falls out. */
void record_note_adoption(struct record *, mono_t now);

/* The entry of that identity, or NULL; 'rec' may be NULL. */
const struct record_instance *record_find(
    const struct record *rec, uint8_t family, uint8_t vrid, const char *interface);
const struct record_term *record_find_term(
    const struct record_instance *, enum prio_kind kind, const char *name);

/* Appends the file's text. */
void record_encode(const struct record *, struct text *ret);

/*
 * Reads one.  0, -EBADMSG (not the format), -EPROTONOSUPPORT (another version
 * of it), -EFBIG (more than the bounds above).  *ret is untouched on failure;
 * on success record_done it.
 */
int record_decode(const char *bytes, size_t size, struct record *ret);
void record_done(struct record *);

#endif
