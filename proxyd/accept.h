/*
 * accept.h - a data thread takes new clients, or leaves them in the backlog while
 * there is no room for them: no descriptors, or as many sessions as may be.
 *
 * Nobody is accepted and dropped.  While clients wait, listeners are not watched
 * (they are level-triggered), and the thread looks for room a few times a second.
 */
#ifndef PROXYD_ACCEPT_H
#define PROXYD_ACCEPT_H

#include "proxyd/worker.h"

/* epoll_ctl(2) for a listener's socket. */
int accept_watch(struct worker *, struct binding *, int op, uint32_t events);

/* Some of those who wait, not more than there is room for. */
void accept_some(struct worker *, struct binding *);

/* All of them: the listener goes. */
void accept_all(struct worker *, struct binding *);

/* Descriptors ran out: leave clients in the backlog for a while; says so once. */
void accept_pause(struct worker *, int error);

/* There are as many sessions as may be (crowd.h); says so once.  'waits': in the backlog. */
void accept_full(struct worker *, bool waits);

/* When worker.accept_again has come: is there room now? */
void accept_resume(struct worker *);

/* A descriptor kept to be given up; whether it is there. */
bool accept_have_spare(struct worker *);

/* Give it up; false: it is gone already. */
bool accept_use_spare(struct worker *);

#endif
