/*
 * ctl_print.c - answers for people: lines, tables, times. See ctl.h.
 */
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"

#define COLUMNS 80

/* ---- texts that others chose */

/* Bytes of UTF-8 stay, but for the control characters that it has too (U+0080 to U+009F). */
static void
clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != '\0'; p++) {
		if ((*p < 0x20 && *p != '\n') || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

void
ctl_say(FILE *to, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	clean(text);
	fputs(text, to);
	free(text);
}

/* ---- values */

const char *
ctl_text(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));

	return s == NULL ? "" : s;
}

void
ctl_quote(const char *text, char *out, size_t cap)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "_./:@%+=,-";
	size_t n = 0;

	if (*text != '\0' && text[strspn(text, plain)] == '\0') {
		snprintf(out, cap, "%s", text);
		return;
	}
	out[n++] = '\'';
	for (; *text != '\0' && n + 6 < cap; text++)
		n += (size_t)snprintf(out + n, cap - n, *text == '\'' ? "'\\''" : "%c", *text);
	out[n++] = '\'';
	out[n] = '\0';
}

void
ctl_set(json_t *o, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, key, json_string(value));
}

void
ctl_dump(const json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
}

void
ctl_time(json_int_t t, char *out, size_t cap)
{
	static const struct { json_int_t seconds; const char *unit; } units[] = {
		{ 2 * 86400, "d" }, { 2 * 3600, "h" }, { 120, "min" }, { 0, "s" } };
	static const json_int_t scale[] = { 86400, 3600, 60, 1 };
	json_int_t left = t - (json_int_t)time(NULL), n = left < 0 ? -left : left;
	int i = 0;

	if (t == 0) {
		snprintf(out, cap, "never");
		return;
	}
	if (n == 0) {
		snprintf(out, cap, "now");
		return;
	}
	while (n < units[i].seconds)
		i++;
	snprintf(out, cap, left < 0 ? "%lld %s ago" : "in %lld %s", (long long)(n / scale[i]),
	    units[i].unit);
}

/* Those that the IDL marks as a time. */
static bool
is_time(const char *member)
{
	static const char *const names[] = { "expires", "refresh_token_expires", "created",
		"updated", "state_since", "last_refresh_ok", "last_used", "last_checked",
		"reported_gap_time", "cause_time", "next_try", "deleted", "ended", "rotate_by",
		"secret_expires", "certificate_expires", "problem_time", "since", "until", "time",
		"deadline", NULL };

	for (const char *const *n = names; *n != NULL; n++)
		if (strcmp(*n, member) == 0)
			return true;
	return false;
}

/* Users of this machine, as all that the vault lets in. */
static void
user_text(json_int_t uid, char *out, size_t cap)
{
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw != NULL)
		snprintf(out, cap, "%s", pw->pw_name);
	else
		snprintf(out, cap, "uid-%lld", (long long)uid);
}

static bool
is_user(const char *member)
{
	return strcmp(member, "disabled_by") == 0 || strcmp(member, "deleted_by") == 0;
}

static void
value_text(const json_t *v, const char *member, char *out, size_t cap)
{
	size_t i, n = 0;
	const char *key;
	json_t *item;

	*out = '\0';
	if (json_is_string(v))
		snprintf(out, cap, "%s", json_string_value(v));
	else if (json_is_integer(v) && is_time(member))
		ctl_time(json_integer_value(v), out, cap);
	else if (json_is_integer(v) && is_user(member))
		user_text(json_integer_value(v), out, cap);
	else if (json_is_integer(v))
		snprintf(out, cap, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(out, cap, "%s", json_is_true(v) ? "yes" : "no");
	json_array_foreach((json_t *)v, i, item) {
		if (json_is_string(item) && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? " " : "",
			    json_string_value(item));
		else if (json_is_integer(item) && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%lld", n > 0 ? " " : "",
			    (long long)json_integer_value(item));
	}
	json_object_foreach((json_t *)v, key, item)
		if (json_is_string(item) && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s=%s", n > 0 ? " " : "", key,
			    json_string_value(item));
}

void
ctl_fields(const json_t *o, const char *const *keys)
{
	char text[2048];

	for (; keys[0] != NULL; keys += 2) {
		const json_t *v = json_object_get(o, keys[0]);

		value_text(v, keys[0], text, sizeof text);
		if (*text != '\0' && strcmp(text, "never") != 0)
			ctl_say(stdout, "%-15s %s\n", keys[1], text);
	}
}

/* ---- tables */

/* Characters, not bytes: continuation bytes do not count. */
static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* TEXT in WIDTH characters, cut with `~`, filled with spaces unless it is the LAST. */
static void
cell(char *text, size_t width, bool last)
{
	size_t n, kept = 0;

	clean(text);
	n = characters(text);
	if (n > width) {
		char *p = text;

		for (; *p != '\0'; p++)
			if (((unsigned char)*p & 0xc0) != 0x80 && ++kept == width)
				break;
		*p = '\0';
		printf("%s~%s", text, last ? "\n" : "  ");
		return;
	}
	printf("%s%*s", text, last ? 1 : (int)(width - n) + 2, last ? "\n" : "");
}

/* As wide as the longest value; for a terminal the widest give way until the line fits. */
static void
widths(const json_t *rows, const char *const *members, const char *const *heads, size_t n,
    size_t *width)
{
	size_t total = 2 * (n - 1), i;
	json_t *row;
	char text[512];

	for (size_t k = 0; k < n; k++) {
		width[k] = strlen(heads[k]);
		json_array_foreach((json_t *)rows, i, row) {
			value_text(json_object_get(row, members[k]), members[k], text, sizeof text);
			if (characters(text) > width[k])
				width[k] = characters(text);
		}
		total += width[k];
	}
	while (isatty(STDOUT_FILENO) && total > COLUMNS) {
		size_t widest = 0;

		for (size_t k = 1; k < n; k++)
			if (width[k] > width[widest])
				widest = k;
		width[widest]--;
		total--;
	}
}

void
ctl_table(const json_t *rows, const char *const *members, const char *const *heads,
    const char *none)
{
	size_t width[12], n = 0, i;
	char text[512];
	json_t *row;

	if (json_array_size(rows) == 0) {
		printf("%s\n", none);
		return;
	}
	while (members[n] != NULL)
		n++;
	widths(rows, members, heads, n, width);
	for (size_t k = 0; k < n; k++) {
		snprintf(text, sizeof text, "%s", heads[k]);
		cell(text, width[k], k + 1 == n);
	}
	json_array_foreach((json_t *)rows, i, row)
		for (size_t k = 0; k < n; k++) {
			value_text(json_object_get(row, members[k]), members[k], text, sizeof text);
			cell(text, width[k], k + 1 == n);
		}
}
