/*
 * number.c - see number.h.
 */
#include "checkd/number.h"

#include <stdbool.h>

const char number_empty[] = "is empty";

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *
number_parse(const char *bytes, size_t size, int32_t *ret_value)
{
	bool negative = false;
	int64_t n = 0;
	size_t i = 0, digits;

	while (size > 0 && is_blank(bytes[size - 1]))
		size--;
	while (i < size && is_blank(bytes[i]))
		i++;
	if (i == size)
		return number_empty;
	if (size > NUMBER_BYTES_MAX)
		return "holds more than a number";
	if (bytes[i] == '-' || bytes[i] == '+')
		negative = bytes[i++] == '-';
	for (digits = i; i < size && bytes[i] >= '0' && bytes[i] <= '9'; i++)
		if (n <= INT32_MAX) /* one digit more cannot overflow 64 bits */
			n = n * 10 + (bytes[i] - '0');
	if (i < size || i == digits)
		return "does not hold a number";
	if (negative)
		n = -n;
	if (n < INT32_MIN || n > INT32_MAX)
		return "holds a number beyond 32 bits";
	*ret_value = (int32_t)n;
	return NULL;
}
