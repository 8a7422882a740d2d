/*
 * number.h - the number in a tracked file, as somebody's `echo` leaves it.
 * Pure; the descriptor is probe_file.c's.
 */
#ifndef CHECKD_NUMBER_H
#define CHECKD_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_BYTES_MAX 128 /* of a file that holds nothing but a number */

/* What number_parse says of a file without anything in it: this very pointer. */
extern const char number_empty[];

/*
 * NULL: it is a number, and *ret_value holds it.  Else what is wrong with it, in
 * words: keepalived takes 0, that is "all is well", from a file that is empty or
 * holds something else; here that is a failure.
 */
const char *number_parse(const char *bytes, size_t size, int32_t *ret_value);

#endif
