/*
 * check.c - `trivet check`: is a configuration good, exactly as the daemons
 * would read it; and do the files of several nodes fit each other (pair.h)?
 */
#include "common/conf_host.h"
#include "ctl/ctl.h"
#include "ctl/pair.h"
#include "ctl/table.h"
#include "ctl/whatif.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX WHATIF_SIDES_MAX

struct file {
	const char *path;    /* NULL: 'text' */
	const char *node_id; /* -i given before it, or NULL */
	char *text;	     /* of --keepalived and --nginx together */
	char *name;	     /* for people */
	struct conf *conf;
	struct conf_diags diags;
};

struct check {
	const struct ctl *ctl;
	struct file files[FILES_MAX];
	size_t n;
	bool prints;
	json_t *result; /* --json: all diagnostics */
};

/* ---- what is said ---- */

static void
print_diag(struct check *c, const struct conf_diag *d)
{
	struct text out = { 0 };

	if (c->ctl->json) {
		json_array_append_new(c->result,
		    json_pack("{s:s, s:s, s:i, s:i, s:s}", "severity",
			conf_severity_str(d->severity), "file", d->file, "line", (int)d->pos.line,
			"column", (int)d->pos.column, "message", d->message));
		return;
	}
	conf_diag_print(d, &out);
	fputs(text_str(&out), stderr);
	text_done(&out);
}

static void
print_finding(struct check *c, const struct pair_finding *f)
{
	const struct conf *conf = c->files[f->node].conf;
	struct conf_diag d = {
		.severity = f->severity,
		.part = CONF_VRRP,
		.file = f->pos.line > 0 && f->pos.file < conf->n_files ? conf->files[f->pos.file]
								       : c->files[f->node].name,
		.pos = f->pos,
		.message = f->message,
	};

	print_diag(c, &d);
}

/* "1 error, 2 warnings": with the right ending. */
static void
add_count(struct text *out, size_t n, const char *what)
{
	if (n > 0)
		text_addf(
		    out, "%s%zu %s%s", out->length > 0 ? ", " : "", n, what, n == 1 ? "" : "s");
}

static void
print_summary(const struct check *c, const size_t counts[static CONF_ERROR + 1])
{
	struct text out = { 0 };

	add_count(&out, counts[CONF_ERROR], "error");
	add_count(&out, counts[CONF_WARNING], "warning");
	add_count(&out, counts[CONF_NOTICE], "notice");
	for (size_t i = 0; i < c->n; i++)
		fprintf(stderr, "%s%s", i > 0 ? ", " : "", c->files[i].name);
	fprintf(stderr, ": %s%s%s\n", counts[CONF_ERROR] == 0 ? "good" : "not usable",
	    out.length > 0 ? "; " : "", text_str(&out));
	text_done(&out);
}

/* What a file amounts to, when it is good: so that a reader sees that all of it was read. */
static void
print_contents(const struct file *f)
{
	const struct conf *conf = f->conf;
	struct text out = { 0 };

	add_count(&out, conf->n_instances, "instance");
	add_count(&out, conf->n_checks, "check");
	add_count(&out, conf->n_listeners, "listener");
	add_count(&out, conf->n_upstreams, "upstream");
	fprintf(
	    stderr, "%s: %s\n", f->name, out.length > 0 ? text_str(&out) : "nothing configured");
	text_done(&out);
}

/* ---- reading ---- */

static void
load(struct file *f)
{
	struct conf_host host = conf_host_real(f->node_id);

	if (f->text != NULL)
		f->conf = conf_load_text(&host, f->name, f->text, strlen(f->text), &f->diags);
	else
		f->conf = conf_load(&host, f->path, &f->diags);
}

/* An absolute path, since a text without a file has no directory; quoted for the language. */
static void
add_include(struct text *out, const char *directive, const char *path)
{
	char *full = realpath(path, NULL);

	text_addf(out, "%s \"%s\"\n", directive, full != NULL ? full : path);
	free(full);
}

/* ---- the whole ---- */

static void
count_diags(const struct file *f, size_t counts[static CONF_ERROR + 1])
{
	for (int s = CONF_NOTICE; s <= CONF_ERROR; s++)
		counts[s] += conf_diags_count(&f->diags, (enum conf_severity)s, CONF_ALL);
	counts[CONF_ERROR] += f->conf == NULL && f->diags.n == 0;
}

static void
check_files(struct check *c, size_t counts[static CONF_ERROR + 1])
{
	for (size_t i = 0; i < c->n; i++) {
		struct file *f = &c->files[i];

		load(f);
		for (size_t k = 0; k < f->diags.n; k++)
			print_diag(c, &f->diags.items[k]);
		if (f->diags.n_dropped > 0)
			fprintf(stderr, "%s: %zu more\n", f->name, f->diags.n_dropped);
		count_diags(f, counts);
	}
}

static void
check_against(struct check *c, size_t counts[static CONF_ERROR + 1])
{
	struct pair_node nodes[FILES_MAX];
	struct pair_findings findings;

	for (size_t i = 0; i < c->n; i++)
		nodes[i] = (struct pair_node){ c->files[i].name, c->files[i].conf };
	pair_check(nodes, c->n, &findings);
	for (size_t i = 0; i < findings.n; i++) {
		print_finding(c, &findings.items[i]);
		counts[findings.items[i].severity]++;
	}
	pair_findings_done(&findings);
}

/* ---- what if ---- */

static const char *
side_name(const struct whatif_side *sides, size_t i)
{
	return i == SIZE_MAX ? "nobody" : sides[i].name;
}

static void
add_row(struct table *t, const struct whatif_side *sides, const struct whatif_row *row)
{
	bool moves = row->after != row->before;

	table_row(t);
	table_cell(t, TABLE_PLAIN, row->what);
	table_cell(t, TABLE_PLAIN, side_name(sides, row->before));
	table_cell(
	    t, row->after == SIZE_MAX ? TABLE_BAD : TABLE_PLAIN, side_name(sides, row->after));
	if (moves && row->after != SIZE_MAX && row->notice_us > 0)
		table_cellf(t, TABLE_PLAIN, "%.2f s, and up to %.2f s to notice",
		    (double)row->move_us / USEC_PER_SEC, (double)row->notice_us / USEC_PER_SEC);
	else if (moves && row->after != SIZE_MAX)
		table_cellf(t, TABLE_PLAIN, "%.2f s", (double)row->move_us / USEC_PER_SEC);
}

static void
print_whatif(const struct check *c, const struct whatif_side *sides, size_t n)
{
	struct whatif_rows rows;
	struct text out = { 0 };
	struct table t = { 0 };

	whatif_run(sides, n, &rows);
	table_row(&t);
	table_cell(&t, TABLE_BOLD, sides[0].vi->name);
	table_cell(&t, TABLE_BOLD, "master");
	table_cell(&t, TABLE_BOLD, "then");
	table_cell(&t, TABLE_BOLD, "within");
	for (size_t i = 0; i < rows.n; i++)
		add_row(&t, sides, &rows.items[i]);
	table_print(&t, "", c->ctl->colour, &out);
	fputs(text_str(&out), stdout);
	text_done(&out);
	whatif_rows_done(&rows);
}

/* The first file says which routers there are; the others, who takes part. */
static void
print_whatifs(const struct check *c)
{
	const struct conf *first = c->files[0].conf;

	for (size_t i = 0; i < first->n_instances; i++) {
		struct whatif_side sides[FILES_MAX];
		size_t n = 0;

		for (size_t k = 0; k < c->n; k++) {
			const struct vrrp_conf *vi = k == 0 ? &first->instances[i]
							    : pair_partner(&first->instances[i],
								  c->files[k].conf);
			const char *id = c->files[k].node_id;

			if (vi != NULL)
				sides[n++] = (struct whatif_side){
					id != NULL ? id : c->files[k].name, vi, c->files[k].conf
				};
		}
		if (n > 1)
			print_whatif(c, sides, n);
	}
}

static void
print_normal(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		char *normal = conf_normal_redacted(c->files[i].conf);

		fputs(normal, stdout);
		free(normal);
	}
}

static int
run(struct check *c)
{
	size_t counts[CONF_ERROR + 1] = { 0 };

	check_files(c, counts);
	if (counts[CONF_ERROR] == 0 && c->n > 1)
		check_against(c, counts);
	if (counts[CONF_ERROR] == 0 && c->prints)
		print_normal(c);
	if (c->ctl->json) {
		ctl_print_json(c->result);
	} else {
		for (size_t i = 0; i < c->n && counts[CONF_ERROR] == 0; i++)
			print_contents(&c->files[i]);
		print_summary(c, counts);
		if (counts[CONF_ERROR] == 0 && c->n > 1 && !c->prints)
			print_whatifs(c);
	}
	return counts[CONF_ERROR] == 0 ? EXIT_OK : EXIT_CONFIG;
}

static void
done(struct check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		conf_free(c->files[i].conf);
		conf_diags_done(&c->files[i].diags);
		free(c->files[i].text);
		free(c->files[i].name);
	}
	json_decref(c->result);
}

static int
add_file(struct check *c, const char *path, const char *node_id)
{
	if (c->n == FILES_MAX)
		return ctl_usage("check", "more than %d files", FILES_MAX);
	c->files[c->n++] = (struct file){
		.path = path,
		.node_id = node_id,
		.name = node_id != NULL ? xasprintf("%s@%s", path, node_id) : xstrdup(path),
	};
	return -1;
}

/* Files in the order given; each -i holds for those after it.  -1 to go on. */
static int
parse_options(struct check *c, int argc, char **argv)
{
	enum { OPT_KEEPALIVED = 256, OPT_NGINX, OPT_PRINT };
	static const struct option longs[] = {
		{ "keepalived", required_argument, NULL, OPT_KEEPALIVED },
		{ "nginx", required_argument, NULL, OPT_NGINX },
		{ "print", no_argument, NULL, OPT_PRINT },
		{ NULL, 0, NULL, 0 },
	};
	const char *node_id = NULL;
	struct text both = { 0 };
	int o, code = -1;

	while (code < 0 && (o = getopt_long(argc, argv, "-i:", longs, NULL)) != -1) {
		if (o == 1)
			code = add_file(c, optarg, node_id);
		else if (o == 'i')
			node_id = optarg;
		else if (o == OPT_KEEPALIVED)
			add_include(&both, "keepalived_conf", optarg);
		else if (o == OPT_NGINX)
			add_include(&both, "nginx_conf", optarg);
		else if (o == OPT_PRINT)
			c->prints = true;
		else
			code = ctl_usage("check", "unknown option");
	}
	while (code < 0 && optind < argc) /* after "--" */
		code = add_file(c, argv[optind++], node_id);
	if (code < 0 && both.length > 0 && (code = add_file(c, "command line", node_id)) < 0)
		c->files[c->n - 1].text = text_take(&both);
	text_done(&both);
	return code < 0 && c->n == 0 ? ctl_usage("check", "which file?") : code;
}

int
verb_check(const struct ctl *ctl, int argc, char **argv)
{
	struct check c = { .ctl = ctl, .result = json_array() };
	int code = parse_options(&c, argc, argv);

	if (code < 0)
		code = run(&c);
	done(&c);
	return code;
}
