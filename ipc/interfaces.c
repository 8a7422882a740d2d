/*
 * interfaces.c - see interfaces.h.
 */
#include "ipc/interfaces.h"

#include "common/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SUFFIX ".control"

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

void
ipc_interfaces_describe(struct ipc_interfaces *in, const struct ipc_model *model)
{
	struct ipc_served *served = xcalloc(1, sizeof(*served));
	int error = idl_parse(model->text, &served->idl, NULL);

	assert(error == 0 && strcmp(served->idl->name, model->name) == 0);
	(void)error;
	served->model = model;
	served->control = has_suffix(model->name, CONTROL_SUFFIX);
	in->served = xreallocarray(in->served, in->n_served + 1, sizeof(struct ipc_served *));
	in->served[in->n_served++] = served;
}

void
ipc_interfaces_init(struct ipc_interfaces *in)
{
	*in = (struct ipc_interfaces){ 0 };
	for (size_t i = 0; i < ipc_models_n; i++)
		ipc_interfaces_describe(in, &ipc_models[i]);
}

void
ipc_interfaces_done(struct ipc_interfaces *in)
{
	for (size_t i = 0; i < in->n_served; i++) {
		idl_free(in->served[i]->idl);
		free(in->served[i]);
	}
	free(in->served);
	free(in->entries);
	*in = (struct ipc_interfaces){ 0 };
}

/* By name, 'length' characters of it. */
static struct ipc_served *
find_served(const struct ipc_interfaces *in, const char *name, size_t length)
{
	for (size_t i = 0; i < in->n_served; i++) {
		const char *have = in->served[i]->model->name;

		if (strlen(have) == length && memcmp(have, name, length) == 0)
			return in->served[i];
	}
	return NULL;
}

static void
add_one(struct ipc_interfaces *in, const struct ipc_method *method)
{
	const char *dot = strrchr(method->name, '.');
	struct ipc_served *served = dot != NULL ? find_served(in, method->name,
						      (size_t)(dot - method->name))
						: NULL;
	const struct idl_member *member = served != NULL
					      ? idl_find(served->idl, IDL_MEMBER_METHOD, dot + 1)
					      : NULL;

	assert(member != NULL); /* served, therefore declared */
	served->active = true;
	in->entries = xreallocarray(in->entries, in->n_entries + 1, sizeof(*in->entries));
	in->entries[in->n_entries++] = (struct ipc_entry){ served, member, method };
}

void
ipc_interfaces_add(struct ipc_interfaces *in, const struct ipc_method *methods, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_one(in, &methods[i]);
}

static const struct ipc_entry *
find_entry(const struct ipc_interfaces *in, const char *method)
{
	for (size_t i = 0; i < in->n_entries; i++)
		if (strcmp(in->entries[i].method->name, method) == 0)
			return &in->entries[i];
	return NULL;
}

const struct ipc_entry *
ipc_interfaces_find(const struct ipc_interfaces *in, const char *method, const char **ret_error,
    json_t **ret_parameters)
{
	const struct ipc_entry *entry = find_entry(in, method);
	const char *dot = strrchr(method, '.');
	const struct ipc_served *served;

	if (entry != NULL)
		return entry;
	served = dot != NULL ? find_served(in, method, (size_t)(dot - method)) : NULL;
	if (dot != NULL && (served == NULL || !served->active)) {
		*ret_error = "org.varlink.service.InterfaceNotFound";
		*ret_parameters = json_pack("{s:s%}", "interface", method, (size_t)(dot - method));
		return NULL;
	}
	*ret_error = served != NULL && idl_find(served->idl, IDL_MEMBER_METHOD, dot + 1) != NULL
			 ? "org.varlink.service.MethodNotImplemented"
			 : "org.varlink.service.MethodNotFound";
	*ret_parameters = json_pack("{s:s}", "method", method);
	return NULL;
}

json_t *
ipc_interfaces_list(const struct ipc_interfaces *in)
{
	json_t *list = json_array();

	for (size_t i = 0; i < in->n_served; i++)
		if (in->served[i]->active)
			json_array_append_new(list, json_string(in->served[i]->model->name));
	return list;
}

const char *
ipc_interfaces_text(const struct ipc_interfaces *in, const char *name)
{
	const struct ipc_served *served = find_served(in, name, strlen(name));

	return served != NULL && served->active ? served->model->text : NULL;
}
