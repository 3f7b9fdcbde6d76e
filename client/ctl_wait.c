/*
 * ctl_wait.c - vaultctl connection wait.
 */
#include <stdio.h>
#include <string.h>

#include "client/ctl.h"

static void
waiting(void *arg, const struct vaultd_error *why)
{
	struct ctl *c = arg;

	if (c->json)
		return;
	ctl_say(stderr, "waiting: %s\n", why->message);
	if (why->advice[0] != '\0')
		ctl_say(stderr, "next   %s\n", why->advice);
	ctl_say(stderr, "move   %s\n", ctl_owner(why->owner));
}

static int
wait_for(struct ctl *c)
{
	long long seconds;

	if (ctl_number(c, "timeout", 1, &seconds) != 0)
		return EX_USE;
	if (seconds > 1000000)
		return ctl_fail(c, EX_USE, "--timeout is at most 1000000; without it there is no end");
	if (vaultd_wait(c->v, c->arg[0], (int)(seconds * 1000), waiting, c, &c->error) == 0) {
		if (c->json)
			return ctl_print_connection(c, ctl_call(c, "vaultd.Connections.Show",
			    json_pack("{s:s}", "connection", c->arg[0])));
		ctl_say(stdout, "%s can be used\n", c->arg[0]);
		return EX_OK;
	}
	ctl_print_error(c);
	return c->error.retry ? EX_ABORTED : ctl_exit_of(&c->error);
}

const struct command commands_wait[] = {
	{ "connection wait", "CONNECTION", 1, 1, "timeout=", "wait until it can be used",
	    "Says why it cannot be, and whose move it is. Exit status 7: out of time.\n"
	    "  --timeout SECONDS    at most so long; without it there is no end\n\n"
	    "  vaultctl connection wait github --timeout 60 && vaultctl exec github -- ./sync\n",
	    wait_for },
	{ 0 },
};
