/*
 * ctl_io.c - options, calls, errors, and secrets in. See ctl.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "client/ctl.h"

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

int
ctl_number(const struct ctl *c, const char *option, long long min, long long *ret)
{
	const char *text = ctl_option(c, option);
	char *end;

	*ret = 0;
	if (text == NULL)
		return 0;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno == 0 && *end == '\0' && end != text && *ret >= min)
		return 0;
	return ctl_fail(c, EX_USE, "--%s is a whole number, at least %lld", option, min);
}

json_t *
ctl_pairs(const struct ctl *c, const char *option)
{
	json_t *o = json_object();
	const char *v, *eq;
	char name[64];

	for (int i = 0; (v = ctl_option_at(c, option, i)) != NULL; i++) {
		eq = strchr(v, '=');
		if (eq == NULL || eq == v || (size_t)(eq - v) >= sizeof name) {
			ctl_fail(c, EX_USE, "--%s is NAME=VALUE", option);
			json_decref(o);
			return NULL;
		}
		snprintf(name, sizeof name, "%.*s", (int)(eq - v), v);
		ctl_set(o, name, eq + 1);
	}
	return o;
}

/* ---- calls and errors */

static int
bad_answer(struct vaultd_error *e, const char *why)
{
	*e = (struct vaultd_error){ .owner = "appliance", .details = "{}",
		.advice = "Do vaultctl and vaultd belong together?" };
	snprintf(e->message, sizeof e->message, "the answer cannot be read: %s", why);
	return EX_FAILED;
}

json_t *
ctl_try(struct ctl *c, const char *method, json_t *parameters)
{
	char *in = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	char *out = NULL;
	json_error_t je;
	json_t *v = NULL;

	json_decref(parameters);
	if (vaultd_call(c->v, method, in, &out, &c->error) != 0)
		c->status = ctl_exit_of(&c->error);
	else if ((v = json_loads(out, 0, &je)) == NULL)
		c->status = bad_answer(&c->error, je.text);
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

json_t *
ctl_pages(struct ctl *c, const char *method, const char *list, json_t *p,
    void (*each)(const json_t *element))
{
	json_t *out = json_array(), *r, *v;
	size_t i;

	for (;;) {
		if ((r = ctl_call(c, method, json_copy(p))) == NULL)
			break;
		json_array_foreach(json_object_get(r, list), i, v)
			if (each != NULL)
				each(v);
			else
				json_array_append(out, v);
		if (*ctl_text(r, "next") == '\0')
			break;
		ctl_set(p, "after", ctl_text(r, "next"));
		json_decref(r);
	}
	json_decref(p);
	if (r == NULL) {
		json_decref(out);
		return NULL;
	}
	json_decref(r);
	return json_pack("{s:o}", list, out);
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
		{ "OperatorRequired", EX_DENIED }, { "ConnectorDisabled", EX_DENIED },
		{ "AuthTypeNotAllowed", EX_DENIED }, { "AppRequired", EX_DENIED },
		{ "AppForbidden", EX_DENIED }, { "IdentityUnknown", EX_DENIED },
		{ "GrantRevoked", EX_RECONNECT }, { "GrantLostInTransit", EX_RECONNECT },
		{ "GrantExpiredIdle", EX_RECONNECT }, { "GrantExpiredAbsolute", EX_RECONNECT },
		{ "GrantTestMode", EX_RECONNECT }, { "GrantDisplaced", EX_RECONNECT },
		{ "GrantReusedElsewhere", EX_RECONNECT },
		{ "GrantSuspect", EX_RECONNECT }, { "NoRefreshToken", EX_RECONNECT },
		{ "SigninRequired", EX_RECONNECT }, { "SigninLost", EX_RECONNECT },
		{ "ScopeInsufficient", EX_RECONNECT }, { "AccountMismatch", EX_RECONNECT },
		{ "NotReady", EX_RECONNECT }, { "KeyRejected", EX_RECONNECT },
		{ "ConnectionLocked", EX_RECONNECT }, { "ConnectionDeleted", EX_NOT_FOUND },
		{ "ConnectionDisabled", EX_DENIED }, { "Immutable", EX_USE },
		{ "IntervalRange", EX_USE },
		{ "UserDenied", EX_ABORTED }, { "SessionExpired", EX_ABORTED },
		{ "DeviceCodeExpired", EX_ABORTED },
		{ "InvalidParameter", EX_USE }, { "NameInvalid", EX_USE },
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
		ctl_say(stderr, "%-7s%s\n", label, text);
}

const char *
ctl_owner(const char *owner)
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
		ctl_say(stderr, "rule   %s in %s (%s level)\n", rule, file, ctl_text(d, "level"));
	else if (*rule != '\0')
		ctl_say(stderr, "rule   %s (built in)\n", rule);
}

/* DETAILS is taken. */
static void
print_json(const struct vaultd_error *e, json_t *details)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "error", e->name, "message",
	    e->message, "owner", e->owner, "advice", e->advice, "trace", e->trace, "retry",
	    (int)e->retry, "details", details);

	json_dumpf(o, stderr, JSON_INDENT(2));
	fputc('\n', stderr);
	json_decref(o);
}

void
ctl_print_error(struct ctl *c)
{
	const struct vaultd_error *e = &c->error;
	json_error_t je;
	json_t *d = json_loads(e->details, 0, &je);

	if (c->json) {
		print_json(e, d != NULL ? d : json_object());
		return;
	}
	ctl_say(stderr, "error: %s\n", e->message);
	print_rule(d);
	print_line("next", e->advice);
	print_line("move", ctl_owner(e->owner));
	print_line("trace", e->trace);
	json_decref(d);
}

void
ctl_own_error(struct ctl *c, const char *message, const char *advice_fmt, ...)
{
	struct vaultd_error *e = &c->error;
	va_list ap;

	*e = (struct vaultd_error){ .owner = "caller", .details = "{}" };
	snprintf(e->message, sizeof e->message, "%s", message);
	va_start(ap, advice_fmt);
	vsnprintf(e->advice, sizeof e->advice, advice_fmt, ap);
	va_end(ap);
	ctl_print_error(c);
}

int
ctl_fail(const struct ctl *c, int status, const char *fmt, ...)
{
	struct vaultd_error e = { .owner = "caller", .details = "{}" };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.message, sizeof e.message, fmt, ap);
	va_end(ap);
	if (c->json_errors)
		print_json(&e, json_object());
	else
		ctl_say(stderr, "error: %s\n", e.message);
	return status;
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

/* A line of the terminal. NULL: it ended, or a signal came, which is then pending. */
static char *
read_terminal(int signals)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return NULL;
	return p[1].revents == 0 ? read_line(stdin) : NULL;
}

/* Ctrl-C must not leave a terminal that does not echo: signals wait until it does again. */
static char *
prompt_line(const char *prompt)
{
	struct termios was, quiet;
	sigset_t mask, old;
	int signals;
	char *line;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return read_line(stdin);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &old);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s: ", prompt);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	line = read_terminal(signals);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	close(signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return line;
}

char *
ctl_secret(struct ctl *c, const char *file_option, const char *prompt)
{
	return ctl_secret_from(c, ctl_option(c, file_option), prompt);
}

char *
ctl_secret_from(const struct ctl *c, const char *file, const char *prompt)
{
	char *line;
	FILE *f;

	if (file == NULL)
		line = isatty(STDIN_FILENO) ? prompt_line(prompt) : read_line(stdin);
	else if ((f = fopen(file, "re")) == NULL) {
		ctl_fail(c, EX_FAILED, "%s: %s", file, strerror(errno));
		return NULL;
	} else {
		line = read_line(f);
		fclose(f);
	}
	if (line == NULL || *line == '\0') {
		ctl_fail(c, EX_USE, "%s: nothing was given", prompt);
		free(line);
		return NULL;
	}
	return line;
}
