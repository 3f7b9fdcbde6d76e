/*
 * log.c - see log.h.
 */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

static const char *log_name = "vault";
static enum log_level log_most = LOG_LEVEL_INFO;

void
log_init(const char *name, enum log_level most)
{
	log_name = name;
	log_most = most;
}

int
log_level_parse(const char *name, enum log_level *ret, struct err *e)
{
	static const struct { const char *name; enum log_level level; } rows[] = {
		{ "error", LOG_LEVEL_ERROR }, { "warn", LOG_LEVEL_WARN },
		{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(name, rows[i].name) == 0) {
			*ret = rows[i].level;
			return 0;
		}
	return err_set(e, V_INVALID, "log_level '%.40s' is not error, warn, info or debug", name);
}

/* Provider texts and file names come through here: a line stays one line. */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	char line[1200];
	int n, m;
	va_list ap;

	if (level > log_most)
		return;
	n = snprintf(line, 64, "<%d>%s: ", (int)level, log_name);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	flatten(line + n);
	n += m < (int)(sizeof line) - n - 1 ? m : (int)(sizeof line) - n - 2;
	line[n++] = '\n';
	/* One write: lines of several threads do not mix. A full pipe loses the line. */
	(void)!write(STDERR_FILENO, line, (size_t)n);
}
