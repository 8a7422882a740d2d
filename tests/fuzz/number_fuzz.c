/*
 * number_fuzz.c - whatever a tracked file holds: what is taken for a number says
 * so again when it is written down.
 */
#include "checkd/number.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1); /* its end is the end of memory */
	int32_t value = 0, again = 0;
	char text[16];

	must(copy != NULL);
	memcpy(copy, data, size);
	if (number_parse(copy, size, &value) == NULL) {
		snprintf(text, sizeof(text), "%d", value);
		must(number_parse(text, strlen(text), &again) == NULL && again == value);
		must(strtol(text, NULL, 10) == value);
	}
	free(copy);
	return 0;
}
