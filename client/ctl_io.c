/*
 * ctl_io.c - calling, printing, asking. See ctl.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"

#define COLUMNS 80

/* ---- options */

const char *
ctl_option_at(const struct ctl *c, const char *name, int i)
{
	for (int k = 0; k < c->noptions; k++)
		if (strcmp(c->option[k].name, name) == 0 && i-- == 0)
			return c->option[k].value;
	return NULL;
}

const char *
ctl_option(const struct ctl *c, const char *name)
{
	return ctl_option_at(c, name, 0);
}

/* ---- calls and errors */

json_t *
ctl_try(struct ctl *c, const char *method, json_t *parameters)
{
	char *in = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	char *out = NULL;
	json_error_t je;
	json_t *v = NULL;

	json_decref(parameters);
	if (vaultd_call(c->v, method, in, &out, &c->error) == 0)
		v = json_loads(out, 0, &je);
	else
		c->status = ctl_exit_of(&c->error);
	vaultd_free(in);
	vaultd_free(out);
	return v;
}

json_t *
ctl_call(struct ctl *c, const char *method, json_t *parameters)
{
	json_t *v = ctl_try(c, method, parameters);

	if (v == NULL)
		ctl_print_error(c);
	return v;
}

static bool
ends(const char *name, const char *what)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && strcmp(dot + 1, what) == 0;
}

int
ctl_exit_of(const struct vaultd_error *e)
{
	static const struct { const char *name; int status; } known[] = {
		{ "NotFound", EX_NOT_FOUND }, { "ConnectorUnknown", EX_NOT_FOUND },
		{ "PermissionDenied", EX_DENIED }, { "PolicyDenied", EX_DENIED },
		{ "ConnectorDisabled", EX_DENIED }, { "AuthTypeNotAllowed", EX_DENIED },
		{ "AppRequired", EX_DENIED }, { "AppForbidden", EX_DENIED },
		{ "IdentityUnknown", EX_DENIED }, { "GrantRevoked", EX_RECONNECT },
		{ "GrantLostInTransit", EX_RECONNECT }, { "NoRefreshToken", EX_RECONNECT },
		{ "SigninRequired", EX_RECONNECT }, { "NotReady", EX_RECONNECT },
		{ "KeyRejected", EX_RECONNECT }, { "UserDenied", EX_ABORTED },
		{ "SessionExpired", EX_ABORTED }, { "InvalidParameter", EX_USE },
		{ "NameInvalid", EX_USE },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (ends(e->name, known[i].name))
			return known[i].status;
	return e->retry ? EX_LATER : EX_FAILED;
}

static void
print_line(const char *label, const char *text)
{
	if (text != NULL && *text != '\0')
		fprintf(stderr, "%-7s%s\n", label, text);
}

static const char *
whose_move(const char *owner)
{
	if (strcmp(owner, "caller") == 0)
		return "yours";
	if (strcmp(owner, "admin") == 0)
		return "a governance admin's";
	if (strcmp(owner, "provider") == 0)
		return "the provider's";
	return "the operator's of this vault";
}

static void
print_rule(json_t *d)
{
	const char *file = ctl_text(d, "policy_file"), *rule = ctl_text(d, "rule");

	if (*file != '\0')
		fprintf(stderr, "rule   %s in %s (%s level)\n", rule, file, ctl_text(d, "level"));
}

void
ctl_print_error(struct ctl *c)
{
	const struct vaultd_error *e = &c->error;
	json_error_t je;
	json_t *d = json_loads(e->details, 0, &je);

	if (c->json) {
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "error", e->name,
		    "message", e->message, "owner", e->owner, "advice", e->advice, "trace",
		    e->trace, "retry", (int)e->retry, "details", d != NULL ? d : json_object());

		json_dumpf(o, stderr, JSON_INDENT(2));
		fputc('\n', stderr);
		json_decref(o);
		return;
	}
	fprintf(stderr, "error: %s\n", e->message);
	print_rule(d);
	print_line("next", e->advice);
	print_line("move", whose_move(e->owner));
	print_line("trace", e->trace);
	json_decref(d);
}

int
ctl_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "error: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

/* ---- printing */

const char *
ctl_text(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));

	return s == NULL ? "" : s;
}

void
ctl_set(json_t *o, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, key, json_string(value));
}

void
ctl_dump(const json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
}

void
ctl_time(json_int_t t, char *out, size_t cap)
{
	static const struct { json_int_t seconds; const char *unit; } units[] = {
		{ 2 * 86400, "d" }, { 2 * 3600, "h" }, { 120, "min" }, { 0, "s" } };
	static const json_int_t scale[] = { 86400, 3600, 60, 1 };
	json_int_t left = t - (json_int_t)time(NULL), n = left < 0 ? -left : left;
	int i = 0;

	if (t == 0) {
		snprintf(out, cap, "never");
		return;
	}
	while (n < units[i].seconds)
		i++;
	snprintf(out, cap, left < 0 ? "%lld %s ago" : "in %lld %s", (long long)(n / scale[i]),
	    units[i].unit);
}

static bool
is_time(const char *member)
{
	static const char *const names[] = { "expires", "created", "updated",
		"last_refresh_ok", "cause_time", "rotate_by", NULL };

	for (const char *const *n = names; *n != NULL; n++)
		if (strcmp(*n, member) == 0)
			return true;
	return false;
}

static void
value_text(const json_t *v, const char *member, char *out, size_t cap)
{
	size_t i, n = 0;
	const char *key;
	json_t *item;

	*out = '\0';
	if (json_is_string(v))
		snprintf(out, cap, "%s", json_string_value(v));
	else if (json_is_integer(v) && is_time(member))
		ctl_time(json_integer_value(v), out, cap);
	else if (json_is_integer(v))
		snprintf(out, cap, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(out, cap, "%s", json_is_true(v) ? "yes" : "no");
	json_array_foreach((json_t *)v, i, item)
		if (json_is_string(item) && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? " " : "",
			    json_string_value(item));
	json_object_foreach((json_t *)v, key, item)
		if (json_is_string(item) && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s=%s", n > 0 ? " " : "", key,
			    json_string_value(item));
}

void
ctl_fields(const json_t *o, const char *const *keys)
{
	char text[2048];

	for (; keys[0] != NULL; keys += 2) {
		const json_t *v = json_object_get(o, keys[0]);

		value_text(v, keys[0], text, sizeof text);
		if (*text != '\0' && strcmp(text, "never") != 0)
			printf("%-14s %s\n", keys[1], text);
	}
}

/* Columns as wide as they must be; the last one is cut where the line would end. */
void
ctl_table(const json_t *rows, const char *const *members, const char *const *heads,
    const char *none)
{
	size_t width[12] = { 0 }, i, n = 0;
	json_t *row;
	char text[512];

	if (json_array_size(rows) == 0) {
		printf("%s\n", none);
		return;
	}
	for (; members[n] != NULL; n++) {
		width[n] = strlen(heads[n]);
		json_array_foreach((json_t *)rows, i, row) {
			value_text(json_object_get(row, members[n]), members[n], text, sizeof text);
			if (strlen(text) > width[n])
				width[n] = strlen(text) > 36 ? 36 : strlen(text);
		}
	}
	for (size_t k = 0; k < n; k++)
		printf("%-*s%s", k + 1 < n ? (int)width[k] : 0, heads[k], k + 1 < n ? "  " : "\n");
	json_array_foreach((json_t *)rows, i, row) {
		size_t at = 0;

		for (size_t k = 0; k < n; k++) {
			bool last = k + 1 == n;
			int room = last ? (at < COLUMNS ? (int)(COLUMNS - at) : 8) : (int)width[k];

			value_text(json_object_get(row, members[k]), members[k], text, sizeof text);
			printf("%-*.*s%s", last ? 0 : room, room, text, last ? "\n" : "  ");
			at += width[k] + 2;
		}
	}
}

/* ---- secrets in */

static char *
read_line(FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n = getline(&line, &cap, f);

	if (n < 0) {
		free(line);
		return NULL;
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	return line;
}

static char *
prompt_line(const char *prompt)
{
	struct termios was, quiet;
	char *line;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return read_line(stdin);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s: ", prompt);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	line = read_line(stdin);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return line;
}

char *
ctl_secret(struct ctl *c, const char *file_option, const char *prompt)
{
	const char *file = ctl_option(c, file_option);
	char *line;
	FILE *f;

	if (file == NULL)
		line = isatty(STDIN_FILENO) ? prompt_line(prompt) : read_line(stdin);
	else if ((f = fopen(file, "re")) == NULL) {
		ctl_fail(EX_FAILED, "%s: %s", file, strerror(errno));
		return NULL;
	} else {
		line = read_line(f);
		fclose(f);
	}
	if (line == NULL || *line == '\0') {
		ctl_fail(EX_USE, "%s: nothing was given", prompt);
		free(line);
		return NULL;
	}
	return line;
}
