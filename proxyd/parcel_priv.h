/*
 * parcel_priv.h - the three parts of parcel.h: messages and records (parcel.c),
 * what each kind of record consists of and when it makes sense
 * (parcel_kinds.c), fields as bytes (parcel_fields.c).  Nobody else includes it.
 *
 * A table of fields for each kind drives both directions.
 */
#ifndef PROXYD_PARCEL_PRIV_H
#define PROXYD_PARCEL_PRIV_H

#include "proxyd/parcel.h"

#include <stddef.h>

enum parcel_type {
	T_BOOL,
	T_U8,
	T_U16,
	T_U32,
	T_U64, /* int64_t too */
	T_TEXT,
	T_BYTES,
	T_ENDPOINT,
	T_ENDPOINTS, /* one field each, behind a counter */
	T_TIMES,
	T_HELD,
	T_REASON,  /* enum flow_reason in a uint8_t, by its name */
	T_REASONS, /* a counter for each, by name */
};

struct parcel_field {
	uint8_t tag, type;
	size_t offset, count_offset; /* the second of lists */
};

struct parcel_kind_info {
	const struct parcel_field *fields;
	size_t n_fields, size;
	bool (*holds)(const void *, size_t n_fds); /* does it make sense? */
};

/* ---- parcel_kinds.c ---- */

/* NULL: there is no such kind. */
const struct parcel_kind_info *parcel_kind_find(unsigned kind);

/* ---- parcel_fields.c ---- */

/* All fields of a record, the struct that belongs to the kind, behind what 'out' holds. */
void parcel_fields_put(struct text *out, const struct parcel_kind_info *, const void *record);

/*
 * Into the zeroed struct.  0, -EBADMSG (a field that is none, or has not the
 * size of its type), -EPROTONOSUPPORT (one we must not overlook); then it holds
 * whatever came before.
 */
int parcel_fields_get(
    const uint8_t *bytes, size_t size, const struct parcel_kind_info *, void *record);

#endif
