/*
 * crc32.h - the CRC of IEEE 802.3 as zlib and nginx compute it.  Pure.
 */
#ifndef PROXYD_CRC32_H
#define PROXYD_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_INIT UINT32_C(0xffffffff)

/* From CRC32_INIT, or from what the call before returned; ~ of the last is the CRC. */
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t size);

#endif
