/*
 * varlink.c - see varlink.h; and org.varlink.service, from the IDL compiled in.
 */
#include "vaultd/varlink.h"

#include <string.h>

#include "common/errors.h"
#include "idl.h"
#include "vaultd/request.h"
#include "vaultd/verbs.h"

static int
flag(json_t *v, const char *name, bool *ret, struct err *e)
{
	if (!json_is_boolean(v))
		return err_set(e, V_INVALID, "'%s' is not a boolean", name);
	*ret = json_is_true(v);
	return 0;
}

int
varlink_call_parse(json_t *message, struct varlink_call *ret, struct err *e)
{
	const char *key;
	json_t *v;
	bool oneway = false;

	*ret = (struct varlink_call){ 0 };
	if (!json_is_object(message))
		return err_set(e, V_INVALID, "a call is an object");
	json_object_foreach(message, key, v) {
		if (strcmp(key, "method") == 0 && json_is_string(v))
			ret->method = json_string_value(v);
		else if (strcmp(key, "parameters") == 0 && json_is_object(v))
			ret->parameters = v;
		else if (strcmp(key, "parameters") == 0 && json_is_null(v))
			ret->parameters = NULL;
		else if (strcmp(key, "more") == 0) {
			if (flag(v, key, &ret->more, e) != 0)
				return e->code;
		} else if (strcmp(key, "oneway") == 0) {
			if (flag(v, key, &oneway, e) != 0)
				return e->code;
		} else
			return err_set(e, V_INVALID, "'%.40s' has no place in a call", key);
	}
	if (ret->method == NULL || strchr(ret->method, '.') == NULL)
		return err_set(e, V_INVALID, "a call names a method");
	if (oneway)
		return err_set(e, V_INVALID, "oneway calls are not served");
	return 0;
}

static bool
dump(struct buf *out, const json_t *o)
{
	size_t n = json_dumpb(o, NULL, 0, JSON_COMPACT);
	char *room = n == 0 ? NULL : buf_room(out, n + 1);

	if (room == NULL || json_dumpb(o, room, n, JSON_COMPACT) != n)
		return false;
	room[n] = '\0';
	out->len += n + 1;
	return true;
}

bool
varlink_reply(struct buf *out, const json_t *reply)
{
	json_auto_t *o = json_object();

	if (reply != NULL)
		json_object_set(o, "parameters", (json_t *)reply);
	else
		json_object_set_new(o, "parameters", json_object());
	return dump(out, o);
}

bool
varlink_error(struct buf *out, const struct err *e, const char *trace)
{
	const struct err_row *row = err_row_of(e);
	json_auto_t *o = json_object();
	json_t *p = json_object();

	for (unsigned i = 0; i < e->n; i++) {
		json_t *v = json_string(e->detail[i].value);

		json_object_set_new(p, e->detail[i].key, v != NULL ? v : json_string("?"));
	}
	json_object_set_new(p, "message", json_string(e->text));
	if (json_object_get(p, "message") == NULL)
		json_object_set_new(p, "message", json_string("(the message is not UTF-8)"));
	json_object_set_new(p, "owner", json_string(err_owner_name(row->owner)));
	json_object_set_new(p, "retry", json_boolean(row->retry));
	json_object_set_new(p, "advice", json_string(row->advice));
	json_object_set_new(p, "trace", json_string(trace));
	if (strncmp(row->name, "org.varlink.service.InvalidP", 28) == 0 &&
	    json_object_get(p, "parameter") == NULL)
		json_object_set_new(p, "parameter", json_string(""));
	json_object_set_new(o, "error", json_string(row->name));
	json_object_set_new(o, "parameters", p);
	return dump(out, o);
}

/* ---- org.varlink.service */

static const char service_idl[] =
    "# The Varlink Service Interface is provided by every varlink service.\n"
    "interface org.varlink.service\n\n"
    "method GetInfo() -> (vendor: string, product: string, version: string, url: string, "
    "interfaces: []string)\n\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
    "error InterfaceNotFound (interface: string)\n"
    "error MethodNotFound (method: string)\n"
    "error MethodNotImplemented (method: string)\n"
    "error InvalidParameter (parameter: string)\n"
    "error PermissionDenied ()\n"
    "error ExpectedMore ()\n";

static int
info_run(struct request *r, struct err *e)
{
	json_t *names = json_array();

	(void)e;
	json_array_append_new(names, json_string("org.varlink.service"));
	for (size_t i = 0; i < sizeof idl / sizeof *idl; i++)
		json_array_append_new(names, json_string(idl[i].name));
	r->reply = json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "vaultd", "product",
	    "vaultd", "version", VERSION, "url", "", "interfaces", names);
	return 0;
}

const struct verb verb_service_info = {
	.method = "org.varlink.service.GetInfo",
	.help = "what this service is",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.run = info_run,
};

struct description_args {
	const char	*interface;
};

static const struct field description_fields[] = {
	{ "interface", F_STR, offsetof(struct description_args, interface), true, 255 },
	{ 0 },
};

static int
description_run(struct request *r, struct err *e)
{
	const struct description_args *a = r->args;
	const char *text = NULL;

	if (strcmp(a->interface, "org.varlink.service") == 0)
		text = service_idl;
	for (size_t i = 0; i < sizeof idl / sizeof *idl; i++)
		if (strcmp(a->interface, idl[i].name) == 0)
			text = idl[i].text;
	if (text == NULL) {
		err_name(e, ERR_INTERFACE_NOT_FOUND, "there is no interface %.120s", a->interface);
		err_detail(e, "interface", "%s", a->interface);
		return e->code;
	}
	r->reply = json_pack("{s:s}", "description", text);
	return 0;
}

const struct verb verb_service_description = {
	.method = "org.varlink.service.GetInterfaceDescription",
	.help = "the definition of an interface",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.fields = description_fields,
	.args_size = sizeof(struct description_args),
	.run = description_run,
};
