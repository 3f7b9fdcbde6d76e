/*
 * fuzz-client.c - what libvaultd reads. The scanner against jansson: whatever the first
 * takes the second must take too, and mean the same; and the other way round within the
 * scanner's bounds. Then any bytes as the answers of a vault, and as parameters of a call.
 */
#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/libwire.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the scanner and its judge */

static void
same_value(struct span value, const json_t *judge)
{
	int64_t n;
	char *text = libscan_text(value);

	must((text != NULL) == json_is_string(judge));
	if (text != NULL)
		must(strcmp(text, json_string_value(judge)) == 0);
	free(text);
	if (json_is_integer(judge))
		must(libscan_integer(value, &n) && n == json_integer_value(judge));
	if (json_is_object(judge))
		must(libscan_object(value, LIBSCAN_DEPTH));
}

static void
same_members(struct span object, const json_t *judge)
{
	struct span key, value, found;
	size_t at = 0, members = 0;

	while (libscan_next(object, &at, &key, &value)) {
		struct span quoted = { key.p - 1, key.len + 2 };
		char *name = libscan_text(quoted);
		const json_t *v = json_object_get(judge, name);

		must(v != NULL);
		same_value(value, v);
		if (strchr(name, '\\') == NULL) {	/* names looked for are plain */
			must(libscan_key_is(key, name));
			must(libscan_member(object, name, &found) == !json_is_null(v));
		}
		free(name);
		members++;
	}
	must(members == json_object_size(judge));
}

/* Depth of V; 1000 where it holds what the scanner may refuse: a number that is no integer. */
static int
depth_of(const json_t *v)
{
	const char *key;
	json_t *item;
	int most = 0, d;
	size_t i;

	if (json_is_real(v))
		return 1000;
	if (!json_is_object(v) && !json_is_array(v))
		return 0;
	json_array_foreach((json_t *)v, i, item)
		if ((d = depth_of(item)) > most)
			most = d;
	json_object_foreach((json_t *)v, key, item)
		if ((d = depth_of(item)) > most)
			most = d;
	return most + 1;
}

static void
compare(const char *text, size_t size)
{
	struct span all = { text, size };
	json_error_t e;
	json_t *judge = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);

	if (libscan_object(all, LIBSCAN_DEPTH)) {
		must(json_is_object(judge));
		same_members(all, judge);
	} else if (json_is_object(judge) && memchr(text, '\0', size) == NULL) {
		/* jansson lets a NUL behind a number pass; a message has none inside */
		must(depth_of(judge) > LIBSCAN_DEPTH);
	}
	json_decref(judge);
}

/* ---- the connection */

static void
done(void *arg, const char *parameters, const struct vaultd_error *e)
{
	unsigned *n = arg;

	must((parameters != NULL) != (e != NULL));
	if (parameters != NULL)
		must(*parameters == '{' && libscan_object((struct span){ parameters,
		    strlen(parameters) }, 2 * LIBSCAN_DEPTH));
	else
		must(memchr(e->details, '\0', sizeof e->details) != NULL &&
		    libscan_object((struct span){ e->details, strlen(e->details) },
			2 * LIBSCAN_DEPTH));
	(*n)++;
}

static void
listen_to(const char *text, size_t size)
{
	struct vaultd *v;
	struct vaultd_error e;
	unsigned n = 0;
	int sv[2];

	must(vaultd_open("/nonexistent", &v, &e) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == 0);
	v->fd = sv[0];
	v->pid = getpid();
	for (int i = 0; i < 3; i++)
		must(vaultd_send(v, "a.b", NULL, done, &n, &e) == 0);
	(void)!write(sv[1], text, size);
	close(sv[1]);
	while (vaultd_dispatch(v, &e) == 0)
		;
	must(n == 3);
	vaultd_close(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vaultd *v;
	struct vaultd_error e;
	char *text = malloc(size + 1), *ret;
	size_t quoted;

	memcpy(text, data, size);
	text[size] = '\0';
	compare(text, size);
	listen_to(text, size);
	must(vaultd_open("/nonexistent", &v, &e) == 0);
	must(vaultd_call(v, "a.b", text, &ret, &e) == -1);
	vaultd_close(v);
	if ((quoted = libscan_quoted_len(text)) > 0) {
		char *q = malloc(quoted + 6);

		memcpy(q, "{\"\":", 4);
		must(libscan_quote(q + 4, text) == q + 4 + quoted);
		q[4 + quoted] = '}';
		compare(q, quoted + 5);
		must(libscan_object((struct span){ q, quoted + 5 }, 1));
		free(q);
	}
	free(text);
	return 0;
}
