/*
 * model.h - the interface texts of ipc/model, embedded (ipc/embed.awk).
 */
#ifndef IPC_MODEL_H
#define IPC_MODEL_H

#include <stddef.h>

struct ipc_model {
	const char *name; /* "org.trivet.check" */
	const char *text; /* the .varlink file */
};

extern const struct ipc_model ipc_models[];
extern const size_t ipc_models_n;

#endif
