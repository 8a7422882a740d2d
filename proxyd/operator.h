/*
 * operator.h - org.trivet.proxy.control, and ListSessions: what goes to servers
 * and sessions by their names.  Control thread.
 */
#ifndef PROXYD_OPERATOR_H
#define PROXYD_OPERATOR_H

struct ipc_publisher;
struct ipc_server;
struct operator;
struct proxy;

struct operator* operator_new(struct proxy *, struct ipc_server *, struct ipc_publisher *);
void operator_free(struct operator*);

#endif
