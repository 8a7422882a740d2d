/*
 * main.c - sim: the election, run many times.
 *
 *	sim --seeds N [--from S]	N runs from seeds S, S+1 ...
 *	sim --seed S [-v]		one of them, with -v step by step
 *	sim [-v] FILE.sim...		scenarios (the language: script.c)
 *
 * Prints what failed and how to see it again, and closes with "N passed, N
 * failed".  Exits with 1 if anything failed, 2 for wrong usage.
 */
#include "tests/sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned passed, failed;
static struct world world; /* too large for a stack */

static int
usage(void)
{
	fprintf(stderr, "usage: sim --seeds N [--from S] | --seed S [-v] | [-v] FILE.sim...\n");
	return 2;
}

static void
one_seed(uint64_t seed)
{
	if (random_run(&world, seed)) {
		passed++;
		return;
	}
	failed++;
	printf("FAIL seed %llu: %s\n     again: sim --seed %llu -v\n", (unsigned long long)seed,
	    world.judge.failure, (unsigned long long)seed);
}

static bool
one_file(const char *path)
{
	int r = script_run(&world, path);

	if (r < 0) {
		fprintf(stderr, "sim: %s: %s\n", path, strerror(-r));
		return false;
	}
	if (world.judge.failure[0] == '\0') {
		passed++;
		return true;
	}
	failed++;
	printf("FAIL %s: %s\n     again: sim -v %s\n", path, world.judge.failure, path);
	return true;
}

static bool
number(const char *text, uint64_t *ret)
{
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

int
main(int argc, char *argv[])
{
	uint64_t n_seeds = 0, seed = 1;
	int n_files = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0) {
			world.verbose = true;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			if (!number(argv[++i], &n_seeds))
				return usage();
		} else if (strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--seed") == 0) {
			n_seeds = argv[i][2] == 's' ? 1 : n_seeds;
			if (!number(argv[++i], &seed))
				return usage();
		} else if (argv[i][0] == '-') {
			return usage();
		} else {
			argv[n_files++] = argv[i];
		}
	}
	if (n_seeds == 0 && n_files == 0)
		return usage();
	for (uint64_t i = 0; i < n_seeds; i++)
		one_seed(seed + i);
	for (int i = 0; i < n_files; i++)
		if (!one_file(argv[i]))
			return 1;
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
