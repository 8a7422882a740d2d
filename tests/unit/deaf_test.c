/*
 * deaf_test.c - how long whoever gave way waits before it asks again, and what
 * makes it forget.
 */
#include "tests/unit/test.h"
#include "vrrpd/deaf.h"

#include <sys/socket.h>

#define SECOND USEC_PER_SEC
#define AT(s)  ((mono_t){ (s)*SECOND })

static const struct vrrp_advert theirs = { .source = { .family = AF_INET,
					       .bytes = { 10, 0, 0, 9 } },
	.version = 3,
	.vrid = 1,
	.priority = 90,
	.interval_us = SECOND };

/* A contest from 's' on, until we give way to it, two seconds later. */
static struct vrrp_deaf
contested(struct vrrp_deaf d, int64_t s)
{
	for (int i = 0; i < DEAF_IN_VAIN; i++) {
		assert_false(deaf_contest(&d, &theirs, false, AT(s + i)));
		deaf_told(&d, AT(s + i));
	}
	assert_true(deaf_contest(&d, &theirs, false, AT(s + DEAF_IN_VAIN)));
	return d;
}

/* Each question that is not heard doubles the wait, up to an hour. */
static void
doubling(void **unused)
{
	struct vrrp_deaf d = contested((struct vrrp_deaf){ 0 }, 0);
	int64_t wait = 60, now = 2;

	(void)unused;
	deaf_give_way(&d, 0, AT(now));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(d.probe_at.us, AT(now + wait).us);
		deaf_hear(&d, &theirs.source, SECOND, true, AT(now + wait - 1));
		assert_true(mono_is_never(d.fire_at));
		now += wait;
		deaf_hear(&d, &theirs.source, SECOND, true, AT(now));
		assert_int_equal(d.fire_at.us, AT(now).us + SECOND / 2);
		d.probing = true; /* as the election does when it sends it */
		deaf_hear(&d, &theirs.source, SECOND, true, AT(now));
		assert_false(d.probing);
		wait = wait * 2 > 3600 ? 3600 : wait * 2;
	}
}

/* A return that does not last doubles it too; one that lasts as long as the wait did does not. */
static void
peace(void **unused)
{
	static const struct {
		int64_t peace_s, wait_s;
	} rows[] = { { 5, 120 }, { 60, 120 }, { 61, 60 }, { 4000, 60 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vrrp_deaf d = contested((struct vrrp_deaf){ 0 }, 0);

		deaf_give_way(&d, 0, AT(2));
		deaf_return(&d, AT(70));
		assert_false(d.on);
		d = contested(d, 70 + rows[i].peace_s);
		deaf_give_way(&d, 0, AT(1000));
		assert_int_equal(d.wait_us, rows[i].wait_s * SECOND);
	}
}

/* preempt_delay is waited for before the first question. */
static void
delay(void **unused)
{
	struct vrrp_deaf d = contested((struct vrrp_deaf){ 0 }, 0);

	(void)unused;
	deaf_give_way(&d, 300 * SECOND, AT(2));
	assert_int_equal(d.probe_at.us, AT(302).us);
}

/* The silence of another one says nothing: an hour. */
static void
another(void **unused)
{
	struct addr other = { .family = AF_INET, .bytes = { 10, 0, 0, 8 } };
	struct vrrp_deaf d = contested((struct vrrp_deaf){ 0 }, 0);

	(void)unused;
	deaf_give_way(&d, 0, AT(2));
	deaf_hear(&d, &other, SECOND, true, AT(100));
	assert_true(mono_is_never(d.fire_at));
	deaf_hear(&d, &other, SECOND, true, AT(3603));
	assert_false(mono_is_never(d.fire_at));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubling),
		cmocka_unit_test(peace),
		cmocka_unit_test(delay),
		cmocka_unit_test(another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
