/*
 * whatif.h - who is master before and after each single failure, and how long
 * it takes: the real election core (vrrpd/fsm.h, priority.h) on a simulated
 * segment without delay or loss.  Pure.
 */
#ifndef CTL_WHATIF_H
#define CTL_WHATIF_H

#include "common/conf/conf.h"

#define WHATIF_SIDES_MAX 16

struct whatif_side { /* one node's half of a virtual router */
	const char *name;
	const struct vrrp_conf *vi;
	const struct conf *conf; /* it is of: for the rest of its sync group */
};

struct whatif_row {
	char *what;	      /* "chk_nginx fails on n1", "n1 is lost" */
	size_t before, after; /* indices of sides; SIZE_MAX: nobody */
	int64_t notice_us;    /* at most, until the failure is noticed; 0: by its silence */
	int64_t move_us;      /* from then until 'after' is master; 0: it was already */
};
struct whatif_rows {
	struct whatif_row *items;
	size_t n;
};

/* n is at most WHATIF_SIDES_MAX. */
void whatif_run(const struct whatif_side *, size_t n, struct whatif_rows *ret);
void whatif_rows_done(struct whatif_rows *);

#endif
