/*
 * fields.c - declared parameters out of a JSON object. See verb.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "common/exchange.h"
#include "common/secret.h"
#include "vaultd/verb.h"

#define TEN_YEARS	(10LL * 365 * 86400)
#define STR_MAX		4096

#define at(base, off, type) ((type *)(void *)((char *)(base) + (off)))

static int
invalid(struct err *e, const char *name, const char *what)
{
	err_name(e, ERR_INVALID_PARAMETER, "parameter '%.60s' %s", name, what);
	err_detail(e, "parameter", "%s", name);
	return e->code;
}

static size_t
max_of(const struct field *f)
{
	if (f->type == F_NAME)
		return 120;
	return f->max != 0 ? f->max : STR_MAX;
}

static bool
good_name(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '/')
			return false;
	return true;
}

static int
decode_string(const struct field *f, json_t *v, void *args, struct err *e)
{
	if (!json_is_string(v))
		return invalid(e, f->name, "must be a string");
	if (json_string_length(v) > max_of(f))
		return invalid(e, f->name, "is too long");
	if (f->type == F_NAME && !good_name(json_string_value(v))) {
		err_name(e, ERR_NAME_INVALID, "'%.60s' is not a name: 1 to 120 bytes without '/' and "
		    "control characters", json_string_value(v));
		return e->code;
	}
	*at(args, f->offset, const char *) = json_string_value(v);
	return 0;
}

/* The value moves: what stays in the tree is an empty string (its bytes are wiped). */
static int
decode_secret(const struct field *f, json_t *v, void *args, struct err *e)
{
	size_t n;

	if (!json_is_string(v))
		return invalid(e, f->name, "must be a string");
	if ((n = json_string_length(v)) > max_of(f))
		return invalid(e, f->name, "is too long");
	if (secret_set(at(args, f->offset, struct secret), json_string_value(v), n, e) != 0)
		return e->code;
	explicit_bzero((char *)json_string_value(v), n);
	json_string_setn_nocheck(v, "", 0);
	return 0;
}

static int
decode_int(const struct field *f, json_t *v, void *args, struct err *e)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v))
		return invalid(e, f->name, "must be an integer");
	if (f->type == F_SECONDS && (n < 0 || n > TEN_YEARS))
		return invalid(e, f->name, "must be seconds between 0 and ten years");
	if (f->type == F_INT && n < 0)
		return invalid(e, f->name, "must not be negative");
	*at(args, f->offset, int64_t) = n;
	return 0;
}

static int
decode_strings(const struct field *f, json_t *v, void *args, struct err *e)
{
	struct strings *s = at(args, f->offset, struct strings);
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return invalid(e, f->name, "must be an array of strings");
	if (json_array_size(v) > sizeof s->v / sizeof *s->v)
		return invalid(e, f->name, "has too many elements");
	json_array_foreach(v, i, item) {
		if (!json_is_string(item) || json_string_length(item) > max_of(f))
			return invalid(e, f->name, "must be an array of short strings");
		s->v[s->n++] = json_string_value(item);
	}
	return 0;
}

static int
decode_map(const struct field *f, json_t *v, void *args, struct err *e)
{
	struct ex_vars *m = at(args, f->offset, struct ex_vars);
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return invalid(e, f->name, "must be an object of strings");
	if (json_object_size(v) > EX_VARS)
		return invalid(e, f->name, "has too many members");
	json_object_foreach(v, key, item) {
		size_t n = json_string_length(item);

		if (!json_is_string(item) || n >= sizeof m->v[0].value || strlen(key) >= EX_NAME)
			return invalid(e, f->name, "must be an object of short strings");
		memcpy(m->v[m->n].name, key, strlen(key) + 1);
		memcpy(m->v[m->n++].value, json_string_value(item), n + 1);
	}
	return 0;
}

static int
decode_one(const struct field *f, json_t *v, void *args, struct err *e)
{
	switch (f->type) {
	case F_STR:
	case F_NAME:
		return decode_string(f, v, args, e);
	case F_SECRET:
		return decode_secret(f, v, args, e);
	case F_INT:
	case F_SECONDS:
		return decode_int(f, v, args, e);
	case F_STRINGS:
		return decode_strings(f, v, args, e);
	case F_MAP:
		return decode_map(f, v, args, e);
	case F_BOOL:
		if (!json_is_boolean(v))
			return invalid(e, f->name, "must be true or false");
		*at(args, f->offset, bool) = json_is_true(v);
		return 0;
	case F_ID:
		if (!json_is_string(v) ||
		    !id_parse(json_string_value(v), at(args, f->offset, struct id)))
			return invalid(e, f->name, "must be an id: 32 hexadecimal digits");
		return 0;
	}
	return invalid(e, f->name, "has no type");
}

static int
no_others(const struct field *f, json_t *parameters, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach(parameters, key, v) {
		const struct field *k = f;

		while (k->name != NULL && strcmp(k->name, key) != 0)
			k++;
		if (k->name == NULL)
			return invalid(e, key, "is not one of this method's");
	}
	return 0;
}

int
fields_decode(const struct field *f, json_t *parameters, void *args, struct err *e)
{
	if (parameters != NULL && no_others(f, parameters, e) != 0)
		return e->code;
	for (; f->name != NULL; f++) {
		json_t *v = json_object_get(parameters, f->name);

		if (v == NULL || json_is_null(v)) {
			if (f->required)
				return invalid(e, f->name, "is missing");
			continue;
		}
		if (decode_one(f, v, args, e) != 0)
			return e->code;
	}
	return 0;
}
