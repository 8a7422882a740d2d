/*
 * record_fuzz.c - whatever lies in the state file.  What is accepted is within
 * its bounds and can be written again, to the same text ever after.
 */
#include "vrrpd/record.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record first, second;
	struct text once = { 0 }, twice = { 0 };

	if (record_decode((const char *)data, size, &first) < 0)
		return 0;
	must(first.n_adoptions <= RECORD_ADOPTIONS_MAX);
	must(first.n_instances <= RECORD_INSTANCES_MAX);
	record_encode(&first, &once);
	must(record_decode(once.chars, once.length, &second) == 0);
	must(second.n_instances == first.n_instances);
	record_encode(&second, &twice);
	must(strcmp(once.chars, twice.chars) == 0);
	record_done(&first);
	record_done(&second);
	text_done(&once);
	text_done(&twice);
	return 0;
}
