/*
 * fragment.c - see fragment.h.
 */
#include "vaultd/fragment.h"

#include "common/auto.h"
#include "common/json.h"

#define FRAGMENT_MAX (128u << 10)

bool
fragment_ok(struct slice fragment)
{
	static const char *const names[] = { "access_token", "token_type", "scope" };
	AUTO(buf) text = { 0 };
	json_auto_t *o = NULL;
	struct err e;

	buf_add(&text, "{", 1);
	buf_add(&text, fragment.p, fragment.len);
	if (!buf_add(&text, "}", 1))
		return false;
	o = json_parse(buf_slice(&text), FRAGMENT_MAX, &e);
	if (!json_is_object(o) || json_object_size(o) != 3)
		return false;
	for (int i = 0; i < 3; i++)
		if (!json_is_string(json_object_get(o, names[i])))
			return false;
	return true;
}
