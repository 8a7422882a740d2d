/*
 * voice.h - what is said of an instance, once and with its cause: the log line
 * and event, the notify scripts, and the reason that the bus shows.  Decides
 * nothing.
 */
#ifndef VRRPD_VOICE_H
#define VRRPD_VOICE_H

#include "common/text.h"
#include "vrrpd/instance.h"

/* in->state.role is new: a line in the field's words, an event, the scripts. */
void voice_role(struct instance *, enum vrrp_role was, const struct vrrp_reason *, mono_t now);

/* The role stays, but something is worth a line. */
void voice_reason(struct instance *, const struct vrrp_reason *, mono_t now);

/* Its present state once more into the FIFOs (fifo_write_vrrp_states_on_reload). */
void voice_repeat(const struct instance *);

/* in->advert.differs may be new; said once for each way. */
void voice_differs(struct instance *, const struct vrrp_pkt *);

/* A packet that is not acted upon: a line now and then. */
void voice_ignored(struct instance *, const struct addr *source, enum vrrp_pkt_err);

/* Its addresses, separated by spaces, behind what is there. */
void voice_add_vips(const struct instance *, struct text *);

/* in->reason and since when. */
void voice_remember(struct instance *, const char *reason, mono_t now);

#endif
