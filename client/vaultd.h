/*
 * vaultd.h - talk to vaultd: give me a valid token.
 *
 *	struct vaultd *v;
 *	struct vaultd_token t;
 *	struct vaultd_error e;
 *
 *	if (vaultd_open(NULL, &v, &e) != 0 ||
 *	    vaultd_token_get(v, "github", 0, &t, &e) != 0)
 *		errx(1, "%s (%s)", e.message, e.advice);
 *	use(t.access_token);
 *	vaultd_token_done(&t);
 *	vaultd_close(v);
 *
 * A struct vaultd belongs to one thread at a time. There is no global state; no signal is
 * touched; no allocator is replaced. After fork(2) the child may go on with the same
 * struct: it makes a connection of its own, and the parent's is left alone.
 */
#ifndef VAULTD_H
#define VAULTD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vaultd;

/* What went wrong, whose move it is, and the next step. Fixed size, nothing to free. */
struct vaultd_error {
	char	name[96];	/* "vaultd.Tokens.GrantRevoked"; "" for errors of the library */
	char	message[400];	/* what was wrong */
	char	owner[16];	/* caller, admin, provider, appliance */
	char	advice[320];	/* the next step */
	char	trace[24];	/* names the call in the vault's log and audit */
	char	details[1024];	/* the error's other members, a JSON object */
	bool	retry;		/* the same call may work later */
};

/*
 * Prepares to talk to the vault at PATH; NULL is $VAULTD_SOCKET, or else
 * /run/vaultd/vaultd.sock. Connects with the first call. 0, or -1 with E (out of memory,
 * path too long). The caller closes.
 */
int vaultd_open(const char *path, struct vaultd **ret, struct vaultd_error *e);
/* Frees V and wipes its buffers. NULL is fine. */
void vaultd_close(struct vaultd *v);

/* How long a blocking call may take, in milliseconds; 0 for ever. Default 180000: a
 * refresh may wait for a slow provider. */
void vaultd_timeout(struct vaultd *v, int ms);

/* An access token. Strings are owned by it; vaultd_token_done() wipes and frees them. */
struct vaultd_token {
	char	*access_token;
	char	*token_type;	/* "Bearer" */
	char	*scope;		/* "" when the provider does not say */
	char	*api_base;	/* NULL when the connector knows none */
	char	*connection;	/* id */
	int64_t	 expires;	/* seconds since 1970; 0: does not expire */
	int64_t	 generation;	/* counts the tokens of this connection */
};

/*
 * A token of CONNECTION (an id, "folder/name", or a name in the caller's own workspace)
 * that lives at least MIN_TTL seconds; 0 leaves that to the vault. Blocks while the vault
 * refreshes. A connection that was lost before is made anew, once. 0, or -1 with E.
 */
int vaultd_token_get(struct vaultd *v, const char *connection, int64_t min_ttl,
    struct vaultd_token *ret, struct vaultd_error *e);
/* The same after an API answered 401 to the token of GENERATION: the vault renews it,
 * unless that has happened already. */
int vaultd_token_refused(struct vaultd *v, const char *connection, int64_t generation,
    struct vaultd_token *ret, struct vaultd_error *e);
void vaultd_token_done(struct vaultd_token *t);

/*
 * Any method: PARAMETERS is a JSON object as text, or NULL. *RET gets the answer's
 * parameters as text, to be freed with vaultd_free(), which wipes. 0, or -1 with E. The
 * call is not repeated when the connection breaks while it is under way.
 */
int vaultd_call(struct vaultd *v, const char *method, const char *parameters, char **ret,
    struct vaultd_error *e);
void vaultd_free(char *text);

/*
 * For programs with a loop of their own. vaultd_send() queues a call; then wait for
 * vaultd_events() on vaultd_fd() and call vaultd_dispatch(), which sends, receives, and
 * runs DONE for each answer, in the order of the calls: with the parameters as text
 * (borrowed, wiped afterwards), or NULL and E. The descriptor changes when the connection
 * is made anew: ask each time. Do not mix with blocking calls while answers are due.
 */
typedef void vaultd_done(void *arg, const char *parameters, const struct vaultd_error *e);
int vaultd_send(struct vaultd *v, const char *method, const char *parameters,
    vaultd_done *done, void *arg, struct vaultd_error *e);
int vaultd_fd(struct vaultd *v);		/* -1: nothing is under way */
short vaultd_events(struct vaultd *v);		/* POLLIN, POLLOUT */
/* 0, or -1 with E when the connection broke: the calls under way were answered with E. */
int vaultd_dispatch(struct vaultd *v, struct vaultd_error *e);

#ifdef __cplusplus
}
#endif
#endif
