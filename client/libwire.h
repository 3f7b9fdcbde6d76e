/*
 * libwire.h - the connection of libvaultd: made when needed, calls out, answers in, in
 * order. What is public of it is in vaultd.h; this is shared by the library's own files.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "client/libscan.h"
#include "client/vaultd.h"

#define LIBWIRE_EXPORT __attribute__((visibility("default")))

/* An answer: the text of its parameters, NUL-terminated, borrowed; or NULL and E. */
typedef void libwire_done(void *arg, const char *parameters, size_t len,
    const struct vaultd_error *e);

struct libwire_due {
	struct libwire_due	*next;
	libwire_done		*done;
	bool			 more;	/* answers may come until one does not continue */
	vaultd_done		*user;	/* instead of DONE, for calls of the host program */
	void			*arg;
};

struct libwire_bytes {
	char	*p;
	size_t	 len, cap;
};

struct vaultd {
	char			 path[108];
	int			 fd;
	pid_t			 pid;		/* whose connection fd is */
	unsigned		 epoch;		/* counts connections that ended */
	int			 timeout_ms;
	struct libwire_bytes	 in, out;
	size_t			 seen;		/* bytes of IN that hold no end of a message */
	size_t			 sent;		/* bytes of OUT that are gone */
	bool			 deaf;		/* the vault reads no more; answers may still come */
	bool			 busy;		/* a callback is running */
	bool			 continues;	/* and another answer follows the one it is for */
	bool			 closed;	/* ... and it called vaultd_close() */
	bool			 touched;	/* a byte of the calls under way was sent */
	struct libwire_due	*first, **last;
};

/* Fills E with an error of the library itself. Returns -1. */
int libwire_fail(struct vaultd_error *e, bool retry, const char *owner, const char *advice,
    const char *what, int number);
int libwire_no_memory(struct vaultd_error *e);

/* After fork(2): the parent's connection and calls are not the child's. */
void libwire_after_fork(struct vaultd *v);
/* A connection, the one there is if it lives. 1: the vault's queue is full, for now. */
int libwire_connect(struct vaultd *v, struct vaultd_error *e);
/* Closes, wipes, and answers the calls under way with E (NULL: not at all). */
void libwire_break(struct vaultd *v, const struct vaultd_error *e);

/* Appends a call to what is to be sent. PARAMETERS is an object that was checked. DUE is
 * taken. */
int libwire_queue(struct vaultd *v, const char *method, struct span parameters,
    struct libwire_due due, struct vaultd_error *e);
/* Sends and receives what is possible without waiting. -1: broken; E was given to the
 * calls under way. */
int libwire_turn(struct vaultd *v, struct vaultd_error *e);

/* vaultd_call_more() that may take MS in all; 0 is for ever. libvaultd.c */
int libwire_more(struct vaultd *v, const char *method, const char *parameters, vaultd_each *each,
    void *arg, int ms, struct vaultd_error *e);

void libwire_wipe_free(char *p, size_t n);
