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
 * A struct vaultd belongs to one thread at a time; a program may have many. There is no
 * global state; no signal is raised or touched; no allocator is replaced. What the library
 * holds of a token it wipes. After fork(2) the child may go on with the same struct: it
 * makes a connection of its own, and the parent's is left alone.
 *
 * Functions that return int return 0, or -1 with the error filled in; then nothing else
 * was written. Strings are UTF-8. A call is at most 256 KiB, nested at most 16 deep.
 */
#ifndef VAULTD_H
#define VAULTD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vaultd;

/*
 * What went wrong, whose move it is, and the next step. Fixed size, nothing to free; texts
 * are cut to fit. Decide by name and retry, show message and advice.
 */
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
 * Prepares to talk to the vault at PATH; NULL or "" is $VAULTD_SOCKET, or else
 * /run/vaultd/vaultd.sock. Connects with the first call. *RET is the caller's, who closes
 * it. Errors: out of memory; a path over 107 bytes.
 */
int vaultd_open(const char *path, struct vaultd **ret, struct vaultd_error *e);

/* Frees V and wipes its buffers; calls under way get no answer. NULL is fine, and so is
 * calling it from a callback. */
void vaultd_close(struct vaultd *v);

/*
 * How long a blocking call may take in all, in milliseconds; 0 or less is for ever. The
 * default is 180000, because a refresh may wait for a slow provider. A call that ends by
 * it has the retry bit, and its outcome is unknown.
 */
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
 * that lives at least MIN_TTL seconds, at most ten years; 0 leaves that to the vault.
 * Blocks while the vault refreshes. Asking changes nothing, so a connection that breaks
 * is made anew and the call repeated, once. *RET is the caller's, who calls
 * vaultd_token_done(). Errors: vaultd.Vault.NotFound (also for what the caller may not
 * see), those of vaultd.Tokens, and without a name those of the library: no vault there,
 * no answer in time, out of memory.
 */
int vaultd_token_get(struct vaultd *v, const char *connection, int64_t min_ttl,
    struct vaultd_token *ret, struct vaultd_error *e);

/*
 * The same after an API answered 401 to the token of GENERATION: the vault renews it,
 * unless that has happened already. Never call it in a loop: when the next token is
 * refused too, it is not the token.
 */
int vaultd_token_refused(struct vaultd *v, const char *connection, int64_t generation,
    struct vaultd_token *ret, struct vaultd_error *e);

/* Wipes and frees the strings of T, not T itself. A zeroed one is fine. */
void vaultd_token_done(struct vaultd_token *t);

/*
 * Any method of the protocol: PARAMETERS is a JSON object as text, or NULL for none. *RET
 * gets the answer's parameters as text, to be freed with vaultd_free(). When vaultd was
 * restarted since the last call, the connection is made anew; when it breaks while the
 * call is under way, the outcome is unknown and the call is not repeated. Errors: any the
 * method has; of the library: not a method's name, not an object, and those above.
 */
int vaultd_call(struct vaultd *v, const char *method, const char *parameters, char **ret,
    struct vaultd_error *e);

/*
 * A method that goes on answering, such as vaultd.Events.Follow: EACH gets the parameters of
 * every answer as text (borrowed, wiped afterwards), until it returns false, or the vault ends
 * the call. The timeout is for the first answer; for those behind it the call waits as long as
 * it takes. When EACH ended it, the connection is closed, and the next call makes another. EACH
 * must not use V. Returns 0 when EACH or the vault ended it. Errors: as above; when the
 * connection breaks, with the retry bit.
 */
typedef bool vaultd_each(void *arg, const char *parameters);
int vaultd_call_more(struct vaultd *v, const char *method, const char *parameters,
    vaultd_each *each, void *arg, struct vaultd_error *e);

/*
 * Returns when CONNECTION can be used: it is connected, or degraded with a token that lives. Waits
 * at most TIMEOUT_MS, 0 or less for ever; through restarts of the vault, and also when nobody but a
 * person can make it usable. WAITING (may be NULL) is told why it is not, whose move it is and the
 * next step (borrowed), when the waiting begins and whenever that changes; it must not use V. Nothing
 * is asked again and again: the vault tells of changes. Errors: vaultd.Vault.NotFound, also of one that
 * is deleted meanwhile; out of time, with the retry bit: what was waited for, as WAITING was told.
 */
typedef void vaultd_waiting(void *arg, const struct vaultd_error *why);
int vaultd_wait(struct vaultd *v, const char *connection, int timeout_ms,
    vaultd_waiting *waiting, void *arg, struct vaultd_error *e);

/* Wipes and frees a text of vaultd_call(). NULL is fine. */
void vaultd_free(char *text);

/*
 * For programs with a loop of their own. vaultd_send() queues a call; then wait for
 * vaultd_events() on vaultd_fd() (level-triggered) and call vaultd_dispatch(), which sends
 * and receives what it can without waiting and runs DONE for each answer, in the order of
 * the calls: with the parameters as text (borrowed, wiped afterwards), or NULL and E
 * (borrowed). There is no timeout: close, and calls under way are forgotten.
 *
 * A callback may call vaultd_send() and vaultd_close(). Blocking calls fail while answers
 * are due: have another struct vaultd for them.
 */
typedef void vaultd_done(void *arg, const char *parameters, const struct vaultd_error *e);

/* Returns 0 when DONE will be called once, by vaultd_dispatch(). Errors: as above; when the
 * vault is too busy to let us in, at once and with the retry bit. */
int vaultd_send(struct vaultd *v, const char *method, const char *parameters,
    vaultd_done *done, void *arg, struct vaultd_error *e);

/* The descriptor to wait for, -1 when there is no connection. It changes when the
 * connection is made anew: ask each time. */
int vaultd_fd(struct vaultd *v);

/* What to wait for: POLLIN, and POLLOUT while there is something to send. */
short vaultd_events(struct vaultd *v);

/* -1 with E when the connection broke: the calls under way were answered with E, and the
 * next vaultd_send() makes a new connection. */
int vaultd_dispatch(struct vaultd *v, struct vaultd_error *e);

#ifdef __cplusplus
}
#endif
#endif
