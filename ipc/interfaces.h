/*
 * interfaces.h - what a server serves: the declared interfaces and the methods
 * that were added for them.  Knows no connection.
 */
#ifndef IPC_INTERFACES_H
#define IPC_INTERFACES_H

#include "ipc/idl.h"
#include "ipc/model.h"
#include "ipc/server.h"

struct ipc_served {
	const struct ipc_model *model;
	struct idl *idl;
	bool control; /* named *.control: changes something */
	bool active;  /* a method of it was added: listed and described */
};

struct ipc_interfaces {
	struct ipc_served **served; /* each stays where it is: entries point to it */
	size_t n_served;
	struct ipc_entry { /* a method that somebody handles */
		const struct ipc_served *iface;
		const struct idl_member *member;
		const struct ipc_method *method;
	} * entries;
	size_t n_entries;
};

/* Parses the embedded texts; one that does not parse is a mistake of ours: asserted. */
void ipc_interfaces_init(struct ipc_interfaces *);
void ipc_interfaces_done(struct ipc_interfaces *);

void ipc_interfaces_describe(struct ipc_interfaces *, const struct ipc_model *);
void ipc_interfaces_add(struct ipc_interfaces *, const struct ipc_method *, size_t n);

/*
 * Who handles 'method'.  NULL: nobody, and *ret_error, *ret_parameters are the
 * error to answer with (ipc.md 1.6).
 */
const struct ipc_entry *ipc_interfaces_find(const struct ipc_interfaces *, const char *method,
    const char **ret_error, json_t **ret_parameters);

/* The names GetInfo lists; a new array. */
json_t *ipc_interfaces_list(const struct ipc_interfaces *);
/* The text, or NULL: not served here. */
const char *ipc_interfaces_text(const struct ipc_interfaces *, const char *name);

#endif
