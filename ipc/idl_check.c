/*
 * idl_check.c - see idl.h: is a value what the interface declares?
 */
#include "ipc/idl.h"

static bool value_ok(const struct idl *, const struct idl_type *, const json_t *);

/* Absent and null are the same. */
static bool
field_ok(const struct idl *idl, const struct idl_type *type, const json_t *value)
{
	if (value == NULL)
		return type->nullable;
	return value_ok(idl, type, value);
}

static bool
array_ok(const struct idl *idl, const struct idl_type *type, const json_t *value)
{
	if (!json_is_array(value))
		return false;
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!value_ok(idl, type->element, json_array_get(value, i)))
			return false;
	return true;
}

static bool
map_ok(const struct idl *idl, const struct idl_type *type, const json_t *value)
{
	const char *key;
	json_t *item;

	if (!json_is_object(value))
		return false;
	json_object_foreach ((json_t *)value, key, item)
		if (!value_ok(idl, type->element, item))
			return false;
	return true;
}

static bool
value_ok(const struct idl *idl, const struct idl_type *type, const json_t *value)
{
	if (type->nullable && json_is_null(value))
		return true;
	switch (type->kind) {
	case IDL_BOOL:
		return json_is_boolean(value);
	case IDL_INT:
		return json_is_integer(value);
	case IDL_FLOAT:
		return json_is_number(value);
	case IDL_STRING:
		return json_is_string(value);
	case IDL_OBJECT:
		return json_is_object(value);
	case IDL_ANY:
		return !json_is_null(value);
	case IDL_STRUCT:
		return json_is_object(value) && idl_check(idl, type, value) == NULL;
	case IDL_ENUM:
		return json_is_string(value) && idl_field(type, json_string_value(value)) != NULL;
	case IDL_NAMED:
		return value_ok(idl, idl_find(idl, IDL_MEMBER_TYPE, type->name)->in, value);
	case IDL_ARRAY:
		return array_ok(idl, type, value);
	case IDL_MAP:
		return map_ok(idl, type, value);
	}
	return false;
}

const char *
idl_check(const struct idl *idl, const struct idl_type *type, const json_t *parameters)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)parameters, key, value)
		if (idl_field(type, key) == NULL)
			return key;
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct idl_field *field = &type->fields[i];

		if (!field_ok(idl, field->type, json_object_get(parameters, field->name)))
			return field->name;
	}
	return NULL;
}
