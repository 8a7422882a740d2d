/*
 * cksum.h - the Internet checksum (RFC 1071).  Pure.
 */
#ifndef COMMON_CKSUM_H
#define COMMON_CKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Add bytes to a running sum; only the last piece may have an odd size. */
uint32_t cksum_add(uint32_t sum, const void *bytes, size_t size);

/* The checksum, host order; 0 when 'sum' covered bytes with a right checksum in them. */
uint16_t cksum_finish(uint32_t sum);

#endif
