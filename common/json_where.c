/*
 * json_where.c - line and column of a JSON pointer, by scanning text that is known to
 * parse. For error messages: nothing else pays for positions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

struct scan {
	const char	*p, *end;
	const char	*text;
};

static void
space(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) != NULL)
		s->p++;
}

/* Over a string; its raw content in RET. */
static void
string(struct scan *s, struct slice *ret)
{
	const char *from = ++s->p;

	while (s->p < s->end && *s->p != '"')
		s->p += *s->p == '\\' ? 2 : 1;
	*ret = (struct slice){ from, s->p < s->end ? (size_t)(s->p - from) : 0 };
	s->p++;
}

static void
value(struct scan *s)
{
	int depth = 0;
	struct slice skip;

	do {
		space(s);
		if (s->p >= s->end)
			return;
		if (*s->p == '"') {
			string(s, &skip);
		} else if (*s->p == '{' || *s->p == '[') {
			depth++;
			s->p++;
		} else if (*s->p == '}' || *s->p == ']') {
			depth--;
			s->p++;
		} else if (*s->p == ',' || *s->p == ':') {
			s->p++;
		} else {
			while (s->p < s->end && strchr(",:]} \t\r\n", *s->p) == NULL)
				s->p++;
		}
	} while (depth > 0);
}

/* One step of a pointer, unescaped (RFC 6901: ~1 is '/', ~0 is '~'). */
static const char *
step(const char *pointer, char *out, size_t cap)
{
	size_t n = 0;

	for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
		char c = *pointer;

		if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
			c = *++pointer == '0' ? '~' : '/';
		if (n + 1 < cap)
			out[n++] = c;
	}
	out[n] = '\0';
	return pointer;
}

static bool
same(struct slice raw, const char *name)
{
	/* Keys with escapes are compared as written: good enough for a position. */
	return raw.len == strlen(name) && memcmp(raw.p, name, raw.len) == 0;
}

static bool
member(struct scan *s, const char *name, const char **key_at)
{
	struct slice key;

	s->p++;
	for (;;) {
		space(s);
		if (s->p >= s->end || *s->p != '"')
			return false;
		*key_at = s->p;
		string(s, &key);
		space(s);
		s->p++;		/* ':' */
		space(s);
		if (same(key, name))
			return true;
		value(s);
		space(s);
		if (s->p < s->end && *s->p == ',')
			s->p++;
	}
}

static bool
element(struct scan *s, const char *index)
{
	s->p++;
	for (long i = strtol(index, NULL, 10); i >= 0; i--) {
		space(s);
		if (s->p >= s->end || *s->p == ']')
			return false;
		if (i == 0)
			return true;
		value(s);
		space(s);
		if (s->p < s->end && *s->p == ',')
			s->p++;
	}
	return false;
}

static void
position(const struct scan *s, const char *at, int *line, int *column)
{
	*line = *column = 1;
	for (const char *p = s->text; p < at; p++) {
		(*column)++;
		if (*p == '\n') {
			(*line)++;
			*column = 1;
		}
	}
}

bool
json_where(struct slice text, const char *pointer, bool key, int *line, int *column)
{
	struct scan s = { text.p, (const char *)text.p + text.len, text.p };
	const char *key_at = NULL;
	char name[256];

	space(&s);
	while (*pointer == '/') {
		pointer = step(pointer, name, sizeof name);
		if (s.p >= s.end)
			return false;
		if (*s.p == '{') {
			if (!member(&s, name, &key_at))
				return false;
		} else {
			key_at = NULL;
			if (*s.p != '[' || !element(&s, name))
				return false;
		}
	}
	position(&s, key && key_at != NULL ? key_at : s.p, line, column);
	return true;
}
