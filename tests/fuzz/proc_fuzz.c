/*
 * proc_fuzz.c - what a process may write over its own names and arguments: the
 * name first, then NUL, then the bytes of comm, cmdline and stat alike.
 */
#include "checkd/proc.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	struct proc p = { .pid = 1 };
	size_t rest;
	char *bytes;

	if (end == NULL)
		return 0;
	rest = size - (size_t)(end + 1 - data);
	bytes = malloc(rest > 0 ? rest : 1); /* its end is the end of memory */
	if (bytes == NULL)
		abort();
	memcpy(bytes, end + 1, rest);
	proc_set_comm(&p, bytes, rest);
	if (strlen(p.comm) > PROC_COMM_MAX)
		abort();
	p.cmdline = rest > 0 ? bytes : NULL;
	p.cmdline_size = rest;
	if (proc_is_named(&p, (const char *)data) && data[0] != 0 &&
	    memmem(bytes, rest, data, strlen((const char *)data)) == NULL)
		abort(); /* it found a name that is not there */
	(void)proc_is_alive(bytes, rest);
	free(bytes);
	return 0;
}
