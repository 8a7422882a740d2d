/*
 * bulk.c - see bulk.h.
 */
#include "proxyd/bulk.h"

void
bulk_copied(struct bulk *b, uint32_t n, uint32_t size)
{
	uint32_t large = (size < BULK_READ_MAX ? size : BULK_READ_MAX) / 2;

	if (b->on)
		return; /* copied for want of a pipe */
	b->row = n >= large ? b->row + 1 : 0;
	if (b->row == BULK_LARGE_ROW)
		*b = (struct bulk){ .on = true };
}

void
bulk_spliced(struct bulk *b, struct bulk_pass *pass, uint32_t n)
{
	b->streak = n < BULK_STREAM - b->streak ? b->streak + n : BULK_STREAM;
	pass->moved += n;
	pass->is_urgent |= b->streak < BULK_STREAM;
	b->row = n < BULK_SMALL ? b->row + 1 : 0;
	if (b->row == BULK_SMALL_ROW)
		bulk_off(b);
}

/* Nothing moved: room to write was what the pass was about, or there was no pipe. */
int64_t
bulk_pause_us(const struct bulk_pass *pass)
{
	return pass->moved > 0 && pass->moved < BULK_MUCH && !pass->is_urgent ? BULK_PAUSE_US : 0;
}

void
bulk_answered(struct bulk *b)
{
	b->streak = 0;
}

void
bulk_off(struct bulk *b)
{
	*b = (struct bulk){ 0 };
}
