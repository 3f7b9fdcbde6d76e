/* Policy files: any bytes; what loads is asked. */
#include "policy/policy.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool
user(const char *name, uid_t *ret)
{
	*ret = 1000 + (uid_t)strlen(name);
	return true;
}

static bool
group(const char *name, gid_t *ret)
{
	*ret = 2000 + (gid_t)strlen(name);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct policy_names names = { user, group };
	static const char *const connectors[] = { "github", "gitlab" };
	struct faults faults = { 0 };
	struct policy_reading how = { .names = &names, .connectors = connectors, .nconnectors = 2,
		.faults = &faults };
	struct policy_subject s = { .uid = 1005 };
	struct policy_object o = { .class = FOLDER_SHARED, .folder = "shared/a/b",
		.connector = "github", .auth_type = "oauth2_code" };
	struct policy_decision d;
	struct policy *policy;
	struct err e;

	if (policy_parse("f.json", (const char *)p, n, &how, &policy, &e) != 0) {
		faults_done(&faults);
		return 0;
	}
	for (enum policy_action a = ACT_NONE + 1; a < ACT_MAX; a++)
		policy_decide(policy, &s, a, &o, &d);
	policy_unref(policy);
	return 0;
}
