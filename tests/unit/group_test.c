/*
 * group_test.c - all members MASTER together or none, one in FAULT and all are.
 */
#include "tests/unit/test.h"
#include "vrrpd/group.h"

#include <string.h>
#include <sys/socket.h>

#define N	3
#define NEVER	MONO_NEVER
#define PEER(p) .heard = { .source = { .family = AF_INET }, .priority = (p), .best = (p) }

/* clang-format off */

#define I	{ .role = VRRP_INIT }
#define M	{ .role = VRRP_MASTER, .preempt_at = NEVER }
#define F	{ .role = VRRP_FAULT, .preempt_at = NEVER }
#define LISTENS	{ .role = VRRP_BACKUP, .preempt_at = NEVER }
#define WANTS	{ .role = VRRP_BACKUP, .preempt_at = NEVER, .wants = true }
#define FOLLOWS	{ .role = VRRP_BACKUP, .preempt_at = NEVER, PEER(200) }
#define RESIGNED { .role = VRRP_BACKUP, .preempt_at = NEVER, PEER(0) }
#define CHALLENGES { .role = VRRP_BACKUP, .preempt_at = { 5 }, PEER(50) }
#define OFF	{ .role = VRRP_BACKUP, .preempt_at = NEVER, .release.on = true }
#define DEAF	{ .role = VRRP_BACKUP, .preempt_at = NEVER, .deaf.on = true, PEER(50) }
#define DEAF_RESIGNED { .role = VRRP_BACKUP, .preempt_at = NEVER, .deaf.on = true, PEER(0) }

static const struct {
	const char *what;
	struct vrrp_state members[N];
	const char *fault[N];
	const char *orders; /* a letter a member: f(ault), c(leared), m(aster), b(ackup), - */
	size_t because;
} rows[] = {
{ "all masters", { M, M, M }, { 0 }, "---", 0 },
{ "all backups, one wants to", { WANTS, FOLLOWS, WANTS }, { 0 }, "---", 0 },
{ "all want to", { WANTS, WANTS, WANTS }, { 0 }, "mmm", 0 },
{ "one is not started: nobody takes over", { WANTS, WANTS, I }, { 0 }, "---", 0 },
{ "one follows another master: the others let go", { M, FOLLOWS, M }, { 0 }, "b-b", 1 },
{ "one was released", { OFF, M, M }, { 0 }, "-bb", 0 },
{ "one is deaf", { M, M, DEAF }, { 0 }, "bb-", 2 },
{ "one is deaf, and the master that it gave way to resigned", { M, M, DEAF_RESIGNED }, { 0 },
	"bb-", 2 },
{ "the first of two is told of", { M, FOLLOWS, OFF }, { 0 }, "b--", 1 },
{ "one listens: waited for", { M, LISTENS, M }, { 0 }, "---", 0 },
{ "... then it wants to: it joins", { M, WANTS, M }, { 0 }, "-m-", 0 },
{ "... or follows: they let go", { M, FOLLOWS, M }, { 0 }, "b-b", 1 },
{ "its master resigned: waited for", { M, RESIGNED, M }, { 0 }, "---", 0 },
{ "it challenges a lower one: waited for", { M, CHALLENGES, M }, { 0 }, "---", 0 },
{ "one wants to, one listens", { M, WANTS, LISTENS }, { 0 }, "---", 0 },
{ "a fault: all", { M, M, M }, { NULL, "cable", NULL }, "fff", 1 },
{ "a fault among backups: all", { FOLLOWS, WANTS, LISTENS }, { "cable", NULL, NULL }, "fff", 0 },
{ "a fault: who is there already stays", { M, F, F }, { NULL, "cable", NULL }, "f--", 1 },
{ "not started: not in fault either", { I, M, M }, { NULL, "cable", NULL }, "-ff", 1 },
{ "two faults, one clears: nothing", { F, F, F }, { NULL, NULL, "cable" }, "---", 0 },
{ "the last fault clears: all", { F, F, F }, { 0 }, "ccc", 0 },
{ "a fault before the roles", { F, FOLLOWS, M }, { "cable", NULL, NULL }, "-ff", 0 },
};

/* clang-format on */

static char
letter(enum vrrp_event_kind kind)
{
	switch (kind) {
	case VRRP_EV_FAULT:
		return 'f';
	case VRRP_EV_FAULT_CLEARED:
		return 'c';
	case VRRP_EV_GROUP_MASTER:
		return 'm';
	case VRRP_EV_GROUP_BACKUP:
		return 'b';
	default:
		return kind == VRRP_EV_MAX ? '-' : '?';
	}
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct group_member m[N];
		struct group_order orders[N];
		size_t n = 0, got;

		for (size_t k = 0; k < N; k++)
			m[k] = (struct group_member){ .name = "VI",
				.state = &rows[i].members[k],
				.fault = rows[i].fault[k] };
		got = group_step(m, N, orders);
		for (size_t k = 0; k < N; k++) {
			if (letter(orders[k].kind) != rows[i].orders[k])
				fail_msg("\"%s\": member %zu: %c", rows[i].what, k,
				    letter(orders[k].kind));
			n += orders[k].kind != VRRP_EV_MAX;
			if (letter(orders[k].kind) == 'b' || letter(orders[k].kind) == 'f')
				if (orders[k].because != rows[i].because)
					fail_msg("\"%s\": because of %zu", rows[i].what,
					    orders[k].because);
		}
		assert_int_equal(got, n);
	}
}

static void
causes(void **unused)
{
	static const struct vrrp_state fault = F, follows = FOLLOWS, master = M;
	const struct group_member m[] = { { "VI_1", &master, NULL },
		{ "VI_2", &fault, "interface eth1 is down" }, { "VI_3", &follows, NULL } };
	char buf[GROUP_CAUSE_STRLEN];

	(void)unused;
	assert_string_equal(group_cause(m, &(struct group_order){ VRRP_EV_FAULT, 1 }, 0, buf),
	    "VI_2 is in FAULT: interface eth1 is down");
	assert_string_equal(group_cause(m, &(struct group_order){ VRRP_EV_FAULT, 1 }, 1, buf),
	    "interface eth1 is down");
	assert_string_equal(
	    group_cause(m, &(struct group_order){ VRRP_EV_GROUP_BACKUP, 2 }, 0, buf),
	    "VI_3 is BACKUP");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
