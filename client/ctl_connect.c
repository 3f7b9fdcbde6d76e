/*
 * ctl_connect.c - vaultctl connect, and connection reconnect: from the browser to a
 * connection, with a clear end for every way it can go wrong.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/callback.h"
#include "client/ctl.h"

#define FINISH_TRIES 30	/* seconds: an authorization code lives little longer */

/* In a session of its own, so that Ctrl-C here does not end it; its words go nowhere. */
static void
run_browser(const char *program, const char *url)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	setsid();
	if (fork() == 0) {
		execlp(program, program, url, (char *)NULL);
		_exit(127);
	}
	_exit(0);
}

/* The user's browser. $BROWSER may be a list, and more than a name: that is xdg-open's. */
static void
open_browser(const struct callback *cb)
{
	char url[200];
	const char *browser = getenv("BROWSER");
	bool display = getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
	pid_t pid;

	if (cb->url[0] == '\0' || (browser == NULL && !display))
		return;
	callback_start_url(cb, url, sizeof url);
	if (browser == NULL || strpbrk(browser, ": %") != NULL)
		browser = "xdg-open";
	if ((pid = fork()) == 0)
		run_browser(browser, url);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void
progress(void *arg, int left)
{
	const bool *terminal = arg;

	if (*terminal)
		fprintf(stderr, "\rwaiting for the sign-in, %d:%02d left ", left / 60, left % 60);
}

static void
print_start(const char *url, const struct callback *cb)
{
	fprintf(stderr, "Open this address in a browser and sign in:\n\n%s\n\n", url);
	if (!callback_listens(cb))
		fprintf(stderr, "Then paste the address at which the browser ends (%s)\n",
		    cb->why[0] != '\0' ? cb->why : "the page there will not load; that is fine");
	else
		fprintf(stderr, "If the browser runs on another machine, paste the address at which "
		    "it ends.\n");
	fflush(stderr);
}

/* What was begun would keep its name until it expires. */
static void
forget(struct ctl *c, const char *connection)
{
	json_t *r = ctl_try(c, "vaultd.Connections.Delete",
	    json_pack("{s:s}", "connection", connection));

	json_decref(r);
}

static int
no_answer(struct ctl *c, enum callback_end end, const char *redirect_uri)
{
	static const char *const said[] = {
		[CALLBACK_TIMEOUT] = "no answer came back in time",
		[CALLBACK_NOTHING] = "standard input ended before an address was pasted",
		[CALLBACK_INTERRUPTED] = "interrupted; nothing was connected",
	};

	if (end == CALLBACK_TIMEOUT && redirect_uri != NULL)
		ctl_own_error(c, said[end], "If the sign-in page complained about the redirect URI, "
		    "register exactly this one in the OAuth app, then start again: %s", redirect_uri);
	else
		ctl_own_error(c, said[end], "Start again.");
	return EX_ABORTED;
}

static json_t *
finish_call(struct ctl *c, const struct redirected *r)
{
	json_t *p = json_pack("{s:s}", "state", r->state), *more = json_object();

	ctl_set(p, "code", r->code[0] != '\0' ? r->code : NULL);
	ctl_set(p, "iss", r->iss[0] != '\0' ? r->iss : NULL);
	ctl_set(p, "error", r->error[0] != '\0' ? r->error : NULL);
	ctl_set(p, "error_description", r->description[0] != '\0' ? r->description : NULL);
	for (size_t i = 0; i < r->nmore; i++)
		json_object_set_new(more, r->more[i].name, json_string(r->more[i].value));
	if (r->nmore > 0)
		json_object_set(p, "parameters", more);
	json_decref(more);
	return ctl_try(c, "vaultd.Connections.Finish", p);
}

static void
print_connected(struct ctl *c, const json_t *r)
{
	const json_t *k = json_object_get(r, "connection");
	const char *account = ctl_text(k, "account");
	char path[1024];
	json_t *item;
	size_t i;

	if (c->json) {
		ctl_dump(r);
		return;
	}
	ctl_say(stdout, "connected %s%s%s\n", ctl_text(k, "path"), *account ? " as " : "",
	    account);
	json_array_foreach(json_object_get(r, "warnings"), i, item)
		ctl_say(stdout, "warning: %s\n", json_string_value(item));
	ctl_quote(ctl_text(k, "path"), path, sizeof path);
	ctl_say(stdout, "next: vaultctl token get %s | ...\n", path);
}

/*
 * The vault was started again while it finished the sign-in, and settled it alone: the
 * connection says how it ended. NULL with the reason in C when it did not end well.
 */
static json_t *
settled(struct ctl *c, const char *connection, json_int_t since)
{
	struct vaultd_error first = c->error;
	json_t *r = ctl_try(c, "vaultd.Connections.Show",
	    json_pack("{s:s}", "connection", connection));
	const json_t *k = json_object_get(r, "connection");

	if (r != NULL && json_integer_value(json_object_get(k, "last_refresh_ok")) >= since)
		return r;
	c->error = first;
	if (k != NULL && *ctl_text(k, "cause") != '\0') {
		snprintf(c->error.name, sizeof c->error.name, "%s", ctl_text(k, "cause"));
		snprintf(c->error.message, sizeof c->error.message, "%s",
		    ctl_text(k, "cause_text"));
		snprintf(c->error.advice, sizeof c->error.advice, "%s", ctl_text(k, "advice"));
	}
	c->status = ctl_exit_of(&c->error);
	json_decref(r);
	return NULL;
}

static int
finish(struct ctl *c, struct callback *cb, const struct redirected *back,
    const char *connection)
{
	json_int_t since = (json_int_t)time(NULL);
	json_t *r = finish_call(c, back);
	bool again = r == NULL && c->error.retry;

	/* A role of the vault was just restarted, or the connection is being renewed. If nothing was
	 * spent the code is still good for a moment. */
	if (again && !c->json)
		ctl_say(stderr, "not yet: %s; trying again for %d seconds\n", c->error.message,
		    FINISH_TRIES);
	for (int i = 0; r == NULL && c->error.retry && i < FINISH_TRIES; i++) {
		sleep(1);
		r = finish_call(c, back);
	}
	if (r == NULL && again)
		r = settled(c, connection, since);
	if (r == NULL) {
		callback_answer(cb, false, c->error.message);
		ctl_print_error(c);
		return c->status;
	}
	callback_answer(cb, true, "You can close this window.");
	print_connected(c, r);
	json_decref(r);
	return EX_OK;
}

/* ---- from Begin or Reconnect to the end */

struct sign_in {
	const char	*method;
	json_t		*parameters;
	bool		 fresh;		/* there is no connection yet */
	json_t		*begun;		/* the answer; NULL: there was an error */
	struct callback	 cb;
};

static bool
is_device(const struct sign_in *s)
{
	return json_object_get(s->begun, "user_code") != NULL;
}

/* The same command with its idempotency key before: it is signed in. */
static bool
is_over(const struct sign_in *s)
{
	return !is_device(s) && json_object_get(s->begun, "authorization_url") == NULL;
}

static void
begin(struct ctl *c, struct sign_in *s)
{
	json_decref(s->begun);
	s->begun = ctl_call(c, s->method, json_incref(s->parameters));
	if (s->begun != NULL && !is_device(s) && !is_over(s))
		callback_open(&s->cb, ctl_text(s->begun, "redirect_uri"),
		    ctl_text(s->begun, "authorization_url"), ctl_option(c, "paste") != NULL);
}

/* Somebody has the port. Where the provider takes any (RFC 8252 section 7.3), begun anew. */
static void
begin_elsewhere(struct ctl *c, struct sign_in *s)
{
	int port;

	if (s->begun == NULL || !s->cb.taken ||
	    !json_is_true(json_object_get(s->begun, "any_port")) ||
	    (port = callback_free_port()) == 0)
		return;
	callback_close(&s->cb);
	if (s->fresh)
		forget(c, ctl_text(s->begun, "connection"));
	json_object_set_new(s->parameters, "port", json_integer(port));
	begin(c, s);
}

static int
wait_for_it(struct ctl *c, struct sign_in *s, int seconds)
{
	bool terminal = isatty(STDERR_FILENO);
	const char *connection = ctl_text(s->begun, "connection");
	struct redirected back;
	enum callback_end end;
	int rc;

	print_start(ctl_text(s->begun, "authorization_url"), &s->cb);
	if (ctl_option(c, "no-browser") == NULL && callback_listens(&s->cb))
		open_browser(&s->cb);
	end = callback_wait(&s->cb, seconds, progress, &terminal, &back);
	if (terminal)
		fprintf(stderr, "\r\033[K");
	if (end != CALLBACK_ANSWER && s->fresh)
		forget(c, connection);
	rc = end == CALLBACK_ANSWER ? finish(c, &s->cb, &back, connection) :
	    no_answer(c, end, ctl_text(s->begun, "redirect_uri"));
	explicit_bzero(&back, sizeof back);
	callback_close(&s->cb);
	return rc;
}

static int
show_connected(struct ctl *c, const char *connection)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Show",
	    json_pack("{s:s}", "connection", connection));

	if (r == NULL)
		return c->status;
	print_connected(c, r);
	json_decref(r);
	return EX_OK;
}

static int
device(struct ctl *c, struct sign_in *s, int seconds)
{
	const char *connection = ctl_text(s->begun, "connection");
	enum device_end end = ctl_device(c, s->begun, seconds);

	if (end == DEVICE_SIGNED_IN)
		return show_connected(c, connection);
	if (end == DEVICE_FAILED) {
		ctl_print_error(c);
		return c->status;
	}
	if (s->fresh)
		forget(c, connection);
	return no_answer(c, end == DEVICE_STOPPED ? CALLBACK_INTERRUPTED : CALLBACK_TIMEOUT, NULL);
}

/* PARAMETERS is taken. */
static int
sign_in(struct ctl *c, const char *method, json_t *parameters, bool fresh)
{
	struct sign_in s = { .method = method, .parameters = parameters, .fresh = fresh };
	long long timeout;
	int rc = ctl_number(c, "timeout", 1, &timeout), seconds;

	if (rc == 0) {
		begin(c, &s);
		begin_elsewhere(c, &s);
	}
	if (s.begun != NULL && is_over(&s)) {
		rc = show_connected(c, ctl_text(s.begun, "connection"));
	} else if (s.begun != NULL) {
		seconds = (int)json_integer_value(json_object_get(s.begun, "expires_in"));
		if (timeout > 0 && timeout < seconds)
			seconds = (int)timeout;
		rc = is_device(&s) ? device(c, &s, seconds) : wait_for_it(c, &s, seconds);
	} else if (rc == 0) {
		rc = c->status;
	}
	json_decref(s.begun);
	json_decref(parameters);
	return rc;
}

static int
connect_new(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connector", c->arg[0]), *scopes = json_array();
	const char *s;

	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "name", ctl_option(c, "name"));
	ctl_set(p, "app", ctl_option(c, "app"));
	ctl_set(p, "auth_type", ctl_option(c, "auth-type"));
	ctl_set(p, "idempotency_key", ctl_option(c, "idempotency-key"));
	for (int i = 0; (s = ctl_option_at(c, "scope", i)) != NULL; i++)
		json_array_append_new(scopes, json_string(s));
	if (json_array_size(scopes) > 0)
		json_object_set(p, "scopes", scopes);
	json_decref(scopes);
	return sign_in(c, "vaultd.Connections.Begin", p, true);
}

static int
reconnect(struct ctl *c)
{
	return sign_in(c, "vaultd.Connections.Reconnect",
	    json_pack("{s:s, s:b}", "connection", c->arg[0], "allow_other_account",
		ctl_option(c, "allow-other-account") != NULL), false);
}

#define FLOW_HELP \
	"  --no-browser         only print the address to open\n" \
	"  --paste              do not listen; paste the address at which the browser ends\n" \
	"  --timeout SECONDS    stop waiting sooner than the vault does\n"

const struct command commands_connect[] = {
	{ "connect", "CONNECTOR", 1, 1, "folder= name= app= auth-type= scope=* no-browser paste timeout= "
	    "idempotency-key=",
	    "connect an account, by signing in with a browser, here or elsewhere",
	    "  --folder FOLDER      where; default your own workspace\n"
	    "  --name NAME          default the connector's id\n"
	    "  --app APP            an OAuth app; default the one the policy names\n"
	    "  --auth-type TYPE     oauth2_device: sign in on another device\n"
	    "  --scope SCOPE        instead of the default ones; repeat it\n"
	    "  --idempotency-key KEY  the same command with the same key makes it once\n" FLOW_HELP "\n"
	    "  vaultctl connect github --name work\n", connect_new },
	{ "connection reconnect", "CONNECTION", 1, 1,
	    "no-browser paste timeout= allow-other-account",
	    "sign in again; id, name and folder stay",
	    FLOW_HELP
	    "  --allow-other-account  the sign-in may be with another account\n\n"
	    "  vaultctl connection reconnect work\n", reconnect },
	{ 0 },
};
