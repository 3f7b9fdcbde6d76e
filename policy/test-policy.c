#include "tests/unit.h"

#include <time.h>

#include "policy/policy.h"

static bool
user(const char *name, uid_t *ret)
{
	*ret = strcmp(name, "alice") == 0 ? 1001 : strcmp(name, "gina") == 0 ? 1009 : 0;
	return *ret != 0;
}

static bool
group(const char *name, gid_t *ret)
{
	*ret = strcmp(name, "staff") == 0 ? 2001 : strcmp(name, "ops") == 0 ? 2002 : 0;
	return *ret != 0;
}

static const struct policy_names names = { user, group };

static const char *const connectors[] = { "github", "gitlab" };
static const struct policy_reading how = { .names = &names, .connectors = connectors,
	.nconnectors = 2 };

static int
parse(const char *text, struct policy **ret, struct err *e)
{
	return policy_parse("p.json", text, strlen(text), &how, ret, e);
}

static const char base[] =
    "{\"policies\": {\n"
    "  \"t\": {\"shared\": {\"connection_create\": \"deny\", \"folder_create\": \"deny\",\n"
    "     \"except\": [\"role:governance-admin\"]},\n"
    "   \"connectors\": {\"github\": {\"enabled\": true, \"auth_types\": [\"oauth2_code\"],\n"
    "     \"byoa\": {\"mode\": \"forbidden\", \"app_ref\": \"acme\"}},\n"
    "     \"gitlab\": {\"enabled\": false}}},\n"
    "  \"wide\": {\"shared\": {\"connection_create\": \"allow\"},\n"
    "   \"connectors\": {\"*\": {\"enabled\": true}}},\n"
    "  \"none\": {\"personal\": {\"workspace\": \"deny\"}}},\n"
    " \"grants\": [{\"role\": \"governance-admin\", \"to\": [\"user:gina\"]},\n"
    "  {\"role\": \"automation-user\", \"to\": [\"group:staff\"], \"folder\": \"shared/fin/**\"},\n"
    "  {\"role\": \"automation-developer\", \"to\": [\"uid:1002\"], \"folder\": \"shared/fin\"}],\n"
    " \"assign\": {\"tenant\": \"t\", \"users\": {\"uid:1005\": \"none\", \"uid:1006\": null},\n"
    "  \"groups\": [{\"group\": \"ops\", \"policy\": \"wide\", \"priority\": 10},\n"
    "   {\"group\": \"gid:2003\", \"policy\": \"none\", \"priority\": 20}]}}";

static struct policy *
load(const char *text)
{
	struct policy *p = NULL;
	struct err e = { 0 };

	T_DO(parse(text, &p, &e), e);
	return p;
}

struct row {
	const char		*what;
	uid_t			 uid;
	gid_t			 gid;
	enum policy_action	 action;
	struct policy_object	 o;
	bool			 allow;
	enum err_id		 id;
	const char		*rule;
};

#define OWN { .class = FOLDER_PERSONAL, .folder = "personal", .own = true }
#define OWN_C(c, t) { .class = FOLDER_PERSONAL, .folder = "personal", .own = true, \
	.connector = c, .auth_type = t }
#define SHARED(f) { .class = FOLDER_SHARED, .folder = f }
#define SHARED_C(f, c) { .class = FOLDER_SHARED, .folder = f, .connector = c, \
	.auth_type = "oauth2_code" }

/* Reads as the specification: who, what, where, and the rule that answers. */
static const struct row rows[] = {
	{ "own workspace is seen", 1001, 1, ACT_CONN_VIEW, OWN, true, 0, NULL },
	{ "somebody else's is not", 1001, 1, ACT_CONN_VIEW,
	    { .class = FOLDER_PERSONAL, .folder = "personal" }, false, ERR_NOT_FOUND, NULL },
	{ "an admin does not see it either", 1009, 1, ACT_CONN_VIEW,
	    { .class = FOLDER_PERSONAL, .folder = "personal" }, false, ERR_NOT_FOUND, NULL },
	{ "enabled connector in own workspace", 1001, 1, ACT_CONN_CREATE,
	    OWN_C("github", "oauth2_code"), true, 0, NULL },
	{ "auth type not listed", 1001, 1, ACT_CONN_CREATE, OWN_C("github", "pat"), false,
	    ERR_AUTH_TYPE_NOT_ALLOWED, "/policies/t/connectors/github/auth_types" },
	{ "disabled connector", 1001, 1, ACT_CONN_CREATE, OWN_C("gitlab", "oauth2_code"), false,
	    ERR_CONNECTOR_DISABLED, "/policies/t/connectors/gitlab/enabled" },
	{ "disabled connector is not used either", 1001, 1, ACT_CONN_USE,
	    OWN_C("gitlab", "oauth2_code"), false, ERR_CONNECTOR_DISABLED, NULL },
	{ "unnamed connector is denied", 1001, 1, ACT_CONN_CREATE, OWN_C("other", "pat"), false,
	    ERR_CONNECTOR_DISABLED, NULL },
	{ "own app where it is forbidden", 1001, 1, ACT_CONN_CREATE,
	    { .class = FOLDER_PERSONAL, .folder = "personal", .own = true,
	    .connector = "github", .auth_type = "oauth2_code", .byoa = true, .app = "mine" },
	    false, ERR_APP_FORBIDDEN, "/policies/t/connectors/github/byoa/mode" },
	{ "shared folder without a role is not there", 1001, 1, ACT_CONN_VIEW,
	    SHARED("shared/fin"), false, ERR_NOT_FOUND, NULL },
	{ "a grant below shared/fin/**", 1001, 2001, ACT_CONN_USE,
	    SHARED_C("shared/fin/eu", "github"), true, 0, NULL },
	{ "and on shared/fin itself", 1001, 2001, ACT_CONN_VIEW, SHARED("shared/fin"), true, 0,
	    NULL },
	{ "but not on shared/finance", 1001, 2001, ACT_CONN_VIEW, SHARED("shared/finance"),
	    false, ERR_NOT_FOUND, NULL },
	{ "creating in a shared folder: the rule is named", 1001, 2001, ACT_CONN_CREATE,
	    SHARED_C("shared/fin", "github"), false, ERR_POLICY_DENIED,
	    "/policies/t/shared/connection_create" },
	{ "a role with conn.create does not help against the rule", 1002, 1, ACT_CONN_CREATE,
	    SHARED_C("shared/fin", "github"), false, ERR_POLICY_DENIED,
	    "/policies/t/shared/connection_create" },
	{ "seen, not permitted: the grant is named", 1001, 2001, ACT_CONN_DELETE,
	    SHARED("shared/fin"), false, ERR_PERMISSION_DENIED, "/grants/1" },
	{ "shared folder creation by a user", 1001, 1, ACT_FOLDER_CREATE, SHARED("shared/x"),
	    false, ERR_POLICY_DENIED, "/policies/t/shared/folder_create" },
	{ "shared folder creation by an admin", 1009, 1, ACT_FOLDER_CREATE, SHARED("shared/x"),
	    true, 0, NULL },
	{ "an admin uses nothing", 1009, 1, ACT_CONN_USE, SHARED_C("shared/x", "github"), false,
	    ERR_PERMISSION_DENIED, NULL },
	{ "user level wins: no workspace", 1005, 2002, ACT_CONN_CREATE,
	    OWN_C("github", "oauth2_code"), false, ERR_POLICY_DENIED,
	    "/policies/none/personal/workspace" },
	{ "null stops inheritance: built-in denies", 1006, 2002, ACT_CONN_CREATE,
	    OWN_C("github", "oauth2_code"), false, ERR_CONNECTOR_DISABLED, NULL },
	{ "group level wins over tenant", 1001, 2002, ACT_CONN_CREATE, OWN_C("gitlab", "pat"),
	    true, 0, NULL },
	{ "row G15: a password only where it is named", 1001, 2002, ACT_CONN_CREATE,
	    OWN_C("gitlab", "oauth2_password"), false, ERR_AUTH_TYPE_NOT_ALLOWED, NULL },
	{ "row G15: other types where nothing is said", 1001, 2002, ACT_CONN_CREATE,
	    OWN_C("gitlab", "oauth2_client_credentials"), true, 0, NULL },
	{ "apps are for admins", 1001, 1, ACT_APP_EDIT, { 0 }, false, ERR_PERMISSION_DENIED,
	    NULL },
	{ "apps by an admin", 1009, 1, ACT_APP_EDIT, { 0 }, true, 0, NULL },
};

TEST(decisions)
{
	struct policy *p = load(base);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct policy_subject s = { .uid = r->uid, .gids = &r->gid, .ngids = 1 };
		struct policy_decision d;

		if (policy_decide(p, &s, r->action, &r->o, &d) != r->allow ||
		    (!r->allow && d.id != r->id) ||
		    (r->rule != NULL && strcmp(d.rule, r->rule) != 0))
			fail_msg("%s: allow=%d id=%d rule=%s text=%s", r->what, d.allow, d.id, d.rule,
			    d.text);
		T_OK(d.level[0] != '\0' && d.rule[0] != '\0');
		if (!r->allow)
			T_OK(d.text[0] != '\0');
	}
	policy_unref(p);
}

TEST(lowest_priority_number_wins_among_groups)
{
	struct policy *p = load(base);
	gid_t gids[] = { 2003, 2002 };
	struct policy_subject s = { .uid = 1001, .gids = gids, .ngids = 2 };
	struct policy_object o = OWN_C("gitlab", "pat");
	struct policy_decision d;

	T_OK(policy_decide(p, &s, ACT_CONN_CREATE, &o, &d));
	T_STR(d.policy, "wide");
	T_STR(d.level, "group");
	policy_unref(p);
}

TEST(the_floor_is_not_widened)
{
	struct policy *p = load("{\"policies\": {\"floor\": {\"shared\": {\"connection_create\":"
	    "\"deny\"}, \"connectors\": {\"github\": {\"enabled\": false}}},"
	    "\"open\": {\"shared\": {\"connection_create\": \"allow\"}, \"connectors\":"
	    "{\"*\": {\"enabled\": true}}}}, \"mandatory\": \"floor\","
	    "\"grants\": [{\"role\": \"automation-developer\", \"to\": [\"everyone\"],"
	    "\"folder\": \"shared/**\"}],"
	    "\"assign\": {\"tenant\": \"open\", \"users\": {\"alice\": \"open\"}}}");
	struct policy_subject s = { .uid = 1001 };
	struct policy_object own = OWN_C("github", "pat"), shared = SHARED_C("shared/a", "gitlab");
	struct policy_decision d;

	T_NOT(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d));
	T_STR(d.level, "floor");
	T_NOT(policy_decide(p, &s, ACT_CONN_CREATE, &shared, &d));
	T_STR(d.level, "floor");
	policy_unref(p);
}

TEST(the_floor_says_whose_app)
{
	struct policy *p = load("{\"policies\": {\"floor\": {\"connectors\": {\"github\":"
	    "{\"byoa\": {\"mode\": \"forbidden\"}}, \"gitlab\": {\"byoa\": {\"mode\":"
	    "\"allowed\", \"app_ref\": \"floor-app\"}}}},"
	    "\"open\": {\"connectors\": {\"*\": {\"enabled\": true, \"byoa\": {\"mode\":"
	    "\"allowed\", \"app_ref\": \"open-app\"}}}}}, \"mandatory\": \"floor\","
	    "\"assign\": {\"tenant\": \"open\"}}");
	struct policy_subject s = { .uid = 1001 };
	struct policy_object own = OWN_C("github", "oauth2_code");
	struct policy_byoa byoa;
	struct policy_decision d;

	T_OK(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d));
	own.byoa = true;
	own.app = "mine";
	T_NOT(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d));
	T_EQ(d.id, ERR_APP_FORBIDDEN);
	T_STR(d.level, "floor");
	policy_byoa(p, &s, "github", &byoa);
	T_EQ(byoa.mode, BYOA_FORBIDDEN);
	T_STR(byoa.app_ref, "open-app");
	policy_byoa(p, &s, "gitlab", &byoa);
	T_EQ(byoa.mode, BYOA_ALLOWED);
	T_STR(byoa.app_ref, "floor-app");
	policy_byoa(p, &s, "google", &byoa);
	T_STR(byoa.app_ref, "open-app");
	policy_unref(p);
}

/* However a connection asks for tokens: the app is what may not be chosen. A legacy type needs its
 * name in the policy besides. */
TEST(an_app_of_ones_own_is_forbidden_for_every_type_that_asks_with_one)
{
	struct policy *p = load("{\"policies\": {\"t\": {\"connectors\": {\"github\": {\"enabled\": true,"
	    "\"auth_types\": [\"oauth2_code\", \"pat\", \"oauth2_client_credentials\","
	    "\"oauth2_password\", \"oauth2_device\", \"jwt_bearer\", \"api_key\", \"basic\","
	    "\"headers\"], \"byoa\": {\"mode\": \"forbidden\"}}}}},"
	    "\"assign\": {\"tenant\": \"t\"}}");
	struct policy_subject s = { .uid = 1001 };

	for (unsigned t = 1; t < AUTH_TYPE_END; t <<= 1) {
		struct policy_object own = OWN_C("github", auth_type_name(t));
		struct policy_decision d;

		T_OK(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d));
		own.byoa = true;
		own.app = "mine";
		T_EQ(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d),
		    !(auth_type_flags(t) & AUTH_NEEDS_APP));
		if (!d.allow)
			T_EQ(d.id, ERR_APP_FORBIDDEN);
	}
	policy_unref(p);
}

TEST(a_lock_of_either_sticks)
{
	struct policy *p = load("{\"policies\": {\"floor\": {\"connectors\": {\"github\":"
	    "{\"byoa\": {\"app_ref\": \"corp\"}}}}, \"team\": {\"connectors\": {\"github\":"
	    "{\"enabled\": true, \"byoa\": {\"app_ref\": \"team\", \"locked\": true, \"scopes\":"
	    "[\"a\"]}}}}}, \"mandatory\": \"floor\", \"assign\": {\"tenant\": \"team\"}}");
	struct policy_subject s = { .uid = 1001 };
	struct policy_byoa byoa;

	policy_byoa(p, &s, "github", &byoa);
	T_STR(byoa.app_ref, "corp");
	T_OK(byoa.locked);		/* the floor does not open what the policy closed */
	T_EQ(byoa.nscopes, 1);
	policy_unref(p);
}

TEST(nothing_at_all_denies)
{
	struct policy *p = load("{}");
	struct policy_subject s = { .uid = 0, .operator = true };
	struct policy_object own = OWN_C("github", "pat"), vault = { 0 };
	struct policy_decision d;

	T_NOT(policy_decide(p, &s, ACT_CONN_CREATE, &own, &d));
	T_OK(policy_decide(p, &s, ACT_POLICY_RELOAD, &vault, &d));
	T_NOT(policy_decide(p, &s, ACT_APP_EDIT, &vault, &d));
	policy_unref(p);
}

TEST(mistakes_say_where_and_what)
{
	static const struct { const char *text, *says; } table[] = {
		{ "{\n  \"polices\": {}}", "p.json:2:3: unknown key 'polices'; did you mean "
		    "'policies'?" },
		{ "{\"policies\": {\"a\": {\"connectors\": {\"github\": {\"client_secret\": "
		    "\"hunter2\"}}}}}", "looks like a secret" },
		{ "{\"policies\": {\"a\": {\"connectors\": {\"githup\": {}}}}}",
		    "there is no connector 'githup'; did you mean 'github'?" },
		{ "{\"policies\": {\"a\": {\"connectors\": {\"github\": {\"auth_types\": []}}}}}",
		    "disable the connector instead" },
		{ "{\"policies\": {\"a\": {\"connectors\": {\"github\": {\"auth_types\": [\"pat\"],"
		    "\"byoa\": {}}}}}}", "`byoa` without a type" },
		{ "{\"policies\": {\"a\": {\"shared\": {\"folder_create\": \"no\"}}}}",
		    "expected allow or deny" },
		{ "{\"assign\": {\"tenant\": \"x\"}}", "p.json:1:23: expected the name of a policy" },
		{ "{\"policies\": {\"a\": {}}, \"assign\": {\"groups\": [{\"group\": \"staff\", "
		    "\"policy\": \"a\", \"priority\": 1}, {\"group\": \"ops\", \"policy\": \"a\","
		    "\"priority\": 1}]}}", "has priority 1 too" },
		{ "{\"grants\": [{\"role\": \"nobody\", \"to\": []}]}", "must name a role" },
		{ "{\"grants\": [{\"role\": \"auditor\", \"to\": [\"al\"]}]}", "expected everyone" },
		{ "{\"grants\": [{\"role\": \"auditor\", \"to\": [\"everyone\"], \"folder\": "
		    "\"shared/*\"}]}", "shared/NAME/**" },
		{ "{\"policies\": {\"a\": {}, \"a\": {}}}", "p.json:" },
		{ "{\"policies\": {\"a\": {\"shared\": {\"except\": [\"role:ghost\"]}}}}",
		    "p.json:1:" },
		{ "{\"policies\": {\"a\": {\"connectors\": {\"github\": {\"byoa\":"
		    "{\"scopes\": [\"a b\"]}}}}}}", "strings of one scope each" },
		{ "[]", "expected an object" },
		{ "{", "p.json:1:" },
	};
	struct policy *p;
	struct err e;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		e = (struct err){ 0 };
		if (parse(table[i].text, &p, &e) == 0)
			fail_msg("accepted: %s", table[i].text);
		T_EQ(e.id, ERR_POLICY_INVALID);
		T_HAS(e.text, table[i].says);
		T_OK(strstr(e.text, "hunter2") == NULL);
	}
}

TEST(all_that_is_wrong_is_told)
{
	struct faults faults = { 0 };
	struct policy_reading all = how;
	struct policy *p;
	struct err e;
	static const char text[] = "{\"policies\": {\n"
	    "\"a\": {\"mode\": \"x\", \"connectors\": {\"githup\": {\"enabled\": 1}}},\n"
	    "\"b\": {\"mood\": \"enforce\"}},\n"
	    "\"grants\": [{\"role\": \"ghost\", \"to\": []}],\n"
	    "\"assign\": {\"tenant\": \"a\", \"users\": {\"alice\": \"b\", \"gina\": \"c\"}}}";
	static const struct { int line; const char *says, *suggestion; } want[] = {
		{ 2, "expected enforce", "" }, { 2, "no connector 'githup'", "github" },
		{ 2, "true or false", "" }, { 3, "unknown key 'mood'", "mode" },
		{ 4, "must name a role", "" }, { 5, "name of a policy", "" },
	};

	all.faults = &faults;
	T_NE(policy_parse("p.json", text, sizeof text - 1, &all, &p, &e), 0);
	T_HAS(e.text, "p.json:2:");
	T_EQ(faults.n, sizeof want / sizeof *want);
	for (size_t i = 0; i < faults.n; i++) {
		T_STR(faults.v[i].file, "p.json");
		T_EQ(faults.v[i].line, want[i].line);
		T_HAS(faults.v[i].message, want[i].says);
		T_STR(faults.v[i].suggestion, want[i].suggestion);
	}
	faults_done(&faults);
}

TEST(unknown_people_are_a_warning)
{
	const struct policy_warning *w;
	struct policy *p = load("{\"assign\": {\"tenant\": null},"
	    "\"grants\": [{\"role\": \"auditor\", \"to\": [\"user:ghost\"]}]}");

	T_EQ(policy_warnings(p, &w), 2);
	T_HAS(w[0].text, "p.json:1:");
	T_HAS(w[0].text, "ghost");
	T_HAS(w[1].text, "who is governance-admin?");
	policy_unref(p);
}

TEST(a_policy_that_nobody_gets_is_a_warning)
{
	const struct policy_warning *w;
	struct policy *p = load("{\"policies\": {\"a\": {}, \"b\": {}, \"floor\": {}},\n"
	    "\"mandatory\": \"floor\", \"assign\": {\"users\": {\"nosuch\": \"a\"}}}");

	T_EQ(policy_warnings(p, &w), 3);
	T_HAS(w[0].text, "there is no user 'nosuch'");
	T_HAS(w[1].text, "p.json:1:29: nobody is assigned policy 'b'");
	policy_unref(p);
	p = load("{\"policies\": {\"a\": {}}, \"assign\": {\"groups\": []}}");
	T_EQ(policy_warnings(p, &w), 2);
	T_HAS(w[0].text, "`assign`");
	policy_unref(p);
}

static void
add_mention(void *arg, const struct policy_mention *m)
{
	char *out = arg;
	size_t n = strlen(out);

	snprintf(out + n, 200 - n, "%s %s;", m->name, m->rule);
}

TEST(what_the_vault_must_have_is_known)
{
	struct policy *p = load("{\"policies\": {\"a\": {\"connectors\": {\"github\":"
	    "{\"byoa\": {\"app_ref\": \"acme\"}}, \"gitlab\": {}}}}, \"grants\": ["
	    "{\"role\": \"auditor\", \"to\": [], \"folder\": \"shared/a/**\"},"
	    "{\"role\": \"auditor\", \"to\": [], \"folder\": \"shared/**\"},"
	    "{\"role\": \"auditor\", \"to\": []},"
	    "{\"role\": \"auditor\", \"to\": [], \"folder\": \"shared/a/b\"}]}");
	char apps[200] = "", folders[200] = "";

	policy_app_refs(p, add_mention, apps);
	T_STR(apps, "acme /policies/a/connectors/github;");
	policy_grant_folders(p, add_mention, folders);
	T_STR(folders, "shared/a /grants/0;shared/a/b /grants/3;");
	policy_unref(p);
}

TEST(shipped_examples_load)
{
	static const char *const files[] = { "policy/examples/strict.json",
		"policy/examples/open.json" };
	static const struct policy_reading plain;
	struct policy *p;
	struct err e = { 0 };

	for (int i = 0; i < 2; i++) {
		T_DO(policy_load_files(&files[i], 1, &plain, &p, &e), e);
		T_EQ(strlen(policy_hash(p)), 64);
		policy_unref(p);
	}
}

int
main(void)
{
	return unit_run();
}
