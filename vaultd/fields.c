/*
 * fields.c - declared parameters out of a JSON object, for request.c; see verb.h. No
 * text here ever quotes a value: it may be a secret in the wrong place.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/exchange.h"
#include "common/json.h"
#include "common/secret.h"
#include "common/suggest.h"
#include "vaultd/record.h"
#include "vaultd/verb.h"

#define TEN_YEARS	(10LL * 365 * 86400)
#define STR_MAX		4096
#define TEXTS_MAX	32

#define at(base, off, type) ((type *)(void *)((char *)(base) + (off)))

/* ---- one value */

static int
invalid(struct err *e, const char *name, const char *what)
{
	return err_parameter(e, name, "parameter '%.60s' %s", name, what);
}

static size_t
max_of(const struct field *f)
{
	if (f->max != 0)
		return f->max;
	return f->type == F_NAME ? NAME_MAX_LEN : STR_MAX;
}

/* Its bytes, or an error. */
static int
text_of(const struct field *f, const json_t *v, struct slice *ret, struct err *e)
{
	char text[60];

	if (!json_is_string(v))
		return invalid(e, f->name, "must be a string");
	*ret = (struct slice){ json_string_value(v), json_string_length(v) };
	if (ret->len > max_of(f)) {
		snprintf(text, sizeof text, "is too long: %zu bytes is the most", max_of(f));
		return invalid(e, f->name, text);
	}
	if (memchr(ret->p, '\0', ret->len) != NULL)
		return invalid(e, f->name, "holds a NUL");
	return 0;
}

static int
decode_string(const struct field *f, const json_t *v, void *args, struct err *e)
{
	struct slice s;

	if (text_of(f, v, &s, e) != 0)
		return e->code;
	if (s.len == 0 && f->required)
		return invalid(e, f->name, "is empty");
	*at(args, f->offset, const char *) = s.p;
	return 0;
}

/* An empty name is a name not given. */
static int
decode_name(const struct field *f, const json_t *v, void *args, struct err *e)
{
	struct slice s;

	if (text_of(f, v, &s, e) != 0)
		return e->code;
	if (s.len == 0 && !f->required)
		return 0;
	if (!name_is_good(s.p)) {
		err_name(e, ERR_NAME_INVALID, "parameter '%s' is not a name", f->name);
		err_detail(e, "parameter", "%s", f->name);
		return e->code;
	}
	*at(args, f->offset, const char *) = s.p;
	return 0;
}

/* The value moves: what stays in the tree is an empty string. */
static int
take_secret(json_t *v, struct slice s, struct secret *ret, struct err *e)
{
	if (secret_set(ret, s.p, s.len, e) != 0)
		return e->code;
	explicit_bzero((char *)json_string_value(v), s.len);
	if (json_string_setn_nocheck(v, "", 0) != 0)
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

static int
decode_secret(const struct field *f, json_t *v, void *args, struct err *e)
{
	struct slice s;

	if (text_of(f, v, &s, e) != 0)
		return e->code;
	if (s.len == 0 && f->required)
		return invalid(e, f->name, "is empty");
	return take_secret(v, s, at(args, f->offset, struct secret), e);
}

static int
decode_secrets(const struct field *f, json_t *v, void *args, struct err *e)
{
	struct ex_secrets *m = at(args, f->offset, struct ex_secrets);
	struct slice s;
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return invalid(e, f->name, "must be an object of strings");
	if (json_object_size(v) > EX_SECRETS)
		return invalid(e, f->name, "has too many members");
	json_object_foreach(v, key, item) {
		if (strlen(key) == 0 || strlen(key) >= sizeof m->v[0].name)
			return invalid(e, f->name, "has a member whose name is no name of a secret");
		if (text_of(f, item, &s, e) != 0)
			return e->code;
		snprintf(m->v[m->n].name, sizeof m->v[0].name, "%s", key);
		m->v[m->n].value = (struct secret){ 0 };
		if (take_secret(item, s, &m->v[m->n++].value, e) != 0)
			return e->code;
	}
	return 0;
}

static int
decode_int(const struct field *f, const json_t *v, void *args, struct err *e)
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
decode_strings(const struct field *f, const json_t *v, void *args, struct err *e)
{
	struct strings *list = at(args, f->offset, struct strings);
	struct slice s;
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return invalid(e, f->name, "must be an array of strings");
	if (json_array_size(v) > sizeof list->v / sizeof *list->v)
		return invalid(e, f->name, "has too many elements");
	json_array_foreach(v, i, item) {
		if (text_of(f, item, &s, e) != 0)
			return invalid(e, f->name, "must be an array of short strings");
		list->v[list->n++] = s.p;
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
		const char *value = json_string_value(item);

		if (value == NULL || strlen(value) >= sizeof m->v[0].value ||
		    strlen(key) >= sizeof m->v[0].name)
			return invalid(e, f->name, "must be an object of short texts");
		snprintf(m->v[m->n].name, sizeof m->v[0].name, "%s", key);
		snprintf(m->v[m->n++].value, sizeof m->v[0].value, "%s", value);
	}
	return 0;
}

static int
decode_texts(const struct field *f, json_t *v, void *args, struct err *e)
{
	const char *key;
	struct slice s;
	json_t *item;

	if (!json_is_object(v))
		return invalid(e, f->name, "must be an object of strings");
	if (json_object_size(v) > TEXTS_MAX)
		return invalid(e, f->name, "has too many members");
	json_object_foreach(v, key, item)
		if (text_of(f, item, &s, e) != 0)
			return e->code;
	*at(args, f->offset, const json_t *) = v;
	return 0;
}

static int
decode_id(const struct field *f, const json_t *v, void *args, struct err *e)
{
	if (!json_is_string(v) ||
	    !id_parse(json_string_value(v), at(args, f->offset, struct id)))
		return invalid(e, f->name, "must be an id: 32 hexadecimal digits");
	return 0;
}

static int
decode_one(const struct field *f, json_t *v, void *args, struct err *e)
{
	switch (f->type) {
	case F_STR:
		return decode_string(f, v, args, e);
	case F_NAME:
		return decode_name(f, v, args, e);
	case F_ID:
		return decode_id(f, v, args, e);
	case F_SECRET:
		return decode_secret(f, v, args, e);
	case F_INT:
	case F_SECONDS:
		return decode_int(f, v, args, e);
	case F_STRINGS:
		return decode_strings(f, v, args, e);
	case F_MAP:
		return decode_map(f, v, args, e);
	case F_TEXTS:
		return decode_texts(f, v, args, e);
	case F_YESNO:
		if (!json_is_boolean(v))
			return invalid(e, f->name, "must be true or false");
		*at(args, f->offset, enum yesno) = json_is_true(v) ? SAID_YES : SAID_NO;
		return 0;
	case F_SECRETS:
		return decode_secrets(f, v, args, e);
	case F_BOOL:
		if (!json_is_boolean(v))
			return invalid(e, f->name, "must be true or false");
		*at(args, f->offset, bool) = json_is_true(v);
		return 0;
	}
	must_fail("a field has a type", __FILE__, __LINE__);
}

/* ---- the whole */

static const struct field *
find(const struct field *f, const char *name)
{
	while (f->name != NULL && strcmp(f->name, name) != 0)
		f++;
	return f->name != NULL ? f : NULL;
}

static int
unknown(const struct field *f, const char *name, struct err *e)
{
	const char *known[32];
	char close[SUGGEST_TEXT];
	size_t n = 0;

	for (; f->name != NULL && n < sizeof known / sizeof *known; f++)
		known[n++] = f->name;
	suggest_text(name, known, n, close);
	return err_parameter(e, name, "parameter '%.60s' is not one of this method's%s", name,
	    close);
}

static int
no_others(const struct field *f, json_t *parameters, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach(parameters, key, v)
		if (find(f, key) == NULL)
			return unknown(f, key, e);
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
