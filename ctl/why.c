/*
 * why.c - why an instance is in its state (node.h): the priority sum term by
 * term with the evidence, who else speaks, and what would change it.
 */
#include "ctl/node.h"
#include "ctl/table.h"

#include <stdlib.h>
#include <string.h>

#define INDENT "  "

static bool
is(const json_t *object, const char *key, const char *value)
{
	return strcmp(node_str(object, key), value) == 0;
}

/* "down since 2026-...: exit 1 "..."": what the sum rests on. */
static char *
term_words(const json_t *node, const json_t *term)
{
	json_t *check = node_find(json_object_get(node, "checks"), "name", node_str(term, "name"));
	json_t *up = json_object_get(term, "up");
	const char *since = node_str(term, "since"), *evidence = node_str(term, "evidence");
	struct text t = { 0 };

	if (evidence[0] == '\0' && check != NULL)
		evidence = node_str(check, "lastDetail");
	if (json_is_boolean(up))
		text_add(&t, json_is_true(up) ? "up" : "down");
	else if (!is(term, "kind", "base") && !is(term, "kind", "operator"))
		text_add(&t, "no verdict yet");
	if (since[0] != '\0')
		text_addf(&t, "%ssince %s", t.length > 0 ? " " : "", since);
	if (evidence[0] != '\0')
		text_addf(&t, "%s%s", t.length > 0 ? ": " : "", evidence);
	return text_take(&t);
}

static void
add_terms(const json_t *node, const json_t *instance, bool colour, struct text *out)
{
	struct table t = { 0 };
	json_t *term;
	size_t i;

	json_array_foreach (json_object_get(instance, "terms"), i, term) {
		int contribution = (int)node_int(term, "contribution");
		bool base = is(term, "kind", "base"), fault = node_true(term, "fault");
		char *words = term_words(node, term);

		table_row(&t);
		if (fault)
			table_cell(&t, TABLE_BAD, "FAULT");
		else
			table_cellf(&t, contribution < 0 ? TABLE_WARN : TABLE_PLAIN,
			    base ? "%5d" : "%+5d", contribution);
		table_cellf(&t, TABLE_PLAIN, "%s%s%s", node_str(term, "kind"), base ? "" : " ",
		    base ? "" : node_str(term, "name"));
		table_cell(&t, TABLE_PLAIN, words);
		free(words);
	}
	table_print(&t, INDENT INDENT, colour, out);
}

static void
add_addresses(const json_t *instance, struct text *out)
{
	json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(instance, "virtualAddresses"), i, vip) {
		json_t *lease = json_object_get(vip, "leaseMs");

		text_addf(out, INDENT "%s/%d is %son %s", node_str(vip, "address"),
		    (int)node_int(vip, "prefixLength"), node_true(vip, "present") ? "" : "not ",
		    node_str(vip, "device"));
		if (node_true(vip, "present") && json_is_integer(lease))
			text_addf(
			    out, ", leased for %.1f s", (double)json_integer_value(lease) / 1000);
		text_add(out, "\n");
	}
}

/* ---- what would change it ---- */

/* The names of those terms that hold it back ("fault" or a negative part), and their sum. */
static int64_t
held_back(const json_t *instance, bool faults, struct text *names)
{
	int64_t sum = 0;
	json_t *term;
	size_t i;

	json_array_foreach (json_object_get(instance, "terms"), i, term) {
		int64_t part = node_int(term, "contribution");

		if (is(term, "kind", "base") || (faults ? !node_true(term, "fault") : part >= 0))
			continue;
		text_addf(names, "%s%s %s", names->length > 0 ? " and " : "",
		    node_str(term, "kind"), node_str(term, "name"));
		sum -= part;
	}
	return sum;
}

static void
would_as_fault(const json_t *instance, struct text *out)
{
	struct text names = { 0 };

	held_back(instance, true, &names);
	if (names.length > 0)
		text_addf(out, "It takes part again with %s up.\n", text_str(&names));
	else
		text_add(out, "It takes part again when that is over.\n");
	text_done(&names);
}

static void
would_as_backup(const json_t *instance, struct text *out)
{
	int64_t ours = node_int(instance, "effectivePriority");
	int64_t theirs = node_int(instance, "masterPriority");
	struct text names = { 0 };
	int64_t back = held_back(instance, false, &names);

	if (node_str(instance, "barred")[0] != '\0')
		text_addf(out, "It does not take over: %s.\n", node_str(instance, "barred"));
	else if (!json_is_integer(json_object_get(instance, "masterPriority")))
		text_add(out, "It becomes master when it has heard no master for long enough.\n");
	else if (ours > theirs && !node_true(instance, "preempt"))
		text_addf(out,
		    "It outranks the master (%lld > %lld), but nopreempt leaves a healthy master "
		    "the address.\n",
		    (long long)ours, (long long)theirs);
	else if (ours > theirs)
		text_addf(out, "It outranks the master (%lld > %lld) and is about to take over.\n",
		    (long long)ours, (long long)theirs);
	else if (ours + back > theirs)
		text_addf(out, "It would outrank the master (%lld > %lld) with %s up.\n",
		    (long long)(ours + back), (long long)theirs, text_str(&names));
	else
		text_addf(out,
		    "It becomes master when the master falls silent, or below priority %lld.\n",
		    (long long)ours);
	text_done(&names);
}

static void
add_would(const json_t *instance, struct text *out)
{
	text_add(out, INDENT);
	if (is(instance, "state", "fault"))
		would_as_fault(instance, out);
	else if (is(instance, "state", "master"))
		text_addf(out, "It stays master until another node advertises more than %lld.\n",
		    (long long)node_int(instance, "effectivePriority"));
	else
		would_as_backup(instance, out);
}

/* ---- the whole ---- */

static void
add_state(const json_t *instance, mono_t now, bool colour, struct text *out)
{
	char *state = node_upper(node_str(instance, "state"));
	int64_t since = node_int(instance, "lastTransitionUsec");

	table_styled(out, TABLE_BOLD, colour, node_str(instance, "key"));
	text_add(out, " is ");
	table_styled(out, is(instance, "state", "fault") ? TABLE_BAD : TABLE_GOOD, colour, state);
	if (since > 0) {
		text_add(out, " for ");
		node_age(out, now.us - since);
		text_addf(out, " (since %s)", node_str(instance, "lastTransitionAt"));
	}
	text_addf(out, ": %s\n", node_str(instance, "reason"));
	free(state);
}

static void
add_peer(const json_t *instance, struct text *out)
{
	const char *master = node_str(instance, "masterAddress");
	json_t *words;
	size_t i;

	if (master[0] != '\0' && !is(instance, "state", "master"))
		text_addf(out, INDENT "The master is %s, priority %lld.\n", master,
		    (long long)node_int(instance, "masterPriority"));
	else if (!is(instance, "state", "master"))
		text_add(out, INDENT "No master is heard.\n");
	json_array_foreach (json_object_get(instance, "peerDiffers"), i, words) {
		text_addf(out, INDENT "The peer differs: %s\n", json_string_value(words));
	}
}

void
node_why(const json_t *node, const json_t *instance, mono_t now, bool colour, struct text *out)
{
	add_state(instance, now, colour, out);
	text_addf(out, INDENT "Its priority is %lld:\n",
	    (long long)node_int(instance, "effectivePriority"));
	add_terms(node, instance, colour, out);
	add_peer(instance, out);
	add_addresses(instance, out);
	if (node_str(instance, "syncGroup")[0] != '\0')
		text_addf(
		    out, INDENT "It moves with sync group %s.\n", node_str(instance, "syncGroup"));
	add_would(instance, out);
}
