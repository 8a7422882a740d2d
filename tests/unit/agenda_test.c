/*
 * agenda_test.c - deadlines: in order, each once, however often they were moved.
 */
#include "tests/unit/test.h"

#include "common/rng.h"
#include "vrrpd/agenda.h"

#define AT(n) ((mono_t){ (n) })
#define ITEMS 50

static void
in_order_and_as_added(void **unused)
{
	static const int64_t at[] = { 30, 10, 20, 10, 30, 10 };
	static const unsigned order[] = { 1, 3, 5, 2, 0, 4 };
	struct agenda_item items[ARRAY_LEN(at)];
	struct agenda a = { 0 };

	(void)unused;
	assert_true(mono_is_never(agenda_next(&a)));
	assert_null(agenda_take(&a, AT(1000)));
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		agenda_add(&a, &items[i]);
	assert_true(mono_is_never(agenda_next(&a)));
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		agenda_set(&a, &items[i], AT(at[i]));
	assert_int_equal(agenda_next(&a).us, 10);
	assert_null(agenda_take(&a, AT(9)));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_ptr_equal(agenda_take(&a, AT(30)), &items[order[i]]);
	assert_null(agenda_take(&a, AT(1000)));
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		agenda_remove(&a, &items[i]);
	agenda_done(&a);
}

static void
moved(void **unused)
{
	struct agenda_item one, two;
	struct agenda a = { 0 };

	(void)unused;
	agenda_add(&a, &one);
	agenda_add(&a, &two);
	agenda_set(&a, &one, AT(10));
	agenda_set(&a, &two, AT(15));
	agenda_set(&a, &one, AT(20)); /* away: the old entry is worth nothing */
	assert_int_equal(agenda_next(&a).us, 15);
	assert_ptr_equal(agenda_take(&a, AT(19)), &two);
	assert_null(agenda_take(&a, AT(19)));
	agenda_set(&a, &one, AT(5)); /* nearer: the one behind is not a second time */
	assert_ptr_equal(agenda_take(&a, AT(5)), &one);
	agenda_set(&a, &one, AT(20));
	assert_ptr_equal(agenda_take(&a, AT(50)), &one);
	assert_null(agenda_take(&a, AT(50)));
	agenda_set(&a, &one, AT(60));
	agenda_set(&a, &one, MONO_NEVER);
	assert_null(agenda_take(&a, AT(70)));
	agenda_set(&a, &one, AT(80));
	agenda_remove(&a, &one);
	assert_true(mono_is_never(agenda_next(&a)));
	agenda_remove(&a, &two);
	agenda_done(&a);
}

static mono_t
earliest(const struct agenda_item *items)
{
	mono_t at = MONO_NEVER;

	for (size_t i = 0; i < ITEMS; i++)
		at = mono_min(at, items[i].deadline);
	return at;
}

/* Against looking at them all; entries stay bounded. */
static void
at_random(void **unused)
{
	struct rng rng;
	struct agenda_item items[ITEMS], *taken;
	struct agenda a = { 0 };
	mono_t now = AT(0);

	(void)unused;
	rng_seed(&rng, 7);
	for (size_t i = 0; i < ITEMS; i++)
		agenda_add(&a, &items[i]);
	for (int step = 0; step < 20000; step++) {
		struct agenda_item *item = &items[rng_below(&rng, ITEMS)];

		if (rng_chance(&rng, 20)) {
			agenda_remove(&a, item);
			agenda_add(&a, item);
		}
		agenda_set(&a, item,
		    rng_chance(&rng, 50) ? MONO_NEVER : mono_add(now, rng_between(&rng, 0, 100)));
		assert_int_equal(agenda_next(&a).us, earliest(items).us);
		assert_in_range(a.n, 0, 2 * ITEMS);
		if (!rng_chance(&rng, 300))
			continue;
		now = mono_add(now, rng_between(&rng, 0, 30));
		for (mono_t due = earliest(items); !mono_before(now, due); due = earliest(items)) {
			taken = agenda_take(&a, now);
			assert_non_null(taken);
			for (size_t i = 0; i < ITEMS; i++)
				assert_false(mono_before(items[i].deadline, due));
		}
		assert_null(agenda_take(&a, now));
	}
	for (size_t i = 0; i < ITEMS; i++)
		agenda_remove(&a, &items[i]);
	agenda_done(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_and_as_added),
		cmocka_unit_test(moved),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
