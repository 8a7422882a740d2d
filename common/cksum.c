/*
 * cksum.c - see cksum.h.
 */
#include "common/cksum.h"

#include "common/wire.h"

uint32_t
cksum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	for (; size > 1; p += 2, size -= 2) {
		sum += wire_get16(p);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (size > 0)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

uint16_t
cksum_finish(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
