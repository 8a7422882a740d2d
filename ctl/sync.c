/*
 * sync.c - `trivet sync`: the configuration to the other nodes, by a script that
 * stands beside the daemons (trivet-sync.sh).
 */
#include "ctl/ctl.h"

#include "ctl/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
verb_sync(const struct ctl *ctl, int argc, char **argv)
{
	char *program = run_find_program("trivet-sync");

	(void)ctl;
	(void)argc;
	if (program == NULL)
		return ctl_fail("sync", "trivet-sync: not found beside trivet");
	execv(program, argv);
	return ctl_fail("sync", "%s: %s", program, strerror(errno));
}
