/*
 * fsm_test.c - the election, clause by clause.  Row names begin with the clause
 * of RFC 9568 (9568), RFC 3768 (3768) or with the name of the departure.
 */
#include "tests/unit/test.h"
#include "vrrpd/fsm.h"

#include <string.h>

/* Rows read better aligned than filled. */
/* clang-format off */

#define MS(x)	{ INT64_C(1000) * (x) }
#define US(x)	{ INT64_C(x) }
#define NEVER	{ INT64_MAX }
#define IP(d)	{ .family = AF_INET, .bytes = { 10, 0, 0, (d) } }
#define SECOND	INT64_C(1000000)

/* We are 10.0.0.5, mostly at priority 100: skew 609.375 ms, down 3609.375 ms. */
#define V2	.primary = IP(5), .down_adverts = 3, .interval_us = SECOND, .version = 2
#define V3	.primary = IP(5), .down_adverts = 3, .interval_us = SECOND, .version = 3
static const struct vrrp_params
	v3	= { V3, .preempt = true },
	v2	= { V2, .preempt = true },
	v2_5s	= { .primary = IP(5), .down_adverts = 3, .interval_us = 5 * SECOND, .version = 2,
		    .preempt = true },
	answer	= { V2, .preempt = true, .answer_lower = true },
	mute	= { V3, .preempt = true, .never_answer = true },
	polite	= { V3, .preempt = true, .answer_higher = true },
	sure	= { V3, .preempt = true, .owner_is_sure = true },
	stayer	= { V3 },
	fast	= { V3, .preempt = true, .fast_preempt = true },
	fresh	= { V3, .preempt = true, .fast_preempt = true, .fresh_verdicts = true },
	delayed	= { V3, .preempt = true, .preempt_delay_us = 10 * SECOND },
	fastdel	= { V3, .preempt = true, .fast_preempt = true, .preempt_delay_us = 10 * SECOND },
	degrade	= { V3, .take_degraded = true },
	fastdeg	= { V3, .take_degraded = true, .fast_preempt = true },
	freshdeg = { V3, .fast_preempt = true, .fresh_verdicts = true, .take_degraded = true },
	witness	= { V3, .preempt = true },
	alone30	= { V3, .preempt = true, .or_alone_us = 30 * SECOND },
	choir	= { V3, .preempt = true, .together = true },
	choir_q	= { .primary = IP(5), .down_adverts = 3, .interval_us = 10000, .version = 3,
		    .preempt = true, .together = true },
	late	= { V3, .preempt = true, .listen_late = true },
	late_np	= { V3, .listen_late = true },
	eager	= { .primary = IP(5), .down_adverts = 1, .interval_us = SECOND, .version = 3,
		    .preempt = true, .listen_late = true },
	yield	= { V3, .preempt = true, .yield_when_deaf = true },
	yieldnp	= { V3, .yield_when_deaf = true },
	member	= { V3, .preempt = true, .grouped = true },
	quick	= { .primary = IP(5), .down_adverts = 3, .interval_us = 10000, .version = 3,
		    .preempt = true };

/* In a state written here, a preempt_at, lower_at or fire_at of 0 means never. */
#define INIT	{ .role = VRRP_INIT }
#define BACKUP_(prio, from, due, ...) { .role = VRRP_BACKUP, .priority = (prio), \
	.interval_us = SECOND, .wait_from = from, .deadline = due, __VA_ARGS__ }
#define BACKUP(prio, due, ...)	BACKUP_(prio, MS(0), due, __VA_ARGS__)
#define MASTER(prio, due, ...)	{ .role = VRRP_MASTER, .priority = (prio), \
	.interval_us = SECOND, .deadline = due, __VA_ARGS__ }
#define FAULT(prio)	{ .role = VRRP_FAULT, .priority = (prio), .deadline = NEVER }
#define HEARD(prio, ip, most, when) .heard = { IP(ip), (prio), (most), when }

#define START(p)	{ .kind = VRRP_EV_START, .priority = (p) }
#define START_PENDING(p) { .kind = VRRP_EV_START, .priority = (p), .pending = true }
#define PRIORITY(p)	{ .kind = VRRP_EV_PRIORITY, .priority = (p) }
#define NO_WITNESS(p)	{ .kind = VRRP_EV_PRIORITY, .priority = (p), .no_witness = true }
#define ADVERT_CS(p, ip, cs) { .kind = VRRP_EV_ADVERT, .advert = { .source = IP(ip), \
	.version = 3, .vrid = 1, .priority = (p), .interval_us = (cs) * 10000 } }
#define ADVERT(p, ip)	ADVERT_CS(p, ip, 100)
#define EV(k)		{ .kind = VRRP_EV_##k }
#define COLLISION(p, ip) { .kind = VRRP_EV_ADVERT, .advert = { .source = IP(ip), \
	.version = 3, .vrid = 1, .priority = (p), .interval_us = SECOND, .other_addrs = true } }
#define RELEASE_(...)	{ .kind = VRRP_EV_RELEASE, __VA_ARGS__ }

/* A master in a contest with .9: so many answers in vain, the last one given at 'told'. */
#define CONTEST(n, heard, ...) .lower_at = heard, .deaf = { .peer = IP(9), .vain = (n), \
	.trouble_at = heard, __VA_ARGS__ }
#define TOLD(at)	.told = true, .told_at = at
/* A backup that gave way to .9 at 100 s, and heard it since. */
#define DEAF(prio, last, due, ...) { .role = VRRP_BACKUP, .priority = (prio), \
	.interval_us = SECOND, .wait_from = last, .deadline = due, HEARD(90, 9, 90, last), \
	.deaf = { .on = true, .peer = IP(9), .trouble_at = MS(100000), \
		.wait_us = 60 * SECOND, .probe_at = MS(160000), __VA_ARGS__ } }
/* A backup released at 0: until when, take back when. */
#define RELEASED(due, until_, back, ...) { .role = VRRP_BACKUP, .priority = 100, \
	.interval_us = SECOND, .deadline = due, \
	.release = { .on = true, .until = until_, .give_up_at = back }, __VA_ARGS__ }

#define TAKE	(VRRP_SEND_ADVERT | VRRP_ADD_VIPS | VRRP_ANNOUNCE)
#define SPEAK	(VRRP_SEND_ADVERT | VRRP_RENEW_LEASE)
#define LEAVE	(VRRP_DEL_VIPS | VRRP_SEND_RESIGN)

static const struct {
	const char *what;
	const struct vrrp_params *params;
	struct vrrp_state before;
	struct vrrp_event event;
	mono_t now;
	enum vrrp_role role;
	mono_t deadline;
	unsigned actions;
	enum vrrp_why why;
} rows[] = {
/* ---- Initialize ---- */
{ "9568 6.4.1 owner starts as Active", &v3, INIT, START(255), MS(0),
	VRRP_MASTER, MS(1000), TAKE, VRRP_WHY_OWNER },
{ "9568 6.4.1 others start as Backup for a down interval", &v3, INIT, START(100), MS(0),
	VRRP_BACKUP, US(3609375), 0, VRRP_WHY_START },
{ "3768 6.1 skew is a share of a second whatever the interval", &v2_5s, INIT, START(100), MS(0),
	VRRP_BACKUP, US(15609375), 0, VRRP_WHY_START },
{ "9568 6.1 skew keeps microseconds at short intervals", &quick, INIT, START(254), MS(0),
	VRRP_BACKUP, US(30078), 0, VRRP_WHY_START },
{ "init: an owner with no verdict yet waits", &v3, INIT, START_PENDING(255), MS(0),
	VRRP_BACKUP, US(3003906), 0, VRRP_WHY_START },
{ "init: priority 0 never becomes ours", &v3, INIT, START(0), MS(0),
	VRRP_BACKUP, US(3996093), 0, VRRP_WHY_START },
{ "init: adverts say nothing", &v3, INIT, ADVERT(200, 9), MS(0),
	VRRP_INIT, NEVER, 0, 0 },
{ "init: timers say nothing", &v3, INIT, EV(TIMER), MS(5),
	VRRP_INIT, NEVER, 0, 0 },
{ "init: fault before start", &v3, INIT, EV(FAULT), MS(0),
	VRRP_FAULT, NEVER, 0, VRRP_WHY_FAULT },
{ "resume: master at once", &v3, INIT, { .kind = VRRP_EV_RESUME_MASTER, .priority = 100 },
	MS(7),
	VRRP_MASTER, MS(1007), TAKE, VRRP_WHY_RESUMED },
{ "resume: listen one interval and skew", &v3, INIT,
	{ .kind = VRRP_EV_RESUME_LISTEN, .priority = 100 }, MS(0),
	VRRP_BACKUP, US(1609375), 0, VRRP_WHY_LISTEN },

/* ---- Backup ---- */
{ "9568 6.4.2 timer: take over", &v3, BACKUP(100, US(3609375)), EV(TIMER), US(3609375),
	VRRP_MASTER, US(4609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "9568 6.4.2 timer early: wait on", &v3, BACKUP(100, US(3609375)), EV(TIMER), US(3609374),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "9568 6.4.2 priority 0: one skew time", &v3,
	BACKUP(100, US(3609375), HEARD(200, 9, 200, MS(0))), ADVERT(0, 9), MS(1000),
	VRRP_BACKUP, US(1609375), 0, VRRP_WHY_LEAVE_HEARD },
{ "9568 6.4.2 resigned: take over", &v3,
	BACKUP_(100, MS(1000), US(1609375), .wait = VRRP_WAIT_SKEW, HEARD(0, 9, 0, MS(1000))),
	EV(TIMER), US(1609375),
	VRRP_MASTER, US(2609375), TAKE, VRRP_WHY_RESIGNED },
{ "9568 6.4.2 higher: wait anew", &v3, BACKUP(100, US(3609375)), ADVERT(200, 9), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "9568 6.4.2 equal: wait anew, the address does not matter", &v3, BACKUP(100, US(3609375)),
	ADVERT(100, 1), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "9568 6.4.2 the interval is learned", &v3, BACKUP(100, US(3609375)), ADVERT_CS(200, 9, 10),
	MS(1000),
	VRRP_BACKUP, US(1360937), 0, 0 },
{ "3768: v2 does not learn", &v2, BACKUP(100, US(3609375)), ADVERT_CS(200, 9, 10), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "9568 6.4.2 lower, preempt: discard", &v3, BACKUP(100, US(3609375)), ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "9568 6.4.2 lower, no preempt: wait anew", &stayer, BACKUP(100, US(3609375)), ADVERT(50, 9),
	MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "9568 6.1 an owner preempts in any case", &stayer, BACKUP(255, US(3003906)), ADVERT(254, 9),
	MS(1000),
	VRRP_BACKUP, US(3003906), 0, 0 },
{ "9568 6.4.2 lower and gone on: preempt at the end of the wait", &v3,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(3000)), .preempt_at = MS(1000)), EV(TIMER),
	US(3609375),
	VRRP_MASTER, US(4609375), TAKE, VRRP_WHY_PREEMPT },
{ "backup: fault", &v3, BACKUP(100, US(3609375)), EV(FAULT), MS(1),
	VRRP_FAULT, NEVER, 0, VRRP_WHY_FAULT },
{ "9568 6.4.2 shutdown", &v3, BACKUP(100, US(3609375)), EV(STOP), MS(1),
	VRRP_INIT, NEVER, 0, VRRP_WHY_STOP },
{ "backup: own advert reflected", &v3, BACKUP(100, US(3609375)), ADVERT(200, 5), MS(1000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "pending: the wait is over but no verdict yet", &v3,
	BACKUP(100, US(3609375), .pending = true), EV(TIMER), US(3609375),
	VRRP_BACKUP, NEVER, 0, 0 },
{ "pending: then the verdict comes", &v3, BACKUP(100, NEVER, .pending = true), PRIORITY(100),
	MS(5000),
	VRRP_BACKUP, MS(5000), 0, 0 },
{ "backup: own priority falls, the running wait grows", &v3, BACKUP(100, US(3609375)),
	PRIORITY(50), MS(1000),
	VRRP_BACKUP, US(3804687), 0, VRRP_WHY_PRIORITY },
{ "backup: own priority rises, the running wait shrinks", &v3, BACKUP(100, US(3609375)),
	PRIORITY(200), MS(1000),
	VRRP_BACKUP, US(3218750), 0, VRRP_WHY_PRIORITY },
{ "backup: own priority falls below the challenged master's: wait from its last advert", &v3,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(3000)), .preempt_at = MS(1000)),
	PRIORITY(40), MS(3100),
	VRRP_BACKUP, US(6843750), 0, VRRP_WHY_PRIORITY },
{ "backup: woken late, one skew more for what is in the socket", &v3, BACKUP(100, US(3609375)),
	EV(TIMER), MS(5000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "backup: woken late twice, take over", &v3,
	BACKUP_(100, MS(5000), US(5609375), .wait = VRRP_WAIT_SKEW, .late = true), EV(TIMER),
	MS(8000),
	VRRP_MASTER, MS(9000), TAKE, VRRP_WHY_NO_ADVERT },

/* ---- witness ---- */
{ "witness: nobody is heard and it fails: stay", &witness,
	BACKUP(100, US(3609375), .no_witness = true), EV(TIMER), US(3609375),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_NO_WITNESS },
{ "witness: addresses that we still held go", &witness,
	BACKUP(100, US(3609375), .no_witness = true, .holding = true), EV(TIMER), US(3609375),
	VRRP_BACKUP, NEVER, VRRP_DEL_VIPS, VRRP_WHY_NO_WITNESS },
{ "witness: passes again, the wait is over long ago", &witness,
	BACKUP(100, NEVER, .no_witness = true, .alone = true, .alone_until = NEVER),
	PRIORITY(100), MS(9000),
	VRRP_BACKUP, MS(9000), 0, 0 },
{ "witness: a lower master is not preempted without it", &witness,
	BACKUP(100, US(3609375), .no_witness = true), ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "witness: fails, a challenge is off", &witness,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(3000)), .preempt_at = MS(1000)),
	NO_WITNESS(100), MS(3100),
	VRRP_BACKUP, US(6609375), 0, 0 },
{ "witness: a master goes on without it", &witness, MASTER(100, MS(1000)), NO_WITNESS(100),
	MS(500),
	VRRP_MASTER, MS(1000), 0, 0 },
{ "witness: an owner waits for it as well", &witness, INIT,
	{ .kind = VRRP_EV_START, .priority = 255, .no_witness = true }, MS(0),
	VRRP_BACKUP, US(3003906), 0, VRRP_WHY_START },
{ "or_alone: counted from the end of the wait", &alone30,
	BACKUP(100, US(3609375), .no_witness = true), EV(TIMER), US(3609375),
	VRRP_BACKUP, US(33609375), 0, VRRP_WHY_NO_WITNESS },
{ "or_alone: still nobody", &alone30,
	BACKUP(100, US(33609375), .no_witness = true, .alone = true,
	    .alone_until = US(33609375)), EV(TIMER), US(33609375),
	VRRP_MASTER, US(34609375), TAKE, VRRP_WHY_ALONE },
{ "or_alone: somebody is heard, not alone", &alone30,
	BACKUP(100, US(33609375), .no_witness = true, .alone = true,
	    .alone_until = US(33609375)), ADVERT(50, 9), MS(20000),
	VRRP_BACKUP, US(23609375), 0, 0 },
{ "or_alone: and then nobody again, the time begins anew", &alone30,
	BACKUP_(100, MS(20000), US(23609375), HEARD(50, 9, 50, MS(20000)), .no_witness = true),
	EV(TIMER), US(23609375),
	VRRP_BACKUP, US(53609375), 0, VRRP_WHY_NO_WITNESS },

/* ---- fast preempt, delay, degraded ---- */
{ "fast preempt: one skew time from the first lower advert", &fast, BACKUP(100, US(3609375)),
	ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(1609375), 0, 0 },
{ "fast preempt: the second does not move it", &fast,
	BACKUP(100, US(2609375), HEARD(50, 9, 50, MS(2000)), .preempt_at = US(2609375)),
	ADVERT(50, 9), MS(2500),
	VRRP_BACKUP, US(2609375), 0, 0 },
{ "fast preempt: over when the master is the better one again", &fast,
	BACKUP(100, US(1609375), HEARD(50, 9, 50, MS(1000)), .preempt_at = US(1609375)),
	ADVERT(150, 9), MS(1500),
	VRRP_BACKUP, US(5109375), 0, 0 },
{ "fast preempt: take over", &fast,
	BACKUP(100, US(1609375), HEARD(50, 9, 50, MS(1000)), .preempt_at = US(1609375)),
	EV(TIMER), US(1609375),
	VRRP_MASTER, US(2609375), TAKE, VRRP_WHY_PREEMPT },
{ "fast preempt: the challenged master died meanwhile", &v3,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(500)), .preempt_at = MS(500)), EV(TIMER),
	US(3609375),
	VRRP_MASTER, US(4609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "fast preempt: a master that fell by what we fell by is left alone", &fast,
	BACKUP(100, US(3609375), HEARD(120, 9, 120, MS(500)), .lowered = 30), ADVERT(90, 9),
	MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "fast preempt: one that fell further is not", &fast,
	BACKUP(100, US(3609375), HEARD(121, 9, 121, MS(500)), .lowered = 30), ADVERT(90, 9),
	MS(1000),
	VRRP_BACKUP, US(1609375), 0, 0 },
{ "fast preempt: nor one that was never higher", &fast,
	BACKUP(100, US(3609375), HEARD(90, 9, 90, MS(500)), .lowered = 30), ADVERT(90, 9),
	MS(1000),
	VRRP_BACKUP, US(1609375), 0, 0 },
{ "fast preempt off: it is, as the RFC says", &v3,
	BACKUP(100, US(3609375), HEARD(120, 9, 120, MS(500)), .lowered = 30), ADVERT(90, 9),
	MS(1000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "fast preempt: both are unwell, but the master is gone", &fast,
	BACKUP(100, US(4609375), HEARD(90, 9, 120, MS(1000)), .lowered = 30), EV(TIMER),
	US(4609375),
	VRRP_MASTER, US(5609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "fresh verdicts: asked for, the ordinary wait bounds", &fresh, BACKUP(100, US(3609375)),
	ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(3609375), VRRP_ASK_VERDICTS, 0 },
{ "fresh verdicts: not asked for twice", &fresh,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(1000)), .preempt_at = US(1609375)),
	ADVERT(50, 9), MS(2000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "fresh verdicts: in before the skew is over", &fresh,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(1000)), .preempt_at = US(1609375)),
	EV(VERDICTS), MS(1100),
	VRRP_BACKUP, US(1609375), 0, 0 },
{ "fresh verdicts: in afterwards, at once", &fresh,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(1000)), .preempt_at = US(1609375)),
	EV(VERDICTS), MS(2000),
	VRRP_BACKUP, MS(2000), 0, 0 },
{ "fresh verdicts: without a challenge they change nothing", &fresh, BACKUP(100, US(3609375)),
	EV(VERDICTS), MS(2000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "preempt_delay: lower adverts count until it is over", &delayed, BACKUP(100, US(3609375)),
	ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "preempt_delay: over, they no longer do", &delayed,
	BACKUP_( 100, MS(10500), US(14109375), HEARD(50, 9, 50, MS(10500)), .preempt_at = MS(11000)),
	ADVERT(50, 9), MS(11500),
	VRRP_BACKUP, US(14109375), 0, 0 },
{ "preempt_delay wins over fast preempt", &fastdel,
	BACKUP_( 100, MS(3000), US(6609375), HEARD(50, 9, 50, MS(3000)), .preempt_at = MS(11000)),
	ADVERT(50, 9), MS(4000),
	VRRP_BACKUP, US(7609375), 0, 0 },
{ "preempt_delay, then fast preempt at once", &fastdel,
	BACKUP_(100, MS(9000), MS(11000), HEARD(50, 9, 50, MS(9000)), .preempt_at = MS(11000)),
	EV(TIMER), MS(11000),
	VRRP_MASTER, MS(12000), TAKE, VRRP_WHY_PREEMPT },
{ "degraded: nopreempt spares a healthy lower master", &degrade, BACKUP(100, US(3609375)),
	ADVERT(90, 9), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "degraded: a master that lowered itself is not spared", &degrade,
	BACKUP_(100, MS(1000), US(4609375), HEARD(120, 9, 120, MS(1000))), ADVERT(90, 9),
	MS(2000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "degraded: lower already, and lowered further", &degrade,
	BACKUP_(100, MS(1000), US(4609375), HEARD(90, 9, 90, MS(1000))), ADVERT(70, 9),
	MS(2000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "degraded: lowered, but not below ours", &degrade,
	BACKUP_(100, MS(1000), US(4609375), HEARD(150, 9, 150, MS(1000))), ADVERT(110, 9),
	MS(2000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "degraded: it recovered", &degrade,
	BACKUP_(100, MS(1000), US(4609375), HEARD(70, 9, 90, MS(1000)), .preempt_at = MS(1000)),
	ADVERT(90, 9), MS(2000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "degraded: another master of lower priority is not it", &degrade,
	BACKUP_(100, MS(1000), US(4609375), HEARD(120, 9, 120, MS(1000))), ADVERT(90, 8),
	MS(2000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "degraded off: nopreempt spares it all the same", &stayer,
	BACKUP_(100, MS(1000), US(4609375), HEARD(120, 9, 120, MS(1000))), ADVERT(90, 9),
	MS(2000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "degraded and fast", &fastdeg,
	BACKUP_(100, MS(1000), US(4609375), HEARD(120, 9, 120, MS(1000))), ADVERT(90, 9),
	MS(2000),
	VRRP_BACKUP, US(2609375), 0, 0 },
{ "degraded: take over", &degrade,
	BACKUP_( 100, MS(1000), US(4609375), HEARD(90, 9, 120, MS(4000)), .preempt_at = MS(2000)),
	EV(TIMER), US(4609375),
	VRRP_MASTER, US(5609375), TAKE, VRRP_WHY_DEGRADED },

/* ---- holding addresses while listening ---- */
{ "listen: a better master is there, let go", &v3,
	BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true), ADVERT(200, 9),
	MS(100),
	VRRP_BACKUP, US(3709375), VRRP_DEL_VIPS, 0 },
{ "listen: a lower master is there, let go until we take over", &v3,
	BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true), ADVERT(50, 9),
	MS(100),
	VRRP_BACKUP, US(1609375), VRRP_DEL_VIPS, 0 },
{ "listen: somebody resigns, keep", &v3,
	BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true), ADVERT(0, 9),
	MS(100),
	VRRP_BACKUP, US(709375), 0, VRRP_WHY_LEAVE_HEARD },
{ "listen: nobody is there, go on", &v3,
	BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true), EV(TIMER),
	US(1609375),
	VRRP_MASTER, US(2609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "listen: stopped", &v3, BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true),
	EV(STOP), MS(1),
	VRRP_INIT, NEVER, VRRP_DEL_VIPS, VRRP_WHY_STOP },
{ "listen: fault", &v3, BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true),
	EV(FAULT), MS(1),
	VRRP_FAULT, NEVER, VRRP_DEL_VIPS, VRRP_WHY_FAULT },

/* ---- Master (Active) ---- */
{ "9568 6.4.3 timer: advert, and the lease with it", &v3, MASTER(100, MS(1000)), EV(TIMER),
	MS(1000),
	VRRP_MASTER, MS(2000), SPEAK, 0 },
{ "master: intervals do not drift", &v3, MASTER(100, MS(1000)), EV(TIMER), MS(1003),
	VRRP_MASTER, MS(2000), SPEAK, 0 },
{ "master: missed ticks are not made up for", &v3, MASTER(100, MS(1000)), EV(TIMER), MS(9500),
	VRRP_MASTER, MS(10500), SPEAK, 0 },
{ "together: at a common moment the interval is exact", &choir, MASTER(100, MS(1000)), EV(TIMER),
	MS(1003), VRRP_MASTER, MS(2000), SPEAK, 0 },
{ "together: a little early, to the common moment", &choir, MASTER(100, MS(1003)), EV(TIMER),
	MS(1003), VRRP_MASTER, MS(2000), SPEAK, 0 },
{ "together: a hundredth early and no more", &choir, MASTER(100, MS(1050)), EV(TIMER), MS(1050),
	VRRP_MASTER, MS(2040), SPEAK, 0 },
{ "together: missed ticks are not made up for", &choir, MASTER(100, MS(1000)), EV(TIMER), MS(9505),
	VRRP_MASTER, MS(10500), SPEAK, 0 },
{ "together: the first one, too", &choir, INIT, START(255), MS(1003),
	VRRP_MASTER, MS(2000), TAKE, VRRP_WHY_OWNER },
{ "together: a new priority begins the interval anew", &choir, MASTER(100, MS(1000)),
	PRIORITY(80), MS(305), VRRP_MASTER, US(1295000), SPEAK, VRRP_WHY_PRIORITY },
{ "together: short intervals are what they are", &choir_q, MASTER(100, US(10001)), EV(TIMER),
	US(10001), VRRP_MASTER, US(20001), SPEAK, 0 },
{ "9568 6.4.3 timer early", &v3, MASTER(100, MS(1000)), EV(TIMER), MS(999),
	VRRP_MASTER, MS(1000), 0, 0 },
{ "9568 6.4.3 priority 0: advert at once", &v3, MASTER(100, MS(1000)), ADVERT(0, 9), MS(300),
	VRRP_MASTER, MS(1300), SPEAK, VRRP_WHY_LEAVE_HEARD },
{ "9568 6.4.3 higher: yield", &v3, MASTER(100, MS(1000)), ADVERT(101, 1), MS(300),
	VRRP_BACKUP, US(3909375), VRRP_DEL_VIPS, VRRP_WHY_HIGHER },
{ "9568 6.4.3 higher: nopreempt does not matter to a master", &stayer, MASTER(100, MS(1000)),
	ADVERT(101, 1), MS(300),
	VRRP_BACKUP, US(3909375), VRRP_DEL_VIPS, VRRP_WHY_HIGHER },
{ "9568 6.4.3 higher: its interval is learned", &v3, MASTER(100, MS(1000)),
	ADVERT_CS(101, 1, 200), MS(300),
	VRRP_BACKUP, US(7518750), VRRP_DEL_VIPS, VRRP_WHY_HIGHER },
{ "9568 6.4.3 tie, greater address: yield", &v3, MASTER(100, MS(1000)), ADVERT(100, 6), MS(300),
	VRRP_BACKUP, US(3909375), VRRP_DEL_VIPS, VRRP_WHY_TIE },
{ "9568 6.4.3 tie, lesser address: answer", &v3, MASTER(100, MS(1000)), ADVERT(100, 4), MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_ADVERT | VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "9568 6.4.3 lower: answer at once, the timer stays", &v3, MASTER(100, MS(1000)),
	ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_ADVERT | VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "3768 6.4.3 lower: discard", &v2, MASTER(100, MS(1000)), ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "answer_lower: v2 answers too", &answer, MASTER(100, MS(1000)), ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_ADVERT | VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "lower_prio_no_advert: v3 does not answer", &mute, MASTER(100, MS(1000)), ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "higher_prio_send_advert: one more before giving way", &polite, MASTER(100, MS(1000)),
	ADVERT(120, 9), MS(300),
	VRRP_BACKUP, US(3909375), VRRP_SEND_ADVERT | VRRP_DEL_VIPS, VRRP_WHY_HIGHER },
{ "owner_ignore_adverts: another owner is not heard", &sure, MASTER(255, MS(1000)), ADVERT(255, 9),
	MS(300), VRRP_MASTER, MS(1000), 0, 0 },
{ "owner_ignore_adverts: is for owners", &sure, MASTER(254, MS(1000)), ADVERT(255, 9), MS(300),
	VRRP_BACKUP, US(3307812), VRRP_DEL_VIPS, VRRP_WHY_HIGHER },
{ "lower: answered again, announced once", &v3, MASTER(100, MS(1000), .lower_at = MS(100)),
	ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "lower: so many answers an interval, no more", &v3,
	MASTER(100, MS(1000), .lower_at = MS(100), .answers = 8), ADVERT(99, 9), MS(300),
	VRRP_MASTER, MS(1000), 0, VRRP_WHY_LOWER_ADVERT },
{ "lower: when it falls silent the addresses are announced again", &v3,
	MASTER(100, MS(2000), .lower_at = MS(100)), EV(TIMER), MS(2000),
	VRRP_MASTER, MS(3000), SPEAK | VRRP_ANNOUNCE, 0 },
{ "master: own advert reflected", &v3, MASTER(100, MS(1000)), ADVERT(100, 5), MS(300),
	VRRP_MASTER, MS(1000), 0, 0 },
{ "master: a new priority goes out at once", &v3, MASTER(100, MS(1000)), PRIORITY(80), MS(300),
	VRRP_MASTER, MS(1300), SPEAK, VRRP_WHY_PRIORITY },
{ "master: the same priority does not", &v3, MASTER(100, MS(1000)), PRIORITY(100), MS(300),
	VRRP_MASTER, MS(1000), 0, 0 },
{ "9568 6.4.3 shutdown: addresses first, then priority 0", &v3, MASTER(100, MS(1000)), EV(STOP),
	MS(300),
	VRRP_INIT, NEVER, LEAVE, VRRP_WHY_STOP },
{ "master: fault", &v3, MASTER(100, MS(1000)), EV(FAULT), MS(300),
	VRRP_FAULT, NEVER, LEAVE, VRRP_WHY_FAULT },
{ "master: an address removed by somebody is put back", &v3, MASTER(100, MS(1000)),
	EV(VIP_LOST), MS(300),
	VRRP_MASTER, MS(1000), VRRP_ADD_VIPS | VRRP_ANNOUNCE, VRRP_WHY_VIP_LOST },
{ "master: handover leaves all as it is", &v3, MASTER(100, MS(1000)), EV(HANDOVER), MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_HANDOVER | VRRP_RENEW_LEASE, 0 },
{ "late: two intervals late is not late yet", &late, MASTER(100, MS(1000)), EV(TIMER),
	MS(3000),
	VRRP_MASTER, MS(4000), SPEAK, 0 },
{ "late: later than the peers bear, listen", &late, MASTER(100, MS(1000)), EV(TIMER),
	MS(3001),
	VRRP_BACKUP, US(4610375), 0, VRRP_WHY_LATE },
{ "late: down_adverts 1 and an ordinary tick", &eager, MASTER(100, MS(1000)), EV(TIMER),
	MS(1010),
	VRRP_MASTER, MS(2000), SPEAK, 0 },
{ "late: an address went while we slept, listen before putting it back", &late,
	MASTER(100, MS(1000)), EV(VIP_LOST), MS(5000),
	VRRP_BACKUP, US(6609375), 0, VRRP_WHY_LATE },
{ "late: a new priority does not hide it", &late, MASTER(100, MS(1000)), PRIORITY(80),
	MS(5000),
	VRRP_BACKUP, US(6687500), 0, VRRP_WHY_LATE },
{ "late: a lower master took over, let go until we take over", &late, MASTER(100, MS(1000)),
	ADVERT(50, 9), MS(5000),
	VRRP_BACKUP, US(6609375), VRRP_DEL_VIPS, VRRP_WHY_LATE },
{ "late: a lower master took over, nopreempt: it stays", &late_np, MASTER(100, MS(1000)),
	ADVERT(50, 9), MS(5000),
	VRRP_BACKUP, US(8609375), VRRP_DEL_VIPS, VRRP_WHY_LATE },
{ "late: stop is stop", &late, MASTER(100, MS(1000)), EV(STOP), MS(9000),
	VRRP_INIT, NEVER, LEAVE, VRRP_WHY_STOP },

/* ---- deaf: giving way ---- */
{ "deaf: the first losing advert is answered", &yield, MASTER(100, MS(1000)), ADVERT(90, 9),
	MS(300),
	VRRP_MASTER, MS(1000), VRRP_SEND_ADVERT | VRRP_ANNOUNCE, VRRP_WHY_LOWER_ADVERT },
{ "deaf: one in vain, answered again", &yield,
	MASTER(100, MS(2000), CONTEST(0, MS(300), TOLD(MS(300)))), ADVERT(90, 9), MS(1300),
	VRRP_MASTER, MS(2000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: two in vain, give way", &yield,
	MASTER(100, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 9), MS(2300),
	VRRP_BACKUP, US(5909375), LEAVE, VRRP_WHY_DEAF },
{ "deaf: it may have been on its way when we answered", &yield,
	MASTER(100, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 9), MS(1799),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: nothing said since the last one, nothing in vain", &yield,
	MASTER(100, MS(3000), CONTEST(1, MS(1300))), ADVERT(90, 9), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: another one's adverts count by themselves", &yield,
	MASTER(100, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 8), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: it had been silent, a new contest", &yield,
	MASTER(100, MS(4000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 9), MS(3301),
	VRRP_MASTER, MS(4000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: other addresses are a VRID collision, never", &yield,
	MASTER(100, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), COLLISION(90, 9), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: an owner never gives way", &yield,
	MASTER(255, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 9), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf off: the contest goes on for ever", &v3,
	MASTER(100, MS(3000), CONTEST(1, MS(1300), TOLD(MS(1300)))), ADVERT(90, 9), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },
{ "deaf: a tie that we win counts as well", &yield,
	MASTER(100, MS(3000), .lower_at = MS(1300), .deaf = { .peer = IP(4), .vain = 1,
		.trouble_at = MS(1300), TOLD(MS(1300)) }), ADVERT(100, 4), MS(2300),
	VRRP_BACKUP, US(5909375), LEAVE, VRRP_WHY_DEAF },
{ "deaf: ... but once, as both may think they win", &yield,
	MASTER(100, MS(3000), .lower_at = MS(1300), .deaf = { .peer = IP(4), .vain = 1,
		.trouble_at = MS(1300), TOLD(MS(1300)), .wait_us = 60 * SECOND }),
	ADVERT(100, 4), MS(2300),
	VRRP_MASTER, MS(3000), VRRP_SEND_ADVERT, VRRP_WHY_LOWER_ADVERT },

/* ---- deaf: backup ---- */
{ "deaf: the master we gave way to is left alone", &yield,
	DEAF(100, MS(101000), US(104609375)), ADVERT(90, 9), MS(102000),
	VRRP_BACKUP, US(105609375), 0, 0 },
{ "deaf: the probe is due, half an interval after an advert", &yield,
	DEAF(100, MS(159000), US(162609375)), ADVERT(90, 9), MS(160000),
	VRRP_BACKUP, MS(160500), 0, 0 },
{ "deaf: not while another one than the deaf is master", &yield,
	DEAF(100, MS(159000), US(162609375)), ADVERT(90, 8), MS(160000),
	VRRP_BACKUP, US(163609375), 0, 0 },
{ "deaf: no probe under nopreempt", &yieldnp,
	DEAF(100, MS(159000), US(162609375)), ADVERT(90, 9), MS(160000),
	VRRP_BACKUP, US(163609375), 0, 0 },
{ "deaf: the probe, an advert and no addresses", &yield,
	DEAF(100, MS(160000), MS(160500), .fire_at = MS(160500)), EV(TIMER), MS(160500),
	VRRP_BACKUP, US(161609375), VRRP_SEND_ADVERT, VRRP_WHY_PROBE },
{ "deaf: not heard, the other goes on", &yield,
	DEAF(100, MS(160000), US(161609375), .probing = true), ADVERT(90, 9), MS(161000),
	VRRP_BACKUP, US(164609375), 0, 0 },
{ "deaf: heard, the other is silent", &yield,
	DEAF(100, MS(160000), US(161609375), .probing = true), EV(TIMER), US(161609375),
	VRRP_MASTER, US(162609375), TAKE, VRRP_WHY_HEARD },
{ "deaf: the other is gone", &yield,
	DEAF(100, MS(101000), US(104609375)), EV(TIMER), US(104609375),
	VRRP_MASTER, US(105609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "deaf: the other lets go", &yield,
	DEAF(100, MS(101000), US(104609375)), ADVERT(0, 9), MS(101500),
	VRRP_BACKUP, US(102109375), 0, VRRP_WHY_LEAVE_HEARD },
{ "deaf: another path, ordinary rules", &yield,
	DEAF(100, MS(101000), US(104609375)), EV(PATH_CHANGED), MS(101500),
	VRRP_BACKUP, US(104609375), 0, VRRP_WHY_UNBARRED },
{ "deaf: the operator's word", &yield,
	DEAF(100, MS(101000), US(104609375)), EV(RESUME), MS(101500),
	VRRP_BACKUP, US(104609375), 0, VRRP_WHY_UNBARRED },
{ "not deaf: another path changes nothing", &yield, BACKUP(100, US(3609375)),
	EV(PATH_CHANGED), MS(1000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "claims beside a master we follow are not heard", &fast,
	BACKUP_(100, MS(1000), US(4609375), HEARD(200, 9, 200, MS(1000))), ADVERT(50, 8), MS(2000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "... nor who lets go beside it", &yield,
	BACKUP_(100, MS(1000), US(4609375), HEARD(200, 9, 200, MS(1000))), ADVERT(0, 8), MS(2000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "... until it is silent", &fast,
	BACKUP_(100, MS(1000), US(4609375), HEARD(200, 9, 200, MS(1000))), ADVERT(50, 8), MS(2501),
	VRRP_BACKUP, US(3110375), 0, 0 },

/* ---- the operator's release ---- */
{ "release: addresses first, then priority 0; nobody for two down intervals", &v3,
	MASTER(100, MS(1000)), EV(RELEASE), MS(300),
	VRRP_BACKUP, US(7518750), LEAVE, VRRP_WHY_RELEASED },
{ "release: forced, without end", &v3, MASTER(100, MS(1000)), RELEASE_(.force = true), MS(300),
	VRRP_BACKUP, NEVER, LEAVE, VRRP_WHY_RELEASED },
{ "release: forced, for so long", &v3, MASTER(100, MS(1000)),
	RELEASE_(.force = true, .hold_us = 60 * SECOND), MS(300),
	VRRP_BACKUP, MS(60300), LEAVE, VRRP_WHY_RELEASED },
{ "release: late as we are, let go", &late, MASTER(100, MS(1000)), EV(RELEASE), MS(9000),
	VRRP_BACKUP, US(16218750), LEAVE, VRRP_WHY_RELEASED },
{ "release: an owner too", &v3, MASTER(255, MS(1000)), EV(RELEASE), MS(300),
	VRRP_BACKUP, US(6307812), LEAVE, VRRP_WHY_RELEASED },
{ "release: a backup does not become master", &v3,
	BACKUP(100, US(3609375), HEARD(50, 9, 50, MS(500)), .preempt_at = MS(500)),
	EV(RELEASE), MS(1000),
	VRRP_BACKUP, US(4109375), 0, VRRP_WHY_RELEASED },
{ "release: what was held while listening goes", &v3,
	BACKUP(100, US(1609375), .wait = VRRP_WAIT_LISTEN, .holding = true), EV(RELEASE), MS(0),
	VRRP_BACKUP, US(7218750), VRRP_DEL_VIPS, VRRP_WHY_RELEASED },
{ "release: nobody took over", &v3, RELEASED(US(7218750), NEVER, US(7218750)), EV(TIMER),
	US(7218750),
	VRRP_MASTER, US(8218750), TAKE, VRRP_WHY_NOBODY },
{ "release: woken late, one skew more", &v3, RELEASED(US(7218750), NEVER, US(7218750)),
	EV(TIMER), MS(9000),
	VRRP_BACKUP, US(9609375), 0, 0 },
{ "release: a lower master was heard and is left alone", &v3,
	RELEASED(US(7218750), NEVER, US(7218750)), ADVERT(50, 9), MS(1000),
	VRRP_BACKUP, US(4609375), 0, 0 },
{ "release: ... and again", &fast,
	RELEASED(US(4609375), NEVER, US(7218750), .release.heard = true,
		HEARD(50, 9, 50, MS(1000))), ADVERT(50, 9), MS(2000),
	VRRP_BACKUP, US(5609375), 0, 0 },
{ "release: ... until it is gone", &v3,
	RELEASED(US(4609375), NEVER, US(7218750), .release.heard = true,
		HEARD(50, 9, 50, MS(1000)), .wait_from = MS(1000)), EV(TIMER), US(4609375),
	VRRP_MASTER, US(5609375), TAKE, VRRP_WHY_NO_ADVERT },
{ "release: somebody resigns before anybody was heard", &v3,
	RELEASED(US(7218750), NEVER, US(7218750)), ADVERT(0, 9), MS(1000),
	VRRP_BACKUP, US(7218750), 0, VRRP_WHY_LEAVE_HEARD },
{ "release: forced, whoever resigns", &v3,
	RELEASED(NEVER, NEVER, US(7218750), .release.force = true), ADVERT(0, 9), MS(1000),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_LEAVE_HEARD },
{ "release: forced, its time is over and nobody there", &v3,
	RELEASED(MS(60000), MS(60000), US(7218750), .release.force = true), EV(TIMER), MS(60000),
	VRRP_MASTER, MS(61000), TAKE, VRRP_WHY_NO_ADVERT },
{ "release: forced, its time is over and somebody there", &v3,
	RELEASED(MS(60000), MS(60000), US(7218750), .release.force = true,
		.wait_from = MS(59500), HEARD(50, 9, 50, MS(59500))), EV(TIMER), MS(60000),
	VRRP_BACKUP, US(63109375), 0, VRRP_WHY_UNBARRED },
{ "release: not from one that lowers itself", &freshdeg,
	RELEASED(MS(60000), MS(60000), US(7218750), .release.heard = true, HEARD(150, 9, 150, MS(0))),
	ADVERT(50, 9), MS(500),
	VRRP_BACKUP, US(3609375), VRRP_ASK_VERDICTS, 0 },
{ "release: forced, from that one, too, and nothing is asked", &freshdeg,
	RELEASED(MS(60000), MS(60000), US(7218750), .release.force = true, .release.heard = true,
		HEARD(150, 9, 150, MS(0))), ADVERT(50, 9), MS(500),
	VRRP_BACKUP, MS(60000), 0, 0 },
{ "release: forced, a fault does not end it", &v3,
	{ .role = VRRP_FAULT, .priority = 100, .deadline = NEVER,
		.release = { .on = true, .force = true, .until = NEVER } }, EV(FAULT_CLEARED), MS(1000),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_FAULT_CLEARED },
{ "release: the operator's word", &v3,
	RELEASED(NEVER, NEVER, US(7218750), .release.force = true), EV(RESUME), MS(9000),
	VRRP_BACKUP, MS(9000), 0, VRRP_WHY_UNBARRED },
{ "release: another path is not the operator's word", &v3,
	RELEASED(NEVER, NEVER, US(7218750), .release.force = true), EV(PATH_CHANGED), MS(9000),
	VRRP_BACKUP, NEVER, 0, 0 },
{ "resume: nothing to a master", &v3, MASTER(100, MS(1000)), EV(RESUME), MS(300),
	VRRP_MASTER, MS(1000), 0, 0 },
{ "release: in INIT it says nothing", &v3, INIT, EV(RELEASE), MS(300),
	VRRP_INIT, NEVER, 0, 0 },

/* ---- sync groups ---- */
{ "group: time is up, the others are waited for", &member, BACKUP(100, US(3609375)),
	EV(TIMER), US(3609375),
	VRRP_BACKUP, NEVER, 0, 0 },
{ "group: an owner waits as well", &member, INIT, START(255), MS(0),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_START },
{ "group: all want to", &member, BACKUP(100, NEVER, .wants = true), EV(GROUP_MASTER), MS(5000),
	VRRP_MASTER, MS(6000), TAKE, VRRP_WHY_NO_ADVERT },
{ "group: one that does not want to stays", &member, BACKUP(100, US(3609375)),
	EV(GROUP_MASTER), MS(1000),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "group: a better master is back, no longer", &member, BACKUP(100, NEVER, .wants = true),
	ADVERT(200, 9), MS(5000),
	VRRP_BACKUP, US(8609375), 0, 0 },
{ "group: a lower master is back, still", &member, BACKUP(100, NEVER, .wants = true),
	ADVERT(50, 9), MS(5000),
	VRRP_BACKUP, NEVER, 0, 0 },
{ "group: the verdict is gone, no longer", &member, BACKUP(100, NEVER, .wants = true),
	{ .kind = VRRP_EV_PRIORITY, .priority = 100, .pending = true }, MS(5000),
	VRRP_BACKUP, MS(5000), 0, 0 },
{ "group: another member let go", &member, MASTER(100, MS(1000)), EV(GROUP_BACKUP), MS(300),
	VRRP_BACKUP, US(3909375), LEAVE, VRRP_WHY_GROUP },
{ "group: to a backup that is nothing new", &member, BACKUP(100, US(3609375)),
	EV(GROUP_BACKUP), MS(300),
	VRRP_BACKUP, US(3609375), 0, 0 },
{ "group: released, nobody took over, all want to", &member,
	RELEASED(US(7218750), NEVER, US(7218750)), EV(TIMER), US(7218750),
	VRRP_BACKUP, NEVER, 0, 0 },

/* ---- Fault ---- */
{ "fault: a forced release is remembered", &v3, FAULT(100), RELEASE_(.force = true), MS(10),
	VRRP_FAULT, NEVER, 0, 0 },
{ "fault: cleared, but released", &v3, { .role = VRRP_FAULT, .priority = 100,
	.deadline = NEVER, .release = { .on = true, .force = true, .until = NEVER } },
	EV(FAULT_CLEARED), MS(1000),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_FAULT_CLEARED },
{ "fault: cleared, an owner released stays off", &v3, { .role = VRRP_FAULT, .priority = 255,
	.deadline = NEVER, .release = { .on = true, .force = true, .until = NEVER } },
	EV(FAULT_CLEARED), MS(1000),
	VRRP_BACKUP, NEVER, 0, VRRP_WHY_FAULT_CLEARED },
{ "fault: resumed, then cleared", &v3, { .role = VRRP_FAULT, .priority = 255,
	.deadline = NEVER, .release = { .on = true, .force = true, .until = NEVER } },
	EV(RESUME), MS(1000),
	VRRP_FAULT, NEVER, 0, 0 },
{ "fault: adverts are not heard", &v3, FAULT(100), ADVERT(200, 9), MS(10),
	VRRP_FAULT, NEVER, 0, 0 },
{ "fault: another cause", &v3, FAULT(100), EV(FAULT), MS(10),
	VRRP_FAULT, NEVER, 0, VRRP_WHY_FAULT },
{ "fault: a start only says the priority", &v3, FAULT(0), START(100), MS(10),
	VRRP_FAULT, NEVER, 0, 0 },
{ "fault: cleared, a whole down interval", &v3, FAULT(100), EV(FAULT_CLEARED), MS(1000),
	VRRP_BACKUP, US(4609375), 0, VRRP_WHY_FAULT_CLEARED },
{ "fault: cleared, an owner at once", &v3, FAULT(255), EV(FAULT_CLEARED), MS(1000),
	VRRP_MASTER, MS(2000), TAKE, VRRP_WHY_OWNER },
{ "fault: cleared before any start", &v3, FAULT(0), EV(FAULT_CLEARED), MS(1000),
	VRRP_INIT, NEVER, 0, VRRP_WHY_STOP },
{ "fault: stop", &v3, FAULT(100), EV(STOP), MS(10),
	VRRP_INIT, NEVER, 0, VRRP_WHY_STOP },
};

/* clang-format on */

static struct vrrp_state
filled(struct vrrp_state s)
{
	if (s.preempt_at.us == 0)
		s.preempt_at = MONO_NEVER;
	if (s.lower_at.us == 0)
		s.lower_at = MONO_NEVER;
	if (s.deaf.fire_at.us == 0)
		s.deaf.fire_at = MONO_NEVER;
	return s;
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vrrp_outcome out = vrrp_step(
		    rows[i].params, filled(rows[i].before), &rows[i].event, rows[i].now);

		if (out.next.role != rows[i].role)
			fail_msg("\"%s\": role %s", rows[i].what, vrrp_role_str(out.next.role));
		if (out.next.deadline.us != rows[i].deadline.us)
			fail_msg("\"%s\": deadline %lld us", rows[i].what,
			    (long long)out.next.deadline.us);
		if (out.actions != rows[i].actions)
			fail_msg("\"%s\": actions %#x", rows[i].what, out.actions);
		if (out.reason.why != rows[i].why)
			fail_msg("\"%s\": why %s", rows[i].what, vrrp_why_str(out.reason.why));
	}
}

/* Every event in every role: an answer within the enums, and no timer in the past. */
static void
is_total(void **unused)
{
	static const struct vrrp_state states[] = { INIT, BACKUP(100, MS(100)),
		DEAF(100, MS(101000), MS(104609)), RELEASED(MS(7000), NEVER, MS(7000)),
		RELEASED(NEVER, NEVER, MS(7000), .release.force = true),
		BACKUP(100, NEVER, .wants = true),
		BACKUP(100, NEVER, .pending = true, .holding = true), MASTER(100, MS(100)),
		FAULT(100), FAULT(0) };
	const mono_t now = MS(200000);

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		for (int kind = 0; kind <= VRRP_EV_MAX; kind++)
			for (int priority = 0; priority < 256; priority += 5) {
				struct vrrp_event ev = ADVERT(0, 9);
				struct vrrp_outcome out;

				ev.kind = (enum vrrp_event_kind)kind;
				ev.priority = ev.advert.priority = (uint8_t)priority;
				out = vrrp_step(&late, filled(states[i]), &ev, now);
				assert_in_range(out.next.role, VRRP_INIT, VRRP_FAULT);
				assert_in_range(out.reason.why, 0, VRRP_WHY_MAX - 1);
				assert_int_equal(out.actions >> VRRP_N_ACTIONS, 0);
				if (kind == VRRP_EV_TIMER && out.next.role != VRRP_INIT)
					assert_true(mono_before(now, out.next.deadline) ||
						    mono_is_never(out.next.deadline));
				if (out.next.role == VRRP_MASTER)
					assert_int_not_equal(out.next.priority, 0);
			}
}

/* keepalived.md 6.5: what the field's timers are, to the microsecond. */
static void
timers(void **unused)
{
	static const struct {
		uint8_t priority;
		int64_t skew_us, down_us;
	} want[] = { { 254, 7812, 3007812 }, { 200, 218750, 3218750 }, { 150, 414062, 3414062 },
		{ 100, 609375, 3609375 }, { 1, 996093, 3996093 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(vrrp_skew_us(&v2, want[i].priority, SECOND), want[i].skew_us);
		assert_int_equal(vrrp_skew_us(&v3, want[i].priority, SECOND), want[i].skew_us);
		assert_int_equal(vrrp_down_us(&v3, want[i].priority, SECOND), want[i].down_us);
	}
	assert_int_equal(vrrp_handover_interval(&quick), SECOND);
	assert_int_equal(vrrp_handover_interval(&v2_5s), 5 * SECOND);
}

/* A reload: the role stays, the deadlines follow the new interval. */
static void
adjusting(void **unused)
{
	static const struct vrrp_state backup = BACKUP(100, US(3609375)),
				       learned = BACKUP(
					   100, US(3609375), HEARD(200, 9, 200, MS(0))),
				       master = MASTER(100, MS(1000)), fault = FAULT(100);
	const mono_t now = MS(5);

	(void)unused;
	assert_int_equal(vrrp_adjust(&quick, filled(backup), now).deadline.us, 30000 + 6093);
	assert_int_equal(vrrp_adjust(&quick, filled(learned), now).deadline.us, 3609375);
	assert_int_equal(vrrp_adjust(&quick, filled(master), now).deadline.us, 15000);
	assert_int_equal(vrrp_adjust(&v3, filled(master), now).deadline.us, 1000000);
	assert_true(mono_is_never(vrrp_adjust(&v3, filled(fault), now).deadline));
}

/* The sentences that people grep for. */
static void
sentences(void **unused)
{
	static const struct {
		struct vrrp_reason reason;
		const char *text;
	} want[] = {
		{ { .why = VRRP_WHY_NO_ADVERT, .peer = IP(9), .us = 3609375 },
		    "no advert from 10.0.0.9 for 3.609 s" },
		{ { .why = VRRP_WHY_NO_ADVERT, .us = 36093 }, "no advert for 0.036 s" },
		{ { .why = VRRP_WHY_HIGHER, .peer = IP(9), .priority = 200, .ours = 150 },
		    "received advert from 10.0.0.9 with higher priority 200, ours 150" },
		{ { .why = VRRP_WHY_FAULT, .cause = "interface eth0 is down" },
		    "interface eth0 is down" },
		{ { .why = VRRP_WHY_FAULT }, "" },
		{ { .why = VRRP_WHY_DEAF, .peer = IP(9), .priority = 90, .ours = 100 },
		    "10.0.0.9, of priority 90, does not hear us (ours 100): giving way to it, "
		    "deaf" },
		{ { .why = VRRP_WHY_PROBE, .peer = IP(9) },
		    "asking whether 10.0.0.9 hears us again" },
		{ { .why = VRRP_WHY_HEARD, .peer = IP(9), .priority = 90, .ours = 100 },
		    "10.0.0.9 hears us again (priority 90, ours 100)" },
		{ { .why = VRRP_WHY_RELEASED }, "released by the operator" },
		{ { .why = VRRP_WHY_RELEASED, .cause = "for 60 s" },
		    "released by the operator: for 60 s" },
		{ { .why = VRRP_WHY_NOBODY, .us = 7218750 }, "nobody took over for 7.219 s" },
		{ { .why = VRRP_WHY_GROUP, .cause = "VI_2 is BACKUP" },
		    "sync group: VI_2 is BACKUP" },
		{ { .why = VRRP_WHY_PRIORITY,
		      .was = 100,
		      .priority = 80,
		      .cause = "check chk_nginx failed" },
		    "from 100 to 80: check chk_nginx failed" },
		{ { .why = VRRP_WHY_PRIORITY, .was = 80, .priority = 100 }, "from 80 to 100" },
		{ { .why = VRRP_WHY_DEGRADED,
		      .peer = IP(9),
		      .was = 120,
		      .priority = 90,
		      .ours = 100 },
		    "10.0.0.9 lowered its priority from 120 to 90, ours 100" },
		{ { .why = VRRP_WHY_LATE, .us = 5170000 },
		    "a timer expired 5.170 s late, listening first" },
	};
	char buf[VRRP_REASON_STRLEN], cause[2 * VRRP_REASON_STRLEN];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(vrrp_reason_format(&want[i].reason, buf), want[i].text);
	for (int why = 0; why <= VRRP_WHY_MAX; why++) {
		struct vrrp_reason r = { .why = (enum vrrp_why)why, .cause = "x" };

		vrrp_reason_format(&r, buf);
		assert_int_equal(buf[0] == '\0', why == VRRP_WHY_NONE || why == VRRP_WHY_MAX);
		assert_int_equal(vrrp_why_str(r.why)[0] == '?', why == VRRP_WHY_MAX);
	}
	memset(cause, 'x', sizeof(cause) - 1);
	cause[sizeof(cause) - 1] = '\0';
	vrrp_reason_format(&(struct vrrp_reason){ .why = VRRP_WHY_FAULT, .cause = cause }, buf);
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
}

/* No name is missing from its table. */
static void
names(void **unused)
{
	(void)unused;
	for (int i = 0; i < VRRP_EV_MAX; i++)
		assert_string_not_equal(vrrp_event_str((enum vrrp_event_kind)i), "?");
	for (int i = 0; i < VRRP_N_ACTIONS; i++)
		assert_string_not_equal(vrrp_action_str((enum vrrp_action)(1 << i)), "?");
	for (int i = VRRP_INIT; i <= VRRP_FAULT; i++)
		assert_string_not_equal(vrrp_role_str((enum vrrp_role)i), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(is_total),
		cmocka_unit_test(timers),
		cmocka_unit_test(adjusting),
		cmocka_unit_test(sentences),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
