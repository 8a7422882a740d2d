/*
 * conf_fuzz.c - any bytes as a configuration: no crash, and what loads without
 * errors has a normal form that loads again, without errors, to itself.
 *
 * On a host where nothing can be read: includes are errors.
 */
#include "common/conf/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
no_line(void *aux, const char *line)
{
	(void)aux, (void)line;
	abort(); /* nothing changes between a file and itself */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct conf_host nowhere = { .node_id = "n1" };
	struct conf_diags diags = { 0 }, again_diags = { 0 };
	struct text said = { 0 };
	struct conf *conf, *again;

	conf = conf_load_text(&nowhere, "fuzz", (const char *)data, size, &diags);
	for (size_t i = 0; i < diags.n; i++)
		conf_diag_print(&diags.items[i], &said);
	if (conf != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) == 0) {
		again = conf_load_text(
		    &nowhere, "normal", conf->normal, strlen(conf->normal), &again_diags);
		if (again == NULL || conf_diags_count(&again_diags, CONF_ERROR, CONF_ALL) > 0 ||
		    strcmp(again->normal, conf->normal) != 0)
			abort();
		conf_diff(conf, again, CONF_ALL, no_line, NULL);
		free(conf_normal_redacted(conf));
		conf_free(again);
		conf_diags_done(&again_diags);
	}
	text_done(&said);
	conf_diags_done(&diags);
	conf_free(conf);
	return 0;
}
