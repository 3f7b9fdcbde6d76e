/*
 * varlink.c - see varlink.h; and the two verbs of org.varlink.service, from the IDL
 * compiled in. request.c calls it for everything but the hot answer.
 */
#include "vaultd/varlink.h"

#include <stdio.h>
#include <string.h>

#include "common/advice.h"
#include "common/errors.h"
#include "idl.h"
#include "vaultd/request.h"
#include "vaultd/verbs.h"

/* ---- calls */

static int
not_a_call(struct err *e, const char *why)
{
	return err_set(e, V_INVALID, "not a call: %s", why);
}

static int
flag(const json_t *v, bool *ret, struct err *e)
{
	if (!json_is_boolean(v))
		return not_a_call(e, "more, oneway and upgrade are booleans");
	*ret = json_is_true(v);
	return 0;
}

static int
member(const char *key, json_t *v, struct varlink_call *ret, struct err *e)
{
	bool wanted = false;

	if (strcmp(key, "method") == 0) {
		ret->method = json_string_value(v);
		return ret->method != NULL ? 0 : not_a_call(e, "method is a string");
	}
	if (strcmp(key, "parameters") == 0) {
		ret->parameters = json_is_object(v) ? v : NULL;
		return json_is_object(v) || json_is_null(v) ? 0 :
		    not_a_call(e, "parameters is an object");
	}
	if (strcmp(key, "more") == 0)
		return flag(v, &ret->more, e);
	if (strcmp(key, "oneway") != 0 && strcmp(key, "upgrade") != 0)
		return not_a_call(e, "a member that calls do not have");
	if (flag(v, &wanted, e) != 0)
		return e->code;
	return wanted ? not_a_call(e, "oneway and upgrade are not served") : 0;
}

int
varlink_call_parse(json_t *message, struct varlink_call *ret, struct err *e)
{
	struct varlink_call call = { 0 };
	const char *key;
	json_t *v;

	if (!json_is_object(message))
		return not_a_call(e, "a call is an object");
	json_object_foreach(message, key, v)
		if (member(key, v, &call, e) != 0)
			return e->code;
	if (call.method == NULL)
		return not_a_call(e, "it names no method");
	*ret = call;
	return 0;
}

/* ---- answers */

static int
put_chunk(const char *p, size_t n, void *out)
{
	return buf_add(out, p, n) ? 0 : -1;
}

static bool
dump(struct buf *out, const json_t *o)
{
	if (o == NULL || json_dump_callback(o, put_chunk, out, JSON_COMPACT) != 0 ||
	    !buf_add(out, "", 1))
		out->failed = true;
	return !out->failed;
}

bool
varlink_reply(struct buf *out, const json_t *reply, bool continues)
{
	json_auto_t *o = reply != NULL ? json_pack("{s:O}", "parameters", reply) :
					 json_pack("{s:{}}", "parameters");

	if (continues)
		json_object_set_new(o, "continues", json_true());
	return dump(out, o);
}

/* Texts come cut to a length, maybe inside a character, and from providers: what is not
 * UTF-8 loses a last character, then all that is not ASCII. */
static json_t *
text_json(const char *s)
{
	char copy[ADVICE_MAX];
	json_t *v = json_string(s);
	size_t n;

	if (v != NULL)
		return v;
	snprintf(copy, sizeof copy, "%s", s);
	n = strlen(copy);
	while (n > 0 && ((unsigned char)copy[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 0 && (unsigned char)copy[n - 1] >= 0xc0)
		copy[n - 1] = '\0';
	if ((v = json_string(copy)) != NULL)
		return v;
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

/* What org.varlink.service promises with errors of its own. */
static const struct { enum err_id id; const char *parameter; } promised[] = {
	{ ERR_INVALID_PARAMETER, "parameter" },
	{ ERR_METHOD_NOT_FOUND, "method" },
	{ ERR_INTERFACE_NOT_FOUND, "interface" },
};

static void
put_details(json_t *p, const struct err *e, const struct err_row *row)
{
	for (size_t i = 0; i < sizeof promised / sizeof *promised; i++)
		if (row == err_row(promised[i].id))
			json_object_set_new(p, promised[i].parameter, json_string(""));
	for (unsigned i = e->n; i-- > 0;)	/* of two alike the first stays */
		json_object_set_new(p, e->detail[i].key, text_json(e->detail[i].value));
}

static json_t *
error_parameters(const struct err *e, const struct err_row *row, const char *trace)
{
	json_t *p = json_object();
	char advice[ADVICE_MAX];

	advice_text(e, advice, sizeof advice);
	put_details(p, e, row);
	json_object_set_new(p, "message", text_json(e->text));
	if (err_detail_get(e, "owner") == NULL)		/* whose move it is may depend */
		json_object_set_new(p, "owner", json_string(err_owner_name(row->owner)));
	json_object_set_new(p, "retry", json_boolean(row->retry));
	json_object_set_new(p, "advice", text_json(advice));
	json_object_set_new(p, "trace", json_string(trace != NULL ? trace : ""));
	return p;
}

bool
varlink_error(struct buf *out, const struct err *e, const char *trace)
{
	const struct err_row *row = err_row_of(e);
	json_auto_t *o = json_pack("{s:s, s:o}", "error", row->name, "parameters",
	    error_parameters(e, row, trace));

	return dump(out, o);
}

/* ---- org.varlink.service */

static const char service_idl[] =
	"# What every Varlink service says about itself. Errors carry message, owner,\n"
	"# retry, advice and trace besides, as all errors of this service do.\n"
	"interface org.varlink.service\n"
	"\n"
	"method GetInfo() -> (\n"
	"\tvendor: string,\n"
	"\tproduct: string,\n"
	"\tversion: string,\n"
	"\turl: string,\n"
	"\tinterfaces: []string\n"
	")\n"
	"\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
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

static const char *
description_of(const char *interface)
{
	if (strcmp(interface, "org.varlink.service") == 0)
		return service_idl;
	for (size_t i = 0; i < sizeof idl / sizeof *idl; i++)
		if (strcmp(interface, idl[i].name) == 0)
			return idl[i].text;
	return NULL;
}

static int
description_run(struct request *r, struct err *e)
{
	const struct description_args *a = r->args;
	const char *text = description_of(a->interface);

	if (text == NULL) {
		err_name(e, ERR_INTERFACE_NOT_FOUND, "there is no interface %.120s",
		    a->interface);
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
