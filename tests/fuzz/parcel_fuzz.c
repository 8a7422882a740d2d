/*
 * parcel_fuzz.c - whatever lies in the service manager's store.  The first byte
 * says how many descriptors came along; records that are accepted are within
 * their bounds and come back the same when they are written again.
 */
#include "proxyd/parcel.h"

#include "tests/fuzz/fuzz.h"

static const int fds[PARCEL_FDS_MAX];

static void
write_one(struct parcel *p, const struct parcel_session *s, size_t n_fds)
{
	parcel_init(p);
	must(parcel_put(p, PARCEL_SESSION, s, fds, n_fds) == 0);
	parcel_seal(p, &(struct parcel_head){ 0 });
}

static void
check_session(const struct parcel_record *r)
{
	struct parcel_session first, second;
	struct parcel_reader reader;
	struct parcel_record again;
	struct parcel_head head;
	struct parcel once, twice;

	if (r->kind != PARCEL_SESSION || parcel_get(r, &first) < 0)
		return;
	must(first.n_tried <= PARCEL_TRIED_MAX && first.pending[0] <= PARCEL_PENDING_MAX);
	write_one(&once, &first, r->n_fds);
	must(parcel_open((const uint8_t *)once.bytes.chars, once.bytes.length, once.n_fds, &reader,
		 &head) == 0);
	must(parcel_next(&reader, &again));
	must(parcel_get(&again, &second) == 0);
	write_one(&twice, &second, r->n_fds);
	must(once.bytes.length == twice.bytes.length &&
	     memcmp(once.bytes.chars, twice.bytes.chars, once.bytes.length) == 0);
	parcel_done(&once);
	parcel_done(&twice);
}

/* Any bytes as the fields of one record: no checksum stands in the way. */
static void
try_record(const uint8_t *data, size_t size)
{
	struct parcel_record r = {
		.kind = data[0] % 7, .n_fds = data[1] % 5, .fields = data + 2, .size = size - 2
	};
	struct parcel_server into __attribute__((aligned(64)));

	_Static_assert(sizeof(struct parcel_server) >= sizeof(struct parcel_counters), "room");
	if (r.kind != PARCEL_SESSION)
		parcel_get(&r, &into);
	check_session(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parcel_reader reader;
	struct parcel_record record;
	struct parcel_head head;

	if (size < 2)
		return 0;
	try_record(data, size);
	if (parcel_open(data + 1, size - 1, data[0], &reader, &head) < 0)
		return 0;
	while (parcel_next(&reader, &record)) {
		must(record.first_fd + record.n_fds <= data[0]);
		check_session(&record);
	}
	return 0;
}
