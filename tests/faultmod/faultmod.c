/*
 * faultmod.c - a PKCS#11 module for tests that passes calls on to a real one and
 * misbehaves on demand, while vault-hsm runs.
 *
 * $FAULTMOD_REAL is the real module, $FAULTMOD_CTL a control file that is read again
 * whenever it changed (write a new one and rename it over). Lines:
 *
 *	log PATH			one line per call: name, result, what was injected
 *	rule FUNCTIONS ACTION [skip=N] [count=N]
 *
 * FUNCTIONS are names with shell wildcards, separated by commas; the first rule that
 * fits acts. skip=N lets the first N calls pass, count=N ends the rule after N. Actions:
 *
 *	rv=NAME		that is returned (CKR_ may be left out), nothing is called
 *	rvafter=NAME	the real function is called, and then that is returned
 *	delay=MS	sleeps, then calls
 *	hang		never returns
 *	crash		the process is killed by SIGSEGV
 *	kill		the process is killed by SIGKILL
 *	gone=NAME	that, for every call from now on, until C_Initialize
 *	flags=N		C_GetTokenInfo: the token flags get these bits (0x...) as well
 *	sameiv		C_Encrypt returns the same bytes again and again
 *
 * No data is logged. Only what vault-hsm calls is wrapped; the rest goes straight on.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define RULES 16

enum action { RV = 1, RVAFTER, DELAY, HANG, CRASH, KILL, GONE, FLAGS, SAMEIV };

struct rule {
	char		functions[120];
	enum action	action;
	unsigned long	value;		/* CK_RV, milliseconds, flags */
	long		skip, count;	/* count -1 = for ever */
};

static struct {
	CK_FUNCTION_LIST	*real;
	CK_FUNCTION_LIST	 list;
	struct stat		 seen;
	char			 log[256];
	struct rule		 rule[RULES];
	size_t			 n;
	CK_RV			 gone;
	unsigned char		 kept[256];
	CK_ULONG		 kept_len;
} fm;

#define R(x) { #x, CKR_##x }
static const struct {
	const char	*name;
	CK_RV		 rv;
} names[] = {
	R(OK), R(HOST_MEMORY), R(GENERAL_ERROR), R(FUNCTION_FAILED), R(ARGUMENTS_BAD),
	R(CANT_LOCK), R(ATTRIBUTE_TYPE_INVALID), R(DEVICE_ERROR), R(DEVICE_MEMORY),
	R(DEVICE_REMOVED), R(ENCRYPTED_DATA_INVALID), R(KEY_HANDLE_INVALID),
	R(OBJECT_HANDLE_INVALID), R(MECHANISM_INVALID), R(OPERATION_ACTIVE), R(PIN_INCORRECT),
	R(PIN_LOCKED), R(SESSION_CLOSED), R(SESSION_HANDLE_INVALID), R(TOKEN_NOT_PRESENT),
	R(USER_NOT_LOGGED_IN), R(USER_PIN_NOT_INITIALIZED), R(CRYPTOKI_NOT_INITIALIZED),
	R(TEMPLATE_INCONSISTENT), R(BUFFER_TOO_SMALL), R(FUNCTION_NOT_SUPPORTED),
};
#undef R

static CK_RV
rv_of(const char *s)
{
	if (strncmp(s, "CKR_", 4) == 0)
		s += 4;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(s, names[i].name) == 0)
			return names[i].rv;
	return strtoul(s, NULL, 0);
}

/* ---- control file */

static bool
set_action(struct rule *r, const char *word)
{
	static const struct {
		const char	*name;
		enum action	 action;
		bool		 rv;
	} rows[] = { { "rv=", RV, true }, { "rvafter=", RVAFTER, true },
		{ "delay=", DELAY, false }, { "hang", HANG, false }, { "crash", CRASH, false },
		{ "kill", KILL, false }, { "gone=", GONE, true }, { "flags=", FLAGS, false },
		{ "sameiv", SAMEIV, false } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].name);

		if (strncmp(word, rows[i].name, n) != 0)
			continue;
		r->action = rows[i].action;
		r->value = rows[i].rv ? rv_of(word + n) : strtoul(word + n, NULL, 0);
		return true;
	}
	return false;
}

static void
read_rule(char *line)
{
	struct rule *r = &fm.rule[fm.n];
	char *save, *word = strtok_r(line, " \n", &save);

	*r = (struct rule){ .count = -1 };
	if (word == NULL || fm.n == RULES)
		return;
	snprintf(r->functions, sizeof r->functions, "%s", word);
	while ((word = strtok_r(NULL, " \n", &save)) != NULL)
		if (sscanf(word, "skip=%ld", &r->skip) != 1 &&
		    sscanf(word, "count=%ld", &r->count) != 1 && !set_action(r, word))
			fprintf(stderr, "faultmod: unknown word %s\n", word);
	fm.n += r->action != 0;
}

static void
read_control(void)
{
	const char *path = getenv("FAULTMOD_CTL");
	struct stat st = { 0 };
	char line[512];
	FILE *f;

	if (path == NULL || stat(path, &st) != 0 ||
	    (st.st_ino == fm.seen.st_ino && st.st_size == fm.seen.st_size &&
	    st.st_mtim.tv_sec == fm.seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == fm.seen.st_mtim.tv_nsec) ||
	    (f = fopen(path, "re")) == NULL)
		return;
	fm.seen = st;
	fm.n = 0;
	fm.log[0] = '\0';
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "log ", 4) == 0)
			sscanf(line + 4, "%255s", fm.log);
		else if (strncmp(line, "rule ", 5) == 0)
			read_rule(line + 5);
	}
	fclose(f);
}

static void
note(const char *fn, const char *what, CK_RV rv)
{
	char line[160];
	int fd, n;

	if (fm.log[0] == '\0')
		return;
	n = snprintf(line, sizeof line, "%d %s 0x%lx %s\n", (int)getpid(), fn,
	    (unsigned long)rv, what);
	fd = open(fm.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0) {
		(void)!write(fd, line, (size_t)n);
		close(fd);
	}
}

/* ---- what a call meets before and after the real function */

static bool
fits(const char *list, const char *fn)
{
	char copy[120], *save;

	snprintf(copy, sizeof copy, "%s", list);
	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save))
		if (fnmatch(p, fn, 0) == 0)
			return true;
	return false;
}

static struct rule *
rule_for(const char *fn)
{
	for (size_t i = 0; i < fm.n; i++) {
		struct rule *r = &fm.rule[i];

		if (!fits(r->functions, fn) || r->count == 0)
			continue;
		if (r->skip > 0) {
			r->skip--;
			continue;
		}
		if (r->count > 0)
			r->count--;
		return r;
	}
	return NULL;
}

static void
end_process(const char *fn, const struct rule *r)
{
	note(fn, "end", 0);
	if (r->action == HANG)
		for (;;)
			pause();
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), r->action == KILL ? SIGKILL : SIGSEGV);
	pause();
}

/* True: the real function is not called, *RV is the answer. */
static bool
before(const char *fn, const struct rule **ret_rule, CK_RV *rv)
{
	struct rule *r;

	read_control();
	if (strcmp(fn, "C_Initialize") == 0)
		fm.gone = 0;
	r = fm.gone != 0 ? NULL : rule_for(fn);
	*ret_rule = r;
	*rv = fm.gone;
	if (r == NULL)
		return fm.gone != 0;
	switch (r->action) {
	case GONE:
		fm.gone = r->value;
		/* fallthrough */
	case RV:
		*rv = r->value;
		return true;
	case DELAY:
		usleep((unsigned)r->value * 1000);
		return false;
	case HANG:
	case CRASH:
	case KILL:
		end_process(fn, r);
		return false;
	default:
		return false;
	}
}

#define WRAP(fn, params, args)                                                           \
	static CK_RV my_##fn params                                                      \
	{                                                                                \
		const struct rule *rule;                                                 \
		CK_RV rv;                                                                \
		bool done = before(#fn, &rule, &rv);                                     \
		if (!done)                                                               \
			rv = fm.real->fn args;                                           \
		if (!done && rule != NULL && rule->action == RVAFTER)                    \
			rv = rule->value;                                                \
		note(#fn, rule == NULL ? "" : "injected", rv);                           \
		return rv;                                                               \
	}

#define S CK_SESSION_HANDLE s

WRAP(C_Initialize, (CK_VOID_PTR a), (a))
WRAP(C_GetSlotList, (CK_BBOOL p, CK_SLOT_ID_PTR l, CK_ULONG_PTR n), (p, l, n))
WRAP(C_GetMechanismInfo, (CK_SLOT_ID id, CK_MECHANISM_TYPE t, CK_MECHANISM_INFO_PTR i),
    (id, t, i))
WRAP(C_OpenSession, (CK_SLOT_ID id, CK_FLAGS f, CK_VOID_PTR a, CK_NOTIFY n,
    CK_SESSION_HANDLE_PTR h), (id, f, a, n, h))
WRAP(C_CloseSession, (S), (s))
WRAP(C_GetSessionInfo, (S, CK_SESSION_INFO_PTR i), (s, i))
WRAP(C_Login, (S, CK_USER_TYPE u, CK_UTF8CHAR_PTR p, CK_ULONG n), (s, u, p, n))
WRAP(C_FindObjectsInit, (S, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, t, n))
WRAP(C_FindObjects, (S, CK_OBJECT_HANDLE_PTR h, CK_ULONG m, CK_ULONG_PTR n), (s, h, m, n))
WRAP(C_FindObjectsFinal, (S), (s))
WRAP(C_GetAttributeValue, (S, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_PTR t, CK_ULONG n),
    (s, o, t, n))
WRAP(C_CopyObject, (S, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_PTR t, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR h), (s, o, t, n, h))
WRAP(C_DestroyObject, (S, CK_OBJECT_HANDLE o), (s, o))
WRAP(C_GenerateKey, (S, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR h), (s, m, t, n, h))
WRAP(C_GenerateKeyPair, (S, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG n,
    CK_ATTRIBUTE_PTR t2, CK_ULONG n2, CK_OBJECT_HANDLE_PTR h, CK_OBJECT_HANDLE_PTR h2),
    (s, m, t, n, t2, n2, h, h2))
WRAP(C_CreateObject, (S, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR h), (s, t, n, h))
WRAP(C_SignInit, (S, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (s, m, k))
WRAP(C_Sign, (S, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR m),
    (s, in, n, out, m))
WRAP(C_EncryptInit, (S, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (s, m, k))
WRAP(C_DecryptInit, (S, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (s, m, k))
WRAP(C_Decrypt, (S, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR m),
    (s, in, n, out, m))

static CK_RV
my_C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO_PTR info)
{
	const struct rule *rule;
	CK_RV rv;
	bool done = before("C_GetTokenInfo", &rule, &rv);

	if (!done)
		rv = fm.real->C_GetTokenInfo(id, info);
	if (!done && rule != NULL && rule->action == FLAGS)
		info->flags |= rule->value;
	note("C_GetTokenInfo", rule == NULL ? "" : "injected", rv);
	return rv;
}

static CK_RV
my_C_Encrypt(S, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR m)
{
	const struct rule *rule;
	CK_RV rv;
	bool done = before("C_Encrypt", &rule, &rv);

	if (!done)
		rv = fm.real->C_Encrypt(s, in, n, out, m);
	if (!done && rule != NULL && rule->action == RVAFTER)
		rv = rule->value;
	if (!done && rule != NULL && rule->action == SAMEIV && rv == CKR_OK &&
	    *m <= sizeof fm.kept) {
		if (fm.kept_len != *m)
			memcpy(fm.kept, out, fm.kept_len = *m);
		memcpy(out, fm.kept, *m);
	}
	note("C_Encrypt", rule == NULL ? "" : "injected", rv);
	return rv;
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ret)
{
	const char *path = getenv("FAULTMOD_REAL");
	void *so = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *sym = so == NULL ? NULL : dlsym(so, "C_GetFunctionList");
	CK_C_GetFunctionList get;

	memcpy(&get, &sym, sizeof get);
	if (sym == NULL || get(&fm.real) != CKR_OK) {
		fprintf(stderr, "faultmod: $FAULTMOD_REAL is no module\n");
		return CKR_GENERAL_ERROR;
	}
	fm.list = *fm.real;
	fm.list.C_GetFunctionList = C_GetFunctionList;
#define SET(fn) fm.list.fn = my_##fn
	SET(C_Initialize);
	SET(C_GetSlotList);
	SET(C_GetTokenInfo);
	SET(C_GetMechanismInfo);
	SET(C_OpenSession);
	SET(C_CloseSession);
	SET(C_GetSessionInfo);
	SET(C_Login);
	SET(C_FindObjectsInit);
	SET(C_FindObjects);
	SET(C_FindObjectsFinal);
	SET(C_GetAttributeValue);
	SET(C_CopyObject);
	SET(C_DestroyObject);
	SET(C_GenerateKey);
	SET(C_GenerateKeyPair);
	SET(C_CreateObject);
	SET(C_SignInit);
	SET(C_Sign);
	SET(C_EncryptInit);
	SET(C_Encrypt);
	SET(C_DecryptInit);
	SET(C_Decrypt);
	*ret = &fm.list;
	return CKR_OK;
}
