/*
 * log.h - one line to stderr per event, with the <n> priority journald understands.
 *
 * Lines are `key=value` after a short sentence. There is no way to log a buffer: a
 * struct secret has no char pointer that would fit. Log is not audit.
 */
#pragma once

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

struct err;

/* NAME (borrowed, a literal) goes in front of each line. */
void log_init(const char *name, enum log_level most);
/* error, warn, info or debug, as configuration files have it. Errors: V_INVALID. */
int log_level_parse(const char *name, enum log_level *ret, struct err *e);
void log_at(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
