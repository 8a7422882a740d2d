/*
 * world.c - time, processes, kernel and LAN; see world.h.
 */
#include "tests/sim/world.h"

#include "vrrpd/adopt.h"
#include "vrrpd/group.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char boot_id[] = "sim";
static const struct addr vip_addr = { .family = AF_INET, .bytes = { 10, 0, 0, 100 } };
static const struct addr group = { .family = AF_INET, .bytes = { 224, 0, 0, 18 } };

void
world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	rng_seed(&w->rng, seed);
	w->now = (mono_t){ 1000 * SECOND };
	w->n_segments = 1;
	w->judge.calm_since = w->now;
	w->judge.half_since = MONO_NEVER;
	judge_count(w);
}

struct router *
world_add(struct world *w, const char *name, const struct vrrp_params *params, uint8_t priority)
{
	struct router *r = &w->routers[w->n_routers++];

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->segment = (w->n_routers - 1) % w->n_segments;
	r->params = *params;
	r->params.grouped = w->n_segments > 1;
	r->params.primary = group;
	memcpy(r->params.primary.bytes, (uint8_t[]){ 10, 0, 0, (uint8_t)w->n_routers }, 4);
	r->priority = r->full = priority;
	r->wire = (struct vrrp_wire){ .version = params->version,
		.family = AF_INET,
		.vrid = VRID,
		.interval_us = params->interval_us,
		.auth_pass = params->version == 2,
		.pass = "secret",
		.primary = r->params.primary,
		.addrs = &vip_addr,
		.n_addrs = 1 };
	r->start_at = r->timer = r->verdicts_at = r->vip_ends = r->pending_until = MONO_NEVER;
	r->recorded = (struct record_instance){ .family = AF_INET, .vrid = VRID };
	snprintf(r->record.boot_id, sizeof(r->record.boot_id), "%s", boot_id);
	return r;
}

int64_t
router_lease(const struct router *r)
{
	int64_t seconds = (3 * r->params.interval_us + SECOND - 1) / SECOND;

	return MAX(seconds, 1) * SECOND;
}

struct router *
router_process(struct world *w, const struct router *r)
{
	size_t index = (size_t)(r - w->routers);

	return &w->routers[index - index % w->n_segments];
}

bool
router_runs(const struct world *w, const struct router *r)
{
	return r->alive && !mono_before(w->now, r->asleep_until);
}

/* ---- the LAN ---- */

static void
post(struct world *w, const struct message *m, unsigned to)
{
	struct message *copy;

	if (w->n_mail == MAIL_MAX)
		return;
	copy = &w->mail[w->n_mail++];
	*copy = *m;
	copy->to = to;
	copy->at = mono_add(w->now, rng_between(&w->rng, w->lan.delay_min_us, w->lan.delay_max_us));
}

static void
broadcast(struct world *w, const struct message *m)
{
	for (unsigned to = 0; to < w->n_routers; to++) {
		if (to == m->from || w->lan.cut[m->from][to] ||
		    w->routers[to].segment != w->routers[m->from].segment)
			continue;
		if (!rng_chance(&w->rng, w->lan.loss))
			post(w, m, to);
		if (rng_chance(&w->rng, w->lan.twice))
			post(w, m, to);
	}
}

static void
say(struct world *w, struct router *r, uint8_t priority, int64_t interval_us)
{
	struct message m = { .from = (unsigned)(r - w->routers) };
	ssize_t n = vrrp_pkt_encode(
	    &r->wire, priority, interval_us, &group, m.bytes, sizeof(m.bytes));

	if (n < 0) {
		judge_fail(w, "%s: cannot encode its advert", r->name);
		return;
	}
	m.size = (size_t)n;
	r->said_before = r->said_at;
	r->said_at = w->now;
	broadcast(w, &m);
}

/* ---- the kernel ---- */

static void
kernel_renew(struct world *w, struct router *r)
{
	if (!r->vip)
		return; /* a renewal does not bring back what is gone */
	r->vip_stamp = w->now;
	r->vip_lease_end = mono_add(w->now, router_lease(r));
	r->vip_ends = mono_add(r->vip_lease_end, rng_between(&w->rng, 0, w->sweep_us));
}

static void
kernel_add(struct world *w, struct router *r)
{
	r->vip = true;
	kernel_renew(w, r);
}

static void
kernel_del(struct router *r)
{
	r->vip = false;
	r->vip_ends = MONO_NEVER;
}

/* ---- the process: what vrrpd/instance.c does with an outcome ---- */

static void
perform(struct world *w, struct router *r, unsigned actions)
{
	for (unsigned bit = 1; bit < 1u << VRRP_N_ACTIONS; bit <<= 1) {
		if ((actions & bit) == 0)
			continue;
		switch ((enum vrrp_action)bit) {
		case VRRP_SEND_ADVERT:
			say(w, r, r->state.priority, 0);
			break;
		case VRRP_SEND_HANDOVER:
			say(w, r, r->state.priority, vrrp_handover_interval(&r->params));
			break;
		case VRRP_ADD_VIPS:
			kernel_add(w, r);
			break;
		case VRRP_RENEW_LEASE:
			kernel_renew(w, r);
			break;
		case VRRP_DEL_VIPS:
			kernel_del(r);
			break;
		case VRRP_SEND_RESIGN:
			say(w, r, VRRP_PRIORITY_LEAVE, 0);
			break;
		case VRRP_ASK_VERDICTS:
			if (w->verdict_us >= 0 && !router_process(w, r)->checks.away)
				r->verdicts_at = mono_add(
				    w->now, rng_between(&w->rng, 0, w->verdict_us));
			break;
		case VRRP_ANNOUNCE:
			break;
		}
	}
}

static void
tell(const struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_event *ev, const struct vrrp_outcome *out)
{
	char reason[VRRP_REASON_STRLEN], source[ADDR_STRLEN] = "";

	if (!w->verbose)
		return;
	if (ev->kind == VRRP_EV_ADVERT)
		addr_format(&ev->advert.source, source);
	printf("%10.4f %s %-6s %s %s %u ->", (double)w->now.us / (double)SECOND, r->name,
	    vrrp_role_str(before->role), vrrp_event_str(ev->kind), source,
	    ev->kind == VRRP_EV_ADVERT ? ev->advert.priority : ev->priority);
	if (out->next.role != before->role)
		printf(" %s", vrrp_role_str(out->next.role));
	for (unsigned bit = 1; bit < 1u << VRRP_N_ACTIONS; bit <<= 1)
		if ((out->actions & bit) != 0)
			printf(" %s", vrrp_action_str((enum vrrp_action)bit));
	printf("  (due %.4f)  %s\n", (double)out->next.deadline.us / (double)SECOND,
	    vrrp_reason_format(&out->reason, reason));
}

/* What vrrpd writes down whenever its role changes. */
static void
write_down(struct world *w, struct router *r)
{
	r->record.stamp = r->record.monotonic = w->now;
	r->recorded.role = r->state.role;
	r->recorded.advert_at = r->said_at;
}

static void sync_group(struct world *, struct router *);

static void
feed(struct world *w, struct router *r, const struct vrrp_event *ev)
{
	struct vrrp_state before = r->state;
	struct vrrp_outcome out = vrrp_step(&r->params, r->state, ev, w->now);

	tell(w, r, &before, ev, &out);
	r->state = out.next; /* the only assignment */
	perform(w, r, out.actions);
	r->timer = mono_add(out.next.deadline, rng_between(&w->rng, 0, w->jitter_us));
	if (before.role != out.next.role)
		write_down(w, r);
	judge_step(w, r, &before, ev, &out);
	sync_group(w, r);
}

static void
feed_kind(struct world *w, struct router *r, enum vrrp_event_kind kind)
{
	feed(w, r,
	    &(struct vrrp_event){ .kind = kind,
		.priority = r->priority,
		.lowered = (uint8_t)MAX(r->full - r->priority, 0),
		.pending = r->pending,
		.no_witness = r->no_witness });
}

/* What vrrpd/instance.c does for a sync group after each event of a member. */
static void
sync_group(struct world *w, struct router *r)
{
	struct router *first = router_process(w, r);
	struct group_member m[SEGMENTS_MAX];
	struct group_order orders[SEGMENTS_MAX];
	unsigned rounds = 0;

	if (w->n_segments == 1 || w->syncing || !r->alive)
		return;
	w->syncing = true;
	for (;;) {
		for (unsigned i = 0; i < w->n_segments; i++)
			m[i] = (struct group_member){ .name = first[i].name,
				.state = &first[i].state,
				.fault = first[i].faulted ? "fault" : NULL };
		if (group_step(m, w->n_segments, orders) == 0)
			break;
		if (++rounds > 4) {
			judge_fail(w, "%s: its group is never as it should be", r->name);
			break;
		}
		for (unsigned i = 0; i < w->n_segments; i++)
			if (orders[i].kind != VRRP_EV_MAX)
				feed(w, &first[i], &(struct vrrp_event){ .kind = orders[i].kind });
	}
	w->syncing = false;
}

static void
receive(struct world *w, struct router *r, const struct message *m)
{
	struct vrrp_event ev = { .kind = VRRP_EV_ADVERT };
	struct vrrp_rx rx = { .source = w->routers[m->from].params.primary,
		.destination = group,
		.ttl = VRRP_IP_TTL,
		.bytes = m->bytes,
		.size = m->size };
	struct vrrp_pkt pkt;
	unsigned differs;
	enum vrrp_pkt_err err = vrrp_pkt_decode(&rx, &pkt);

	if (err == VRRP_PKT_OK)
		err = vrrp_pkt_check(&r->wire, &pkt, &differs);
	if (err != VRRP_PKT_OK) {
		judge_fail(w, "%s drops an advert of %s: %s", r->name, w->routers[m->from].name,
		    vrrp_pkt_err_str(err));
		return;
	}
	ev.advert = pkt.advert;
	if (ev.advert.priority >= r->priority)
		r->lower_at = (mono_t){ 0 };
	else if (ev.advert.priority > 0 && r->lower_at.us == 0)
		r->lower_at = w->now;
	r->released_heard |= ev.advert.priority > 0;
	feed(w, r, &ev);
	r->heard_at = ev.advert.priority > 0 ? w->now : (mono_t){ 0 };
}

/* ---- starting, with what the last process left ---- */

static struct adopt_outcome
adoption(const struct world *w, const struct router *r)
{
	struct adopt_kernel kernel = { 1, r->vip, r->vip, r->vip_stamp, r->vip_lease_end };
	struct adopt_clock now = { w->now, w->now };
	struct record_instance recorded = r->recorded;

	if (recorded.role == VRRP_MASTER) /* as vrrpd's beats say */
		recorded.advert_at = r->said_at;
	return adopt_decide(&r->record, &recorded, &kernel, &now, boot_id,
	    vrrp_bear_us(&r->params, r->record.handover), router_lease(r));
}

static void
boot_one(struct world *w, struct router *r, enum adopt_verdict verdict)
{
	r->start_at = MONO_NEVER;
	r->alive = true;
	r->state = (struct vrrp_state){ .role = VRRP_INIT };
	if (verdict == ADOPT_NONE)
		kernel_del(r);
	else if (!r->record.handover)
		record_note_adoption(&r->record, w->now);
	r->record.handover = false;
	feed_kind(w, r,
	    verdict == ADOPT_RESUME   ? VRRP_EV_RESUME_MASTER
	    : verdict == ADOPT_LISTEN ? VRRP_EV_RESUME_LISTEN
				      : VRRP_EV_START);
	if (r->faulted && w->n_segments == 1)
		feed_kind(w, r, VRRP_EV_FAULT);
}

static void
boot(struct world *w, struct router *r)
{
	struct router *first = router_process(w, r);
	struct adopt_outcome adopt[SEGMENTS_MAX];

	for (unsigned i = 0; i < w->n_segments; i++)
		adopt[i] = adoption(w, &first[i]);
	adopt_together(adopt, w->n_segments);
	checks_boot(w, first, adopt[0].verdict != ADOPT_NONE);
	w->syncing = true;
	for (unsigned i = 0; i < w->n_segments; i++)
		boot_one(w, &first[i], adopt[i].verdict);
	w->syncing = false;
	sync_group(w, r);
}

/* The process ends; what is not in the kernel or the record is gone. */
static void
end(struct router *r)
{
	r->alive = false;
	r->heard_at = r->lower_at = (mono_t){ 0 };
	r->state = (struct vrrp_state){ .role = VRRP_INIT };
	r->timer = r->verdicts_at = r->pending_until = MONO_NEVER;
	r->asleep_until = (mono_t){ 0 };
	r->n_inbox = 0;
	r->lost_vip = r->released = false;
}

void
router_start(struct world *w, struct router *r, bool pending)
{
	struct router *first = router_process(w, r);

	judge_disturb(w);
	if (r->alive)
		return;
	for (unsigned i = 0; i < w->n_segments; i++)
		first[i].pending = pending;
	boot(w, r);
}

void
router_stop(struct world *w, struct router *r)
{
	judge_disturb(w);
	struct router *first = router_process(w, r);

	if (!router_runs(w, r))
		return;
	w->syncing = true;
	for (unsigned i = 0; i < w->n_segments; i++) {
		feed_kind(w, &first[i], VRRP_EV_STOP);
		end(&first[i]);
	}
	w->syncing = false;
}

void
router_crash(struct world *w, struct router *r)
{
	struct router *first = router_process(w, r);

	judge_disturb(w);
	for (unsigned i = 0; r->alive && i < w->n_segments; i++)
		if (&first[i] != r)
			end(&first[i]);
	if (r->alive)
		end(r);
}

void
router_start_later(struct world *w, struct router *r, int64_t us)
{
	struct router *first = router_process(w, r);

	judge_disturb(w);
	if (r->alive)
		return;
	for (unsigned i = 0; i < w->n_segments; i++) {
		first[i].pending = false;
		first[i].start_at = mono_add(w->now, us);
	}
}

void
router_restart(struct world *w, struct router *r, int64_t gap_us)
{
	judge_disturb(w);
	struct router *first = router_process(w, r);

	if (!router_runs(w, r))
		return;
	w->syncing = true;
	for (unsigned i = 0; i < w->n_segments; i++) {
		feed_kind(w, &first[i], VRRP_EV_HANDOVER);
		write_down(w, &first[i]);
		first[i].record.handover = true;
		end(&first[i]);
	}
	w->syncing = false;
	router_start_later(w, r, gap_us);
}

void
router_stall(struct world *w, struct router *r, int64_t us)
{
	struct router *first = router_process(w, r);

	judge_disturb(w);
	for (unsigned i = 0; router_runs(w, r) && i < w->n_segments; i++)
		if (&first[i] != r)
			first[i].asleep_until = mono_add(w->now, us);
	if (router_runs(w, r))
		r->asleep_until = mono_add(w->now, us);
}

void
router_fault(struct world *w, struct router *r, bool faulted)
{
	judge_disturb(w);
	if (r->faulted == faulted || (r->alive && !router_runs(w, r)))
		return;
	r->faulted = faulted;
	r->released &= r->released_force; /* a fault makes others take over as well */
	if (w->n_segments > 1)
		sync_group(w, r);
	else if (r->alive)
		feed_kind(w, r, faulted ? VRRP_EV_FAULT : VRRP_EV_FAULT_CLEARED);
}

void
router_priority(struct world *w, struct router *r, uint8_t priority)
{
	judge_disturb(w);
	if (r->alive && !router_runs(w, r))
		return;
	struct router *first = router_process(w, r);

	for (unsigned i = 0; i < w->n_segments; i++) {
		first[i].priority = priority;
		if (r->alive)
			feed_kind(w, &first[i], VRRP_EV_PRIORITY);
	}
}

void
router_witness(struct world *w, struct router *r, bool passes)
{
	struct router *first = router_process(w, r);

	judge_disturb(w);
	if (r->alive && !router_runs(w, r))
		return;
	for (unsigned i = 0; i < w->n_segments; i++) {
		first[i].no_witness = !passes;
		first[i].witnessed_at = w->now;
		if (r->alive)
			feed_kind(w, &first[i], VRRP_EV_PRIORITY);
	}
}

void
router_verdict(struct world *w, struct router *r)
{
	judge_disturb(w);
	r->pending = false;
	if (router_runs(w, r))
		feed_kind(w, r, VRRP_EV_PRIORITY);
}

void
router_lose_vip(struct world *w, struct router *r)
{
	judge_disturb(w);
	if (!r->vip)
		return;
	kernel_del(r);
	if (router_runs(w, r))
		feed_kind(w, r, VRRP_EV_VIP_LOST);
	else
		r->lost_vip = r->alive;
}

void
router_release(struct world *w, struct router *r, bool force, int64_t hold_us)
{
	judge_disturb(w);
	if (!router_runs(w, r))
		return;
	r->released = force || r->state.role != VRRP_FAULT;
	r->released_force = force;
	r->released_heard = r->state.role == VRRP_BACKUP && r->heard_at.us > 0;
	r->released_at = w->now;
	r->nobody_at = mono_add(
	    w->now, 2 * vrrp_down_us(&r->params, r->priority, r->params.interval_us));
	r->released_until = hold_us > 0 ? mono_add(w->now, hold_us) : MONO_NEVER;
	feed(w, r,
	    &(struct vrrp_event){ .kind = VRRP_EV_RELEASE, .force = force, .hold_us = hold_us });
}

void
router_resume(struct world *w, struct router *r)
{
	judge_disturb(w);
	if (!router_runs(w, r))
		return;
	r->released = false;
	feed_kind(w, r, VRRP_EV_RESUME);
}

void
router_path(struct world *w, struct router *r)
{
	judge_disturb(w);
	if (router_runs(w, r))
		feed_kind(w, r, VRRP_EV_PATH_CHANGED);
}

/* ---- what happens next ---- */

static void
on_lease_end(struct world *w, struct router *r)
{
	judge_lease_end(w, r);
	kernel_del(r);
	if (router_runs(w, r))
		feed_kind(w, r, VRRP_EV_VIP_LOST);
	else
		r->lost_vip = r->alive;
}

static void
read_inbox(struct world *w, struct router *r)
{
	unsigned n = r->n_inbox;

	r->n_inbox = 0;
	for (unsigned i = 0; i < n; i++)
		receive(w, r, &r->inbox[i]);
}

/* Sockets or timers first: a loop that was stopped may do either. */
static void
on_wake(struct world *w, struct router *r)
{
	bool timer_first = rng_chance(&w->rng, 500);

	r->asleep_until = (mono_t){ 0 };
	r->woke_at = w->now;
	judge_disturb(w);
	if (timer_first && !mono_before(w->now, r->timer))
		feed_kind(w, r, VRRP_EV_TIMER);
	if (r->lost_vip)
		feed_kind(w, r, VRRP_EV_VIP_LOST);
	r->lost_vip = false;
	read_inbox(w, r);
}

static void
on_message(struct world *w, unsigned index)
{
	struct message m = w->mail[index];
	struct router *r = &w->routers[m.to];

	w->mail[index] = w->mail[--w->n_mail];
	if (router_runs(w, r))
		receive(w, r, &m);
	else if (r->alive && r->n_inbox < INBOX_MAX)
		r->inbox[r->n_inbox++] = m;
}

/* The earliest thing that can happen to this router by itself. */
static mono_t
next_of(const struct world *w, const struct router *r)
{
	mono_t at = mono_min(r->vip_ends, r->start_at);

	if (!r->alive)
		return at;
	if (mono_before(w->now, r->asleep_until))
		return mono_min(at, r->asleep_until);
	at = mono_min(at, mono_min(r->timer, checks_next(r)));
	return mono_min(at, mono_min(r->verdicts_at, r->pending_until));
}

static void
happen(struct world *w, struct router *r)
{
	if (!mono_before(w->now, r->vip_ends)) {
		on_lease_end(w, r);
	} else if (!mono_before(w->now, r->start_at)) {
		judge_disturb(w);
		boot(w, r);
	} else if (r->asleep_until.us == w->now.us) {
		on_wake(w, r);
	} else if (!mono_before(w->now, r->pending_until)) {
		r->pending_until = MONO_NEVER;
		router_verdict(w, r);
	} else if (!mono_before(w->now, checks_next(r))) {
		checks_happen(w, r);
	} else if (!mono_before(w->now, r->verdicts_at)) {
		r->verdicts_at = MONO_NEVER;
		checks_now(w, router_process(w, r));
		r->told_at = w->now;
		feed_kind(w, r, VRRP_EV_VERDICTS);
	} else {
		feed_kind(w, r, VRRP_EV_TIMER);
	}
}

bool
world_step(struct world *w, mono_t t)
{
	mono_t first = MONO_NEVER;
	unsigned message = MAIL_MAX;
	struct router *router = NULL;

	for (unsigned i = 0; i < w->n_mail; i++)
		if (mono_before(w->mail[i].at, first)) {
			first = w->mail[i].at;
			message = i;
		}
	for (unsigned i = 0; i < w->n_routers; i++) {
		mono_t at = mono_max(next_of(w, &w->routers[i]), w->now);

		if (mono_before(at, first)) {
			first = at;
			router = &w->routers[i];
		}
	}
	if (mono_is_never(first) || mono_before(t, first))
		return false;
	w->now = mono_max(w->now, first);
	if (router != NULL)
		happen(w, router);
	else
		on_message(w, message);
	judge_world(w);
	return true;
}

void
world_run(struct world *w, mono_t t)
{
	judge_world(w);
	while (w->judge.failure[0] == '\0' && world_step(w, t))
		continue;
	w->now = mono_max(w->now, t);
	judge_world(w);
}
