/*
 * dumpable.c - preloaded into a daemon that has dropped root: at its end it is dumpable again
 * (prctl(2)), so that LeakSanitizer may look at it.
 */
#include <sys/prctl.h>

__attribute__((destructor)) static void
let_be_looked_at(void)
{
	prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}
