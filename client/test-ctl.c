/*
 * test-ctl.c - what the commands of vaultctl share: options, exit statuses, and what is
 * printed of texts that others chose.
 */
#include "tests/unit.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"
#include "common/errors.h"

static char printed[8192];

/* Runs WHAT and keeps what it wrote to FD in `printed`. */
static void
capture(int fd, void (*what)(void *arg), void *arg)
{
	FILE *f = tmpfile();
	int was = dup(fd);
	ssize_t n;

	fflush(NULL);
	dup2(fileno(f), fd);
	what(arg);
	fflush(NULL);
	dup2(was, fd);
	close(was);
	n = pread(fileno(f), printed, sizeof printed - 1, 0);
	printed[n > 0 ? n : 0] = '\0';
	fclose(f);
}

static int
status_of(const char *name, bool retry)
{
	struct vaultd_error e = { .retry = retry };

	snprintf(e.name, sizeof e.name, "%s", name);
	return ctl_exit_of(&e);
}

TEST(exit_statuses_are_those_of_the_manual)
{
	T_EQ(status_of("vaultd.Vault.NotFound", false), EX_NOT_FOUND);
	T_EQ(status_of("vaultd.Vault.PolicyDenied", false), EX_DENIED);
	T_EQ(status_of("vaultd.Vault.PermissionDenied", false), EX_DENIED);
	T_EQ(status_of("vaultd.Tokens.GrantRevoked", false), EX_RECONNECT);
	T_EQ(status_of("vaultd.Vault.HsmUnavailable", true), EX_LATER);
	T_EQ(status_of("vaultd.Vault.Internal", false), EX_FAILED);
	T_EQ(status_of("vaultd.Connections.UserDenied", false), EX_ABORTED);
	T_EQ(status_of("org.varlink.service.InvalidParameter", false), EX_USE);
	T_EQ(status_of("", true), EX_LATER);
	T_EQ(status_of("", false), EX_FAILED);
}

/* A script that is told to sign in again must not be told to look for a bug. */
TEST(what_asks_for_a_sign_in_exits_so)
{
	int n = 0;

	for (unsigned id = 1; id < ERR_MAX; id++) {
		const struct err_row *row = err_row(id);

		if (strncmp(row->advice, "Reconnect", 9) != 0 &&
		    strncmp(row->advice, "Connect again", 13) != 0)
			continue;
		if (status_of(row->name, row->retry) != EX_RECONNECT)
			fail_msg("%s", row->name);
		n++;
	}
	T_OK(n >= 6);
}

TEST(a_name_is_one_word_for_a_shell)
{
	char out[64];

	ctl_quote("personal/work-1", out, sizeof out);
	T_STR(out, "personal/work-1");
	ctl_quote("my work", out, sizeof out);
	T_STR(out, "'my work'");
	ctl_quote("it's $x", out, sizeof out);
	T_STR(out, "'it'\\''s $x'");
	ctl_quote("", out, sizeof out);
	T_STR(out, "''");
}

/* ---- options */

static void
number_of(void *arg)
{
	struct ctl *c = arg;
	long long n;

	c->status = ctl_number(c, "n", 1, &n);
	if (c->status == 0)
		c->status = (int)n;
}

static int
number(const char *text)
{
	struct ctl c = { .option = { { "n", text } }, .noptions = 1 };

	capture(STDERR_FILENO, number_of, &c);
	return c.status;
}

TEST(numbers_are_whole)
{
	T_EQ(number("17"), 17);
	T_EQ(number("1x"), EX_USE);
	T_HAS(printed, "--n is a whole number");
	T_EQ(number(""), EX_USE);
	T_EQ(number("0"), EX_USE);
	T_EQ(number("99999999999999999999"), EX_USE);
}

static void
pairs_of(void *arg)
{
	json_t **o = arg;
	struct ctl c = { .option = { { "var", "host=a=b" }, { "var", "x=" } }, .noptions = 2 };
	struct ctl bad = { .option = { { "var", "=b" } }, .noptions = 1 };

	o[0] = ctl_pairs(&c, "var");
	o[1] = ctl_pairs(&bad, "var");
}

TEST(pairs_are_split_at_the_first_sign)
{
	json_t *o[2];

	capture(STDERR_FILENO, pairs_of, o);
	T_STR(ctl_text(o[0], "host"), "a=b");
	T_STR(ctl_text(o[0], "x"), "");
	T_EQ(json_object_size(o[0]), 2);
	assert_null(o[1]);
	T_HAS(printed, "--var is NAME=VALUE");
	json_decref(o[0]);
}

/* ---- printing */

static void
say_of(void *arg)
{
	ctl_say(stdout, "<%s>\n", (const char *)arg);
}

TEST(control_characters_do_not_reach_the_terminal)
{
	capture(STDOUT_FILENO, say_of, (void *)"a\x1b]0;x\x07 \xc2\x9b" "31m\r\x7f \xc3\xa9");
	T_STR(printed, "<a?]0;x? ??31m?? \xc3\xa9>\n");
}

static void
table_of(void *arg)
{
	static const char *const members[] = { "path", "state", "expires", NULL };
	static const char *const heads[] = { "CONNECTION", "STATE", "TOKEN ENDS", NULL };

	ctl_table(arg, members, heads, "none");
}

TEST(tables_have_columns)
{
	json_t *rows = json_pack("[{s:s, s:s, s:i}, {s:s, s:n}]", "path", "personal/\xc3\xa9", "state",
	    "connected", "expires", 0, "path", "a\x1b[2J", "state");
	json_t *none = json_array();

	capture(STDOUT_FILENO, table_of, rows);
	T_STR(printed, "CONNECTION  STATE      TOKEN ENDS\n"
	    "personal/\xc3\xa9  connected  never\n"
	    "a?[2J                  \n");
	capture(STDOUT_FILENO, table_of, none);
	T_STR(printed, "none\n");
	json_decref(rows);
	json_decref(none);
}

TEST(times_are_for_people)
{
	char text[40];

	ctl_time(0, text, sizeof text);
	T_STR(text, "never");
	ctl_time((json_int_t)time(NULL) + 305, text, sizeof text);
	T_STR(text, "in 5 min");
	ctl_time((json_int_t)time(NULL) - 3 * 86400 - 60, text, sizeof text);
	T_STR(text, "3 d ago");
}

static void
fields_of(void *arg)
{
	json_t *o = arg;
	const char *key = json_object_iter_key(json_object_iter(o));
	const char *const keys[] = { key, "label", NULL };

	ctl_fields(o, keys);
}

TEST(what_the_idl_calls_a_time_is_shown_as_one)
{
	static const char *const files[] = { "Apps", "Bindings", "Connections", "Events", "Folders",
		"Tokens" };
	char line[500], name[64];
	int n = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		FILE *f;

		snprintf(line, sizeof line, "docs/vaultd.%s.varlink", files[i]);
		T_OK((f = fopen(line, "r")) != NULL);
		while (fgets(line, sizeof line, f) != NULL) {
			json_t *o;

			if (strstr(line, " # time\n") == NULL || sscanf(line, " %63[a-z_]:", name) != 1)
				continue;
			o = json_pack("{s:I}", name, (json_int_t)time(NULL) - 3 * 86400 - 60);
			capture(STDOUT_FILENO, fields_of, o);
			if (strcmp(printed, "label           3 d ago\n") != 0)
				fail_msg("%s is shown as: %s", name, printed);
			json_object_set_new(o, name, json_integer(0));
			capture(STDOUT_FILENO, fields_of, o);
			T_STR(printed, "");
			json_decref(o);
			n++;
		}
		fclose(f);
	}
	T_OK(n >= 20);
}

TEST(users_are_shown_by_name_where_they_have_one)
{
	json_t *o = json_pack("{s:i}", "disabled_by", 0);

	capture(STDOUT_FILENO, fields_of, o);
	T_STR(printed, "label           root\n");
	json_object_set_new(o, "disabled_by", json_integer(4199999999));
	capture(STDOUT_FILENO, fields_of, o);
	T_STR(printed, "label           uid-4199999999\n");
	json_decref(o);
}

static void
error_of(void *arg)
{
	ctl_print_error(arg);
}

TEST(errors_say_rule_next_step_and_whose_move)
{
	struct ctl c = { .error = { .name = "vaultd.Vault.PolicyDenied",
		.message = "no\x1b[31m", .owner = "admin", .advice = "Ask.", .trace = "00ff",
		.details = "{\"policy_file\":\"/etc/p.json\",\"rule\":\"/a/b\",\"level\":\"tenant\"}" } };

	capture(STDERR_FILENO, error_of, &c);
	T_STR(printed, "error: no?[31m\nrule   /a/b in /etc/p.json (tenant level)\n"
	    "next   Ask.\nmove   a governance admin's\ntrace  00ff\n");
	c.json = true;
	capture(STDERR_FILENO, error_of, &c);
	T_HAS(printed, "\"error\": \"vaultd.Vault.PolicyDenied\"");
	T_HAS(printed, "\"rule\": \"/a/b\"");
}

/* ---- secrets */

static void
secret_of(void *arg)
{
	static const char text[] = "s3cret \r\nsecond line\n";
	char path[] = "/tmp/test-ctl.XXXXXX";
	int fd = mkstemp(path);
	struct ctl c = { .option = { { "secret-file", path } }, .noptions = 1 };

	T_EQ(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
	*(char **)arg = ctl_secret(&c, "secret-file", "Secret");
	unlink(path);
	assert_null(ctl_secret(&c, "secret-file", "Secret"));
}

TEST(a_secret_is_one_line_of_a_file)
{
	char *secret;

	capture(STDERR_FILENO, secret_of, &secret);
	T_STR(secret, "s3cret ");
	T_HAS(printed, "No such file");
	vaultd_free(secret);
}

int
main(void)
{
	return unit_run();
}
