/*
 * fuzz.h - what every target has in common: the function that libFuzzer calls,
 * and a check that holds in every build (an abort is what libFuzzer looks for).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
must(bool true_one)
{
	if (!true_one)
		abort();
}

#endif
