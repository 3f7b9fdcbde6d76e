#include "tests/unit.h"

#include "common/errors.h"
#include "vaultd/record.h"

#define MANUAL "docs/man/vaultd.8"

/* The cell of the manual: "-" is a state that stays. */
static const char *
cell(enum conn_state s, enum conn_event ev)
{
	enum conn_state to = conn_state_next(s, ev);

	return to == 0 ? "-" : to == CONN_STATE_END ? "as before" : conn_state_name(to);
}

/* The line of the manual's table for S, or NULL. */
static char *
manual_row(const char *first)
{
	static char line[400];
	char want[80];
	FILE *f = fopen(MANUAL, "r");
	bool found = false;

	T_OK(f != NULL);
	snprintf(want, sizeof want, ".It %s Ta ", first);
	while (!found && fgets(line, sizeof line, f) != NULL)
		found = strncmp(line, want, strlen(want)) == 0;
	fclose(f);
	return found ? line : NULL;
}

/* Row 46: the table of the manual is the table of the code. */
TEST(the_manual_has_the_table)
{
	char want[400], *row;

	for (unsigned ev = 0; ev < CONN_EVENT_END; ev++) {
		int n = snprintf(want, sizeof want, ".It %s", conn_event_name(ev));

		for (unsigned s = CONN_PENDING; s < CONN_DELETED; s++)
			n += snprintf(want + n, sizeof want - (size_t)n, " Ta %s", cell(s, ev));
		row = manual_row(conn_event_name(ev));
		if (row == NULL)
			fail_msg("%s has no line for '%s'", MANUAL, conn_event_name(ev));
		row[strcspn(row, "\n")] = '\0';
		T_STR(row, want);
	}
}

/* Row 46: pending_auth -> connected <-> degraded -> disconnected, locked, disabled -> deleted. */
TEST(the_way_through_life)
{
	struct connection c = { .state = CONN_PENDING };

	T_NOT(conn_state_apply(&c, CONN_RENEWED, 1));
	T_NOT(conn_state_apply(&c, CONN_LOCK_OUT, 1));
	T_EQ(c.state, CONN_PENDING);
	T_OK(conn_state_apply(&c, CONN_SIGNED_IN, 2));
	T_EQ(c.state, CONN_CONNECTED);
	T_EQ(c.state_since, 2);
	T_NOT(conn_state_apply(&c, CONN_RENEWED, 3));
	T_EQ(c.state_since, 2);
	T_OK(conn_state_apply(&c, CONN_TROUBLE, 4));
	T_EQ(c.state, CONN_DEGRADED);
	T_OK(conn_state_apply(&c, CONN_RENEWED, 5));
	T_EQ(c.state, CONN_CONNECTED);
	T_OK(conn_state_apply(&c, CONN_ENDED, 6));
	T_EQ(c.state, CONN_DISCONNECTED);
	T_NOT(conn_state_apply(&c, CONN_TROUBLE, 7));
	T_OK(conn_state_apply(&c, CONN_DELETE, 8));
	for (unsigned ev = 0; ev < CONN_EVENT_END; ev++)
		T_NOT(conn_state_apply(&c, ev, 9));
	T_EQ(c.state, CONN_DELETED);
}

/* Row 45: disabling remembers what it was, and what it has become meanwhile. */
TEST(a_disabled_one_resumes)
{
	struct connection c = { .state = CONN_LOCKED };

	T_NOT(conn_state_apply(&c, CONN_ENABLE, 1));	/* locked is not disabled */
	T_OK(conn_state_apply(&c, CONN_DISABLE, 2));
	T_EQ(c.resume, CONN_LOCKED);
	T_NOT(conn_state_apply(&c, CONN_DISABLE, 3));
	T_OK(conn_state_apply(&c, CONN_ENABLE, 4));
	T_EQ(c.state, CONN_LOCKED);
	T_EQ(c.resume, 0);
	c.state = CONN_CONNECTED;
	T_OK(conn_state_apply(&c, CONN_DISABLE, 5));
	T_OK(conn_state_apply(&c, CONN_ENDED, 6));	/* the answer of a refresh under way */
	T_EQ(c.state, CONN_DISABLED);
	T_EQ(c.state_since, 5);
	T_OK(conn_state_apply(&c, CONN_ENABLE, 7));
	T_EQ(c.state, CONN_DISCONNECTED);
}

/* Row 46: the two words for display, and who is refused with which name. */
TEST(words_and_refusals)
{
	static const struct { enum conn_state s; unsigned id; bool usable; } want[] = {
		{ CONN_PENDING, ERR_NONE, false },
		{ CONN_CONNECTED, ERR_NONE, true },
		{ CONN_DEGRADED, ERR_NONE, true },
		{ CONN_DISCONNECTED, ERR_NONE, false },
		{ CONN_LOCKED, ERR_CONNECTION_LOCKED, false },
		{ CONN_DISABLED, ERR_CONNECTION_DISABLED, false },
		{ CONN_DELETED, ERR_CONNECTION_DELETED, false },
	};

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct connection c = { .state = want[i].s, .name = "x" };
		enum conn_state s;
		struct err e = { 0 };

		T_EQ(conn_state_refuse(&c, &e) != 0, want[i].id != ERR_NONE);
		T_EQ(e.id, want[i].id);
		T_STR(conn_state_summary(c.state),
		    want[i].usable ? "Connected" : "Disconnected");
		T_OK(conn_state_parse(conn_state_name(c.state), &s));
		T_EQ(s, c.state);
	}
}

int
main(void)
{
	return unit_run();
}
