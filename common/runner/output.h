/*
 * output.h - what is kept of everything a script prints: its beginning and its
 * last line, however much it is and whatever bytes it has.  Pure.
 */
#ifndef COMMON_RUNNER_OUTPUT_H
#define COMMON_RUNNER_OUTPUT_H

#include "common/runner/protocol.h"

struct output { /* zeroed is empty */
	char head[RUNNER_OUTPUT_MAX];
	size_t head_size;
	char line[RUNNER_OUTPUT_MAX]; /* the line being printed; what is longer is cut */
	size_t line_size;
	char last[RUNNER_OUTPUT_MAX]; /* the last line with something in it */
	size_t last_size;
};

void output_add(struct output *, const char *bytes, size_t size);

/*
 * As text: valid UTF-8, each malformed byte a '?', control characters a space
 * (a newline stays one in the head).  A line that was not ended counts.
 */
#define OUTPUT_STR_MAX (RUNNER_OUTPUT_MAX + 1)
const char *output_head(const struct output *, char buf[static OUTPUT_STR_MAX]);
const char *output_last_line(const struct output *, char buf[static OUTPUT_STR_MAX]);

#endif
