/*
 * test-libwait.c - vaultd_wait() against a player of vaultd that has a script: what is asked on which
 * connection, and what is answered.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/vaultd.h"
#include "tests/unit.h"

#define STATE(state, more) "{\"parameters\":{\"connection\":{\"id\":\"c0ffee\"," \
	"\"path\":\"personal/x\",\"state\":\"" state "\"" more "}}}"
#define NOTHING_YET "{\"parameters\":{\"events\":[],\"last\":4},\"continues\":true}"
#define AN_EVENT "{\"parameters\":{\"events\":[{\"type\":\"x\"}],\"last\":5},\"continues\":true}"
#define PENDING STATE("pending_auth", "")
#define REVOKED STATE("disconnected", ",\"cause\":\"vaultd.Tokens.GrantRevoked\"," \
	"\"cause_text\":\"the user withdrew it\",\"cause_owner\":\"caller\",\"advice\":\"Reconnect.\"")
#define SHOW "Connections.Show"
#define FOLLOW "Events.Follow"
#define HANG_UP "hang up"

/* On the N-th connection CALL is heard (NULL: nothing), then SAY is said, or it is closed. */
struct step { int line; const char *call, *say; };

struct player {
	char			 dir[64], path[96];
	int			 fd, line[4];
	const struct step	*steps;
	pthread_t		 thread;
	char			 wrong[700];	/* what was heard instead */
	char			 told[700];
};

static void
hear(struct player *p, const struct step *s)
{
	char text[512] = "";
	size_t n = 0;

	while (n + 1 < sizeof text && recv(p->line[s->line], text + n, 1, 0) == 1 && text[n] != '\0')
		n++;
	if (strstr(text, s->call) == NULL && p->wrong[0] == '\0')
		snprintf(p->wrong, sizeof p->wrong, "%s instead of %s", text, s->call);
}

static void *
play(void *arg)
{
	struct player *p = arg;

	for (const struct step *s = p->steps; s->say != NULL; s++) {
		if (p->line[s->line] < 0)
			p->line[s->line] = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
		if (s->call != NULL)
			hear(p, s);
		if (strcmp(s->say, HANG_UP) != 0) {
			(void)!send(p->line[s->line], s->say, strlen(s->say) + 1, MSG_NOSIGNAL);
		} else {
			close(p->line[s->line]);
			p->line[s->line] = -1;
		}
	}
	return NULL;
}

static struct vaultd *
start(struct player *p, const struct step *steps)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct vaultd_error e;
	struct vaultd *v;

	*p = (struct player){ .steps = steps, .line = { -1, -1, -1, -1 } };
	unit_dir("libwait", p->dir);
	snprintf(p->path, sizeof p->path, "%s/s", p->dir);
	strcpy(sa.sun_path, p->path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	T_EQ(bind(p->fd, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(listen(p->fd, 8), 0);
	T_EQ(pthread_create(&p->thread, NULL, play, p), 0);
	T_EQ(vaultd_open(p->path, &v, &e), 0);
	return v;
}

static void
stop(struct player *p, struct vaultd *v)
{
	vaultd_close(v);
	pthread_join(p->thread, NULL);
	T_STR(p->wrong, "");
	for (int i = 0; i < 4; i++)
		if (p->line[i] >= 0)
			close(p->line[i]);
	close(p->fd);
}

static void
note(void *arg, const struct vaultd_error *why)
{
	struct player *p = arg;
	size_t n = strlen(p->told);

	snprintf(p->told + n, sizeof p->told - n, "%s (%s, %s);", why->message, why->owner,
	    why->advice);
}

TEST(promise_10_what_is_usable_is_not_waited_for)
{
	static const struct step steps[] = { { 0, SHOW, STATE("connected", "") }, { 0 } };
	static const struct step worse[] = { { 0, SHOW, STATE("degraded", ",\"expires\":4000000000") },
		{ 0 } };
	struct vaultd_error e;
	struct player p;
	struct vaultd *v = start(&p, steps);

	T_EQ(vaultd_wait(v, "x", 5000, note, &p, &e), 0);
	T_STR(p.told, "");
	stop(&p, v);
	v = start(&p, worse);
	T_EQ(vaultd_wait(v, "x", 5000, NULL, NULL, &e), 0);
	stop(&p, v);
}

TEST(promise_10_events_say_when_to_look_and_the_reason_is_told_when_it_changes)
{
	static const struct step steps[] = {
		{ 0, SHOW, PENDING }, { 1, FOLLOW "\",\"parameters\":{\"connection\":\"c0ffee\"}",
		    NOTHING_YET }, { 0, SHOW, PENDING },
		{ 1, NULL, AN_EVENT }, { 0, "\"c0ffee\"", REVOKED },
		{ 1, NULL, AN_EVENT }, { 0, SHOW, REVOKED },
		{ 1, NULL, AN_EVENT }, { 0, SHOW, STATE("degraded", ",\"expires\":1") },
		{ 1, NULL, AN_EVENT }, { 0, SHOW, STATE("connected", "") }, { 0 } };
	struct vaultd_error e;
	struct player p;
	struct vaultd *v = start(&p, steps);

	T_EQ(vaultd_wait(v, "x", 0, note, &p, &e), 0);
	T_STR(p.told, "nobody has signed in for personal/x yet (caller, End the sign-in that was "
	    "begun, or begin: `vaultctl connection reconnect personal/x`.);"
	    "personal/x is disconnected: the user withdrew it (caller, Reconnect.);"
	    "personal/x is degraded (caller, );");
	stop(&p, v);
}

TEST(promise_10_out_of_time_says_what_was_waited_for)
{
	static const struct step steps[] = { { 0, SHOW, REVOKED }, { 1, FOLLOW, NOTHING_YET },
		{ 0, SHOW, REVOKED }, { 0 } };
	struct vaultd_error e;
	struct player p;
	struct vaultd *v = start(&p, steps);

	T_EQ(vaultd_wait(v, "x", 300, NULL, NULL, &e), -1);
	T_STR(e.name, "vaultd.Tokens.GrantRevoked");
	T_HAS(e.message, "the user withdrew it");
	T_STR(e.advice, "Reconnect.");
	T_OK(e.retry);
	stop(&p, v);
}

TEST(promise_10_a_restart_is_waited_through_and_what_is_gone_is_told)
{
	static const struct step steps[] = {
		{ 0, SHOW, PENDING }, { 1, FOLLOW, NOTHING_YET }, { 0, SHOW, PENDING },
		{ 0, NULL, HANG_UP }, { 1, NULL, HANG_UP },
		{ 2, FOLLOW, NOTHING_YET }, { 3, SHOW, PENDING },
		{ 2, NULL, AN_EVENT }, { 3, SHOW, "{\"error\":\"vaultd.Vault.NotFound\","
		    "\"parameters\":{\"message\":\"gone\",\"retry\":false}}" }, { 0 } };
	struct vaultd_error e;
	struct player p;
	struct vaultd *v = start(&p, steps);

	T_EQ(vaultd_wait(v, "x", 20000, note, &p, &e), -1);
	T_STR(e.name, "vaultd.Vault.NotFound");
	T_HAS(p.told, "the connection to vaultd broke");
	stop(&p, v);
}

int
main(void)
{
	return unit_run();
}
