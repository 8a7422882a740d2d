/*
 * adopt_test.c - go on, listen or start anew, and the record it is decided from.
 */
#include "tests/unit/test.h"
#include "vrrpd/adopt.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND INT64_C(1000000)
#define AT(s)  ((mono_t){ (int64_t)((s)*1000000.0) })
#define NEVER  MONO_NEVER
#define BOOT   "0f0e7a3c-0000-4000-8000-000000000001"

/* ---- the decision: interval 1 s, lease 3 s, now 1000 s ---- */

/* clang-format off */

static const struct {
	const char *what;
	struct record rec;
	enum vrrp_role role;
	mono_t advert_at;
	struct adopt_kernel kernel;
	mono_t monotonic;
	enum adopt_verdict verdict;
	enum adopt_why why;
	int64_t age_us;
} rows[] = {
#define REC(...)	{ .boot_id = BOOT, .stamp = AT(900), .monotonic = AT(800), __VA_ARGS__ }
#define KERNEL(age, left) { 1, 1, 1, AT(1000 - (age)), AT(1000 + (left)) }
{ "renewed 0.4 s ago", REC(.handover = false), VRRP_MASTER, AT(900), KERNEL(0.4, 2.6), AT(900),
	ADOPT_RESUME, ADOPT_OK, 400000 },
{ "renewed a little less than three intervals ago", REC(.handover = false), VRRP_MASTER, AT(900),
	KERNEL(2.9, 1.1), AT(900), ADOPT_RESUME, ADOPT_OK, 2900000 },
{ "three intervals ago, still leased", REC(.handover = false), VRRP_MASTER, AT(900),
	KERNEL(3, 1), AT(900), ADOPT_LISTEN, ADOPT_OK, 3000000 },
{ "three intervals ago, but an advert went out later", REC(.handover = false), VRRP_MASTER,
	AT(999.5), KERNEL(3, 1), AT(900), ADOPT_RESUME, ADOPT_OK, 500000 },
{ "the record is younger than the lease", REC(.handover = true), VRRP_MASTER, AT(999.9),
	KERNEL(2.5, 0.5), AT(900), ADOPT_RESUME, ADOPT_OK, 100000 },
{ "permanent addresses, handed over", REC(.handover = true), VRRP_MASTER, AT(999.9),
	{ 1, 1, 0, AT(0), NEVER }, AT(900), ADOPT_RESUME, ADOPT_OK, 100000 },
{ "vip_lease off, after a crash: listen", REC(.handover = false), VRRP_MASTER, AT(900),
	{ 1, 1, 0, AT(999.9), NEVER }, AT(900), ADOPT_LISTEN, ADOPT_OK, 100000 * 1000 },
{ "vip_lease off, and somebody removed them", REC(.handover = false), VRRP_MASTER, AT(900),
	{ 1, 0, 0, AT(0), NEVER }, AT(900), ADOPT_NONE, ADOPT_NO_ADDRESS, 0 },
{ "vip_lease off, but the last one had it on and it is over", REC(.handover = false),
	VRRP_MASTER, AT(900), KERNEL(4, 0), AT(900), ADOPT_NONE, ADOPT_TOO_OLD, 0 },
{ "vip_lease off, the host slept", REC(.handover = false), VRRP_MASTER, AT(900),
	{ 1, 1, 0, AT(999.9), NEVER }, AT(850), ADOPT_NONE, ADOPT_SUSPENDED, 0 },
{ "permanent addresses prove nothing", REC(.handover = false), VRRP_MASTER, AT(900),
	{ 1, 1, 0, AT(999.9), NEVER }, AT(900), ADOPT_NONE, ADOPT_TOO_OLD, 0 },
{ "the lease has ended", REC(.handover = false), VRRP_MASTER, AT(900), KERNEL(4, 0), AT(900),
	ADOPT_NONE, ADOPT_TOO_OLD, 0 },
{ "the addresses are gone", REC(.handover = false), VRRP_MASTER, AT(999.9),
	{ 1, 0, 0, AT(0), NEVER }, AT(900), ADOPT_NONE, ADOPT_NO_ADDRESS, 0 },
{ "one of two is gone: resume adds it", REC(.handover = false), VRRP_MASTER, AT(900),
	{ 2, 1, 1, AT(999.6), AT(1002.6) }, AT(900), ADOPT_RESUME, ADOPT_OK, 400000 },
{ "was backup", REC(.handover = false), VRRP_BACKUP, AT(0), KERNEL(0.4, 2.6), AT(900),
	ADOPT_NONE, ADOPT_NOT_MASTER, 0 },
{ "was in fault", REC(.handover = false), VRRP_FAULT, AT(0), KERNEL(0.4, 2.6), AT(900),
	ADOPT_NONE, ADOPT_NOT_MASTER, 0 },
{ "the host slept 50 s", REC(.handover = false), VRRP_MASTER, AT(900), KERNEL(0.4, 2.6), AT(850),
	ADOPT_NONE, ADOPT_SUSPENDED, 0 },
{ "a stamp from the future is now at best", REC(.handover = false), VRRP_MASTER, AT(2000),
	KERNEL(0.4, 2.6), AT(900), ADOPT_RESUME, ADOPT_OK, 0 },
{ "two adoptions of late", REC(.adoptions = { AT(980), AT(990) }, .n_adoptions = 2), VRRP_MASTER,
	AT(900), KERNEL(0.4, 2.6), AT(900), ADOPT_RESUME, ADOPT_OK, 400000 },
{ "a crash loop", REC(.adoptions = { AT(975), AT(980), AT(990) }, .n_adoptions = 3), VRRP_MASTER,
	AT(900), KERNEL(0.4, 2.6), AT(900), ADOPT_NONE, ADOPT_TOO_OFTEN, 0 },
{ "a crash loop long ago", REC(.adoptions = { AT(969), AT(980), AT(990) }, .n_adoptions = 3),
	VRRP_MASTER, AT(900), KERNEL(0.4, 2.6), AT(900), ADOPT_RESUME, ADOPT_OK, 400000 },
{ "planned restarts are no crash loop",
	REC(.handover = true, .adoptions = { AT(980), AT(985), AT(990) }, .n_adoptions = 3),
	VRRP_MASTER, AT(900), KERNEL(0.4, 2.6), AT(900), ADOPT_RESUME, ADOPT_OK, 400000 },
};

/* clang-format on */

static void
every_row(void **unused)
{
	static const char off[] = "vip_lease off";

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record_instance in = { .family = AF_INET,
			.vrid = 51,
			.interface = "eth0",
			.role = rows[i].role,
			.advert_at = rows[i].advert_at };
		struct adopt_clock now = { AT(1000), rows[i].monotonic };
		struct adopt_outcome out = adopt_decide(&rows[i].rec, &in, &rows[i].kernel, &now,
		    BOOT, 3 * SECOND,
		    strncmp(rows[i].what, off, strlen(off)) == 0 ? 0 : 3 * SECOND);

		if (out.verdict != rows[i].verdict)
			fail_msg("\"%s\": %s", rows[i].what, adopt_verdict_str(out.verdict));
		if (out.why != rows[i].why)
			fail_msg("\"%s\": %s", rows[i].what, adopt_why_str(out.why));
		if (out.age_us != rows[i].age_us)
			fail_msg("\"%s\": %lld us", rows[i].what, (long long)out.age_us);
	}
}

/* A suspend that the writer lived through is none: it writes the record again. */
static void
sleeping(void **unused)
{
	const struct record rec = { .stamp = AT(900), .monotonic = AT(800) };
	static const struct {
		struct adopt_clock now;
		bool slept;
	} want[] = { { { AT(1000), AT(900) }, false }, { { AT(1000.1), AT(900) }, false },
		{ { AT(1000.2), AT(900) }, true }, { { AT(5000), AT(900) }, true },
		{ { AT(1000), AT(901) }, true } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(adopt_slept(&rec, &want[i].now), want[i].slept);
}

/* Whole or not at all. */
static void
together(void **unused)
{
	static const struct {
		enum adopt_verdict own[3], all;
		enum adopt_why why[3];
	} want[] = {
		{ { ADOPT_RESUME, ADOPT_RESUME, ADOPT_RESUME }, ADOPT_RESUME, { 0 } },
		{ { ADOPT_RESUME, ADOPT_LISTEN, ADOPT_RESUME }, ADOPT_LISTEN, { 0 } },
		{ { ADOPT_RESUME, ADOPT_LISTEN, ADOPT_NONE }, ADOPT_NONE,
		    { ADOPT_GROUP, ADOPT_GROUP, ADOPT_NO_ADDRESS } },
		{ { ADOPT_NONE, ADOPT_RESUME, ADOPT_RESUME }, ADOPT_NONE,
		    { ADOPT_NO_ADDRESS, ADOPT_GROUP, ADOPT_GROUP } },
		{ { ADOPT_NONE, ADOPT_NONE, ADOPT_NONE }, ADOPT_NONE,
		    { ADOPT_NO_ADDRESS, ADOPT_NO_ADDRESS, ADOPT_NO_ADDRESS } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct adopt_outcome outs[3] = { 0 };

		for (size_t k = 0; k < 3; k++) {
			outs[k].verdict = want[i].own[k];
			outs[k].why = outs[k].verdict == ADOPT_NONE ? ADOPT_NO_ADDRESS : ADOPT_OK;
		}
		adopt_together(outs, 3);
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(outs[k].verdict, want[i].all);
			assert_int_equal(outs[k].why, want[i].why[k]);
		}
	}
	adopt_together(NULL, 0);
}

static void
nothing_to_go_on(void **unused)
{
	const struct record rec = { .boot_id = BOOT };
	const struct record_instance in = { .role = VRRP_MASTER };
	const struct adopt_kernel kernel = { 1, 1, 1, AT(1000), AT(1003) };
	const struct adopt_clock now = { AT(1000), AT(1000) };

	(void)unused;
	assert_int_equal(
	    adopt_decide(NULL, NULL, &kernel, &now, BOOT, 3 * SECOND, 0).why, ADOPT_NO_RECORD);
	assert_int_equal(
	    adopt_decide(&rec, NULL, &kernel, &now, BOOT, 3 * SECOND, 0).why, ADOPT_NO_RECORD);
	assert_int_equal(
	    adopt_decide(&rec, &in, &kernel, &now, "other", 3 * SECOND, 0).why, ADOPT_REBOOTED);
}

/* ---- the record ---- */

static struct record_term two_terms[] = {
	{ PRIO_SCRIPT, "chk_nginx", PRIO_DOWN, AT(1003), AT(990),
	    "exit 1 \"Port 7443 Is Not Used,End.\"\n100%\tx" },
	{ PRIO_INTERFACE, "eth1", PRIO_UP, NEVER, AT(5), "" },
};
static struct record_instance two_instances[] = {
	{ AF_INET, 51, "eth0", VRRP_MASTER, 80, AT(999.5), two_terms, ARRAY_LEN(two_terms), -30,
	    AT(2000), false, AT(0) },
	{ AF_INET6, 51, "eth0", VRRP_BACKUP, 100, AT(0), NULL, 0, 7, NEVER, true, NEVER },
};
static const struct record sample = {
	.boot_id = BOOT,
	.stamp = AT(1000),
	.monotonic = AT(900),
	.handover = true,
	.adoptions = { AT(10), AT(20) },
	.n_adoptions = 2,
	.instances = two_instances,
	.n_instances = 2,
};

static void
assert_same(const struct record *a, const struct record *b)
{
	assert_string_equal(a->boot_id, b->boot_id);
	assert_int_equal(a->stamp.us, b->stamp.us);
	assert_int_equal(a->monotonic.us, b->monotonic.us);
	assert_int_equal(a->handover, b->handover);
	assert_int_equal(a->n_adoptions, b->n_adoptions);
	for (size_t i = 0; i < a->n_adoptions; i++)
		assert_int_equal(a->adoptions[i].us, b->adoptions[i].us);
	assert_int_equal(a->n_instances, b->n_instances);
	for (size_t i = 0; i < a->n_instances; i++) {
		const struct record_instance *x = &a->instances[i], *y = &b->instances[i];

		assert_int_equal(x->family, y->family);
		assert_int_equal(x->vrid, y->vrid);
		assert_string_equal(x->interface, y->interface);
		assert_int_equal(x->role, y->role);
		assert_int_equal(x->priority, y->priority);
		assert_int_equal(x->advert_at.us, y->advert_at.us);
		assert_int_equal(x->delta, y->delta);
		assert_int_equal(x->delta_until.us, y->delta_until.us);
		assert_int_equal(x->released, y->released);
		assert_int_equal(x->released_until.us, y->released_until.us);
		assert_int_equal(x->n_terms, y->n_terms);
		for (size_t k = 0; k < x->n_terms; k++) {
			assert_int_equal(x->terms[k].kind, y->terms[k].kind);
			assert_string_equal(x->terms[k].name, y->terms[k].name);
			assert_int_equal(x->terms[k].verdict, y->terms[k].verdict);
			assert_int_equal(x->terms[k].valid_until.us, y->terms[k].valid_until.us);
			assert_int_equal(x->terms[k].since.us, y->terms[k].since.us);
			assert_string_equal(x->terms[k].evidence, y->terms[k].evidence);
		}
	}
}

static void
there_and_back(void **unused)
{
	struct text out = { 0 };
	struct record back;

	(void)unused;
	record_encode(&sample, &out);
	assert_int_equal(record_decode(out.chars, out.length, &back), 0);
	assert_same(&sample, &back);
	record_done(&back);
	text_done(&out);
}

static void
finding(void **unused)
{
	const struct record_instance *in = record_find(&sample, AF_INET, 51, "eth0");

	(void)unused;
	assert_ptr_equal(in, &two_instances[0]);
	assert_ptr_equal(record_find(&sample, AF_INET6, 51, "eth0"), &two_instances[1]);
	assert_null(record_find(&sample, AF_INET, 52, "eth0"));
	assert_null(record_find(&sample, AF_INET, 51, "eth1"));
	assert_null(record_find(NULL, AF_INET, 51, "eth0"));
	assert_ptr_equal(record_find_term(in, PRIO_INTERFACE, "eth1"), &two_terms[1]);
	assert_null(record_find_term(in, PRIO_SCRIPT, "eth1"));
	assert_null(record_find_term(NULL, PRIO_SCRIPT, "eth1"));
}

static void
adoptions_are_bounded(void **unused)
{
	struct record rec = { 0 };

	(void)unused;
	for (int64_t i = 0; i < RECORD_ADOPTIONS_MAX + 3; i++)
		record_note_adoption(&rec, (mono_t){ i });
	assert_int_equal(rec.n_adoptions, RECORD_ADOPTIONS_MAX);
	assert_int_equal(rec.adoptions[0].us, 3);
	assert_int_equal(rec.adoptions[RECORD_ADOPTIONS_MAX - 1].us, RECORD_ADOPTIONS_MAX + 2);
}

/* Half a file is none: every shorter piece of a good one is refused. */
static void
truncated(void **unused)
{
	struct text out = { 0 };
	struct record back = { .n_instances = 99 };

	(void)unused;
	record_encode(&sample, &out);
	for (size_t n = 0; n < out.length; n++)
		assert_int_equal(record_decode(out.chars, n, &back), -EBADMSG);
	assert_int_equal(back.n_instances, 99);
	text_done(&out);
}

#define HEAD	 "trivet vrrpd state 1\nboot -\nclock 5 5 crash\n"
#define INSTANCE "instance ipv4 51 =eth0 MASTER 100 0\n"

static void
refused(void **unused)
{
	static const struct {
		const char *what, *text;
		int want;
	} rows_[] = {
		{ "the least", HEAD "end\n", 0 },
		{ "another version", "trivet vrrpd state 2\n", -EPROTONOSUPPORT },
		{ "another file", "hello\n", -EBADMSG },
		{ "version overflow", "trivet vrrpd state 99999999999\n", -EBADMSG },
		{ "negative time", "trivet vrrpd state 1\nboot -\nclock -5 5 crash\nend\n",
		    -EBADMSG },
		{ "time overflow",
		    "trivet vrrpd state 1\nboot -\nclock 9223372036854775808 5 crash\nend\n",
		    -EBADMSG },
		{ "long boot id",
		    "trivet vrrpd state 1\nboot 0123456789012345678901234567890123456\n"
		    "clock 5 5 crash\nend\n",
		    -EBADMSG },
		{ "a word after the end", HEAD "end\nx\n", -EBADMSG },
		{ "an unknown line", HEAD "hello\nend\n", -EBADMSG },
		{ "a term of nobody", HEAD "term script =a up 0 0 =\nend\n", -EBADMSG },
		{ "a good term", HEAD INSTANCE "term script =a up 0 0 =\nend\n", 0 },
		{ "operator's words", HEAD INSTANCE "adjusted - 30 never\nreleased 9\nend\n", 0 },
		{ "operator's words of nobody", HEAD "adjusted - 30 never\nend\n", -EBADMSG },
		{ "a release of nobody", HEAD "released 9\nend\n", -EBADMSG },
		{ "no adjustment", HEAD INSTANCE "adjusted + 0 never\nend\n", -EBADMSG },
		{ "too great an adjustment", HEAD INSTANCE "adjusted + 256 never\nend\n",
		    -EBADMSG },
		{ "no sign", HEAD INSTANCE "adjusted 30 never\nend\n", -EBADMSG },
		{ "no end of a release", HEAD INSTANCE "released\nend\n", -EBADMSG },
		{ "an unknown kind", HEAD INSTANCE "term x =a up 0 0 =\nend\n", -EBADMSG },
		{ "an unknown verdict", HEAD INSTANCE "term script =a x 0 0 =\nend\n", -EBADMSG },
		{ "a text without =", HEAD INSTANCE "term script a up 0 0 =\nend\n", -EBADMSG },
		{ "half an escape", HEAD INSTANCE "term script =a% up 0 0 =\nend\n", -EBADMSG },
		{ "NUL in a text", HEAD INSTANCE "term script =a%00 up 0 0 =\nend\n", -EBADMSG },
		{ "one word more", HEAD INSTANCE "term script =a up 0 0 = x\nend\n", -EBADMSG },
		{ "VRID 256", HEAD "instance ipv4 256 =eth0 MASTER 100 0\nend\n", -EBADMSG },
		{ "an unknown role", HEAD "instance ipv4 5 =eth0 KING 100 0\nend\n", -EBADMSG },
		{ "a long interface name",
		    HEAD "instance ipv4 5 =eth0123456789012 MASTER 100 0\nend\n", -EBADMSG },
	};
	struct record rec;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
		int r = record_decode(rows_[i].text, strlen(rows_[i].text), &rec);

		if (r != rows_[i].want)
			fail_msg("\"%s\": %d", rows_[i].what, r);
		if (r == 0)
			record_done(&rec);
	}
}

/* No file makes the reader keep more than the bounds say. */
static void
bounded(void **unused)
{
	struct text terms = { 0 }, adopted = { 0 };
	struct record rec;

	(void)unused;
	text_add(&terms, HEAD INSTANCE);
	for (int i = 0; i <= RECORD_TERMS_MAX; i++)
		text_add(&terms, "term script =a up 0 0 =\n");
	text_add(&terms, "end\n");
	assert_int_equal(record_decode(terms.chars, terms.length, &rec), -EFBIG);

	text_add(&adopted, HEAD);
	for (int i = 0; i <= RECORD_ADOPTIONS_MAX; i++)
		text_add(&adopted, "adopted 5\n");
	text_add(&adopted, "end\n");
	assert_int_equal(record_decode(adopted.chars, adopted.length, &rec), -EFBIG);
	assert_int_equal(record_decode("", RECORD_SIZE_MAX + 1, &rec), -EFBIG);
	text_done(&terms);
	text_done(&adopted);
}

/* A text longer than the reader takes is cut by the writer. */
static void
long_texts_are_cut(void **unused)
{
	static struct record_term term = { .kind = PRIO_SCRIPT, .name = "a" };
	struct record_instance in = { .family = AF_INET,
		.vrid = 1,
		.interface = "eth0",
		.role = VRRP_MASTER,
		.priority = 1,
		.terms = &term,
		.n_terms = 1 };
	struct record rec = { .instances = &in, .n_instances = 1 }, back;
	struct text out = { 0 };

	(void)unused;
	memset(term.evidence, '%', sizeof(term.evidence) - 1);
	record_encode(&rec, &out);
	assert_int_equal(record_decode(out.chars, out.length, &back), 0);
	assert_string_equal(back.instances[0].terms[0].evidence, term.evidence);
	record_done(&back);
	text_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(sleeping),
		cmocka_unit_test(together),
		cmocka_unit_test(nothing_to_go_on),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(finding),
		cmocka_unit_test(adoptions_are_bounded),
		cmocka_unit_test(truncated),
		cmocka_unit_test(refused),
		cmocka_unit_test(bounded),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
