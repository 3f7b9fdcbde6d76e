/*
 * libscan.h - JSON read in place: what libvaultd sends and receives holds tokens, and a
 * parser that copies leaves copies behind. Nothing here allocates but libscan_text().
 *
 * The rules are those of the protocol: UTF-8, no key twice, no \u0000, numbers that fit,
 * a bound on depth. Internal to libvaultd.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes of a message. */
struct span {
	const char	*p;
	size_t		 len;
};

#define LIBSCAN_DEPTH 16

/* Is TEXT one object by the rules, nested at most DEPTH deep? All below is for text that
 * passed. */
bool libscan_object(struct span text, int depth);

/*
 * Walks the members of OBJECT: *AT starts as 0. FALSE: there are no more. KEY is without
 * quotes, still escaped; VALUE is the value's text.
 */
bool libscan_next(struct span object, size_t *at, struct span *key, struct span *value);
/* The value of member NAME (plain ASCII). FALSE: there is none, or it is null. */
bool libscan_member(struct span object, const char *name, struct span *ret);
bool libscan_key_is(struct span key, const char *name);

/* A string value, decoded. Heap, the caller wipes. NULL: not a string, or no memory. */
char *libscan_text(struct span value);
/* The same into OUT, cut to fit at a character's end. Not a string: "". */
void libscan_copy(struct span value, char *out, size_t cap);
/* FALSE: not an integer. */
bool libscan_integer(struct span value, int64_t *ret);

/* Bytes that TEXT takes as a JSON string, quotes included; 0: it is not UTF-8. */
size_t libscan_quoted_len(const char *text);
/* Writes it there, without a NUL. Returns the end. */
char *libscan_quote(char *out, const char *text);
