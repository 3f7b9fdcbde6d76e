/*
 * names.h - uid to user name, asked in a thread of its own: a name service may block for
 * seconds, the loop may not. Answers are kept for NAME_LIFE_MS, or until names_flush() (policy
 * reload): a uid that was given to somebody else is known as soon.
 */
#pragma once

#include <sys/types.h>

#include "common/err.h"

struct event_base;
struct names;

int names_new(struct event_base *base, struct names **ret, struct err *e);

#define NAME_MAX	64	/* with its NUL */
#define NAME_LIFE_MS	10000

/* The name kept for UID ("uid-N" when it has none), or NULL: not asked, or too long ago. */
const char *names_find(const struct names *n, uid_t uid);
/* DONE(ARG) on the loop once names_find() has an answer, or the name service could not say. */
void names_ask(struct names *n, uid_t uid, void (*done)(void *arg), void *arg);
void names_flush(struct names *n);
/* Runs FN(ARG) in the same thread, then DONE(ARG) on the loop: for a policy reload,
 * which looks names up too. */
void names_run(struct names *n, void (*fn)(void *arg), void (*done)(void *arg), void *arg);
