/*
 * libwire.h - the JSON that libvaultd needs, in place: tokens are looked at where they
 * were received, so that no copy is left behind in memory that nobody wipes. Only
 * libvaultd*.c uses it; nothing here is exported.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed text. */
struct span {
	const char	*p;
	size_t		 n;
};

/* Owned text, NUL ended while p is not NULL; wiped when it moves and when it goes. */
struct text {
	char	*p;
	size_t	 len, cap;
};

/* S is one well-formed object: UTF-8, no \u0000, at most 32 levels. The functions below
 * may be asked about such objects only. */
bool wire_object(struct span s);
/* The next member of OBJECT: *AT starts as NULL. KEY comes without its quotes, as it is
 * written. FALSE: no more. */
bool wire_next(struct span object, const char **at, struct span *key, struct span *value);
bool wire_find(struct span object, const char *key, struct span *ret);
bool wire_is(struct span s, const char *word);

/* A string's value in memory of its own (free, after wiping). NULL: not a string, or out
 * of memory. */
char *wire_string(struct span value);
/* The same into TO, cut at a character if too long; "" when it is not a string. */
void wire_cut(struct span value, char *to, size_t cap);
/* 0 when it is not an integer that fits. */
int64_t wire_int(struct span value);

/* FALSE: out of memory; what was there stays. */
bool text_add(struct text *t, const char *p, size_t n);
bool text_puts(struct text *t, const char *s);
/* As a JSON string, quotes included. FALSE: not UTF-8, or out of memory. */
bool text_quote(struct text *t, const char *s);
/* Room for MORE bytes and a NUL behind len. */
bool text_room(struct text *t, size_t more);
void text_done(struct text *t);
