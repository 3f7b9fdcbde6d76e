/*
 * ctl_events.c - vaultctl events ...: what happened and what happens, for people in lines of 80
 * columns, with --json an event to a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"

#define INDENT	16
#define COLUMNS	80

struct events {
	struct ctl	*c;
	json_int_t	 last;		/* go on from here; -1 = nothing was heard yet */
	json_t		*all;		/* list --json: kept */
	json_int_t	 lost;
	size_t		 n;
	bool		 broken;	/* said that the vault is away */
};

/* ---- one event */

/* TEXT in words, below each other. */
static void
say_wrapped(const char *lead, const char *text)
{
	size_t at = INDENT + strlen(lead);

	printf("%*s%s", INDENT, "", lead);
	while (*text != '\0') {
		size_t n = strcspn(text, " \n");

		if (at > INDENT && at + n > COLUMNS) {
			printf("\n%*s", INDENT, "");
			at = INDENT;
		}
		ctl_say(stdout, "%.*s", (int)n, text);
		at += n + 1;
		text += n;
		text += strspn(text, " \n");
		if (*text != '\0' && at < COLUMNS)
			putchar(' ');
	}
	putchar('\n');
}

static void
say_state(const json_t *ev)
{
	const char *was = ctl_text(ev, "was"), *cause = strrchr(ctl_text(ev, "cause"), '.');
	json_int_t deadline = json_integer_value(json_object_get(ev, "deadline"));
	char text[600], when[40];

	if (*was != '\0')
		say_wrapped("was ", was);
	if (deadline != 0) {
		ctl_time(deadline, when, sizeof when);
		snprintf(text, sizeof text, "%s%s%s", when, *ctl_text(ev, "text") ? ": " : "",
		    ctl_text(ev, "text"));
		say_wrapped("", text);
	} else if (cause != NULL || *ctl_text(ev, "text") != '\0') {
		snprintf(text, sizeof text, "%s%s%s", cause == NULL ? "" : cause + 1,
		    cause == NULL ? "" : ": ", ctl_text(ev, "text"));
		say_wrapped("", text);
	}
	if (*ctl_text(ev, "advice") != '\0')
		say_wrapped("next ", ctl_text(ev, "advice"));
}

static void
say_event(const json_t *ev)
{
	time_t t = (time_t)json_integer_value(json_object_get(ev, "time"));
	struct tm tm = { 0 };
	char when[20];

	localtime_r(&t, &tm);
	strftime(when, sizeof when, "%m-%d %H:%M:%S", &tm);
	ctl_say(stdout, "%-*s%-*s%s\n", INDENT, when, *ctl_text(ev, "path") ? 20 : 0,
	    ctl_text(ev, "type"), ctl_text(ev, "path"));
	say_state(ev);
}

static void
show(struct events *s, json_t *ev)
{
	s->n++;
	if (s->all != NULL) {
		json_array_append(s->all, ev);
	} else if (s->c->json) {
		json_dumpf(ev, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		say_event(ev);
	}
}

static void
page(struct events *s, const json_t *answer)
{
	json_int_t lost = json_integer_value(json_object_get(answer, "lost"));
	json_t *ev;
	size_t i;

	if (lost > 0 && s->last > 0)
		fprintf(stderr, "%lld events are not kept any more\n", (long long)lost);
	if (lost > 0 && s->c->json && s->all == NULL)
		printf("{\"lost\":%lld}\n", (long long)lost);
	s->lost += lost;
	json_array_foreach(json_object_get(answer, "events"), i, ev)
		show(s, ev);
	s->last = json_integer_value(json_object_get(answer, "last"));
}

/* ---- what is asked for */

static json_t *
parameters(const struct events *s)
{
	json_t *p = json_object();
	const char *type;

	for (int i = 0; (type = ctl_option_at(s->c, "type", i)) != NULL; i++) {
		if (i == 0)
			json_object_set_new(p, "types", json_array());
		json_array_append_new(json_object_get(p, "types"), json_string(type));
	}
	if (s->c->nargs > 0)
		ctl_set(p, "connection", s->c->arg[0]);
	if (s->last >= 0)
		json_object_set_new(p, "since", json_integer(s->last));
	return p;
}

static int
start(struct ctl *c, struct events *s)
{
	long long since;

	*s = (struct events){ .c = c, .last = -1 };
	if (ctl_option(c, "since") == NULL)
		return 0;
	if (ctl_number(c, "since", 0, &since) != 0)
		return EX_USE;
	s->last = since;
	return 0;
}

static int
events_list(struct ctl *c)
{
	struct events s;
	json_t *r;
	bool complete = false;

	if (start(c, &s) != 0)
		return EX_USE;
	s.all = c->json ? json_array() : NULL;
	while (!complete) {
		if ((r = ctl_call(c, "vaultd.Events.Follow", parameters(&s))) == NULL) {
			json_decref(s.all);
			return c->status;
		}
		page(&s, r);
		complete = json_is_true(json_object_get(r, "complete"));
		json_decref(r);
	}
	if (c->json) {
		r = json_pack("{s:O, s:I, s:I}", "events", s.all, "last", s.last, "lost", s.lost);
		ctl_dump(r);
		json_decref(r);
	} else if (s.n == 0) {
		printf("no events\n");
	}
	json_decref(s.all);
	return EX_OK;
}

/* ---- follow */

static bool
heard(void *arg, const char *text)
{
	struct events *s = arg;
	json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (s->broken)
		fprintf(stderr, "the vault is back\n");
	s->broken = false;
	page(s, answer);
	json_decref(answer);
	return fflush(stdout) == 0;
}

/* An error of the library, not of the vault: it is away, and comes back. */
static bool
wait_for_it(struct events *s)
{
	const struct vaultd_error *e = &s->c->error;

	if (s->last < 0 || !e->retry)
		return false;
	if (!s->broken)
		fprintf(stderr, "%s; waiting\n", e->message);
	s->broken = true;
	sleep(1);
	return true;
}

static int
events_follow(struct ctl *c)
{
	struct events s;
	int rc;

	if (start(c, &s) != 0)
		return EX_USE;
	do {
		json_t *p = parameters(&s);
		char *text = json_dumps(p, JSON_COMPACT);

		json_decref(p);
		if (text == NULL)
			return ctl_fail(c, EX_FAILED, "out of memory");
		rc = vaultd_call_more(c->v, "vaultd.Events.Follow", text, heard, &s, &c->error);
		free(text);
	} while (rc != 0 && wait_for_it(&s));
	if (rc == 0)
		return EX_OK;
	ctl_print_error(c);
	return ctl_exit_of(&c->error);
}

#define TYPES "Types: created authenticated reconnected recovered degraded needs_reconnect locked\n" \
	"unlocked disabled enabled renamed moved deleted expiring; app_added app_changed\n" \
	"app_secret_changed app_deleted rotate_due; policy_changed policy_failed; sealed\n" \
	"unsealed hsm_up hsm_down store_unwritable audit_unwritable writable.\n"

const struct command commands_events[] = {
	{ "events list", "[CONNECTION]", 0, 1, "since= type=*", "what happened, as far as it is kept",
	    "  --since N    only events behind number N\n"
	    "  --type TYPE  only of this type; may be given several times\n\n"
	    TYPES "\n"
	    "  vaultctl events list personal/github\n", events_list },
	{ "events follow", "[CONNECTION]", 0, 1, "since= type=*", "show events as they happen",
	    "Goes on when the vault was restarted, where it was. With --json an event is a line.\n\n"
	    "  --since N    begin with the events behind number N; 0: with all that are kept\n"
	    "  --type TYPE  only of this type; may be given several times\n\n"
	    TYPES "\n"
	    "  vaultctl events follow --type needs_reconnect --type locked --json\n",
	    events_follow },
	{ 0 },
};
