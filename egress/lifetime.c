/*
 * lifetime.c - see lifetime.h.
 */
#include "egress/lifetime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EPOCH_MIN	1e9	/* 2001: nothing lives for so many seconds */
#define EPOCH_MAX	1e11	/* 5138; more than that counts milliseconds */

static double
number_of_text(const char *s)
{
	char *end;
	double d;

	if (*s == '\0' || strspn(s, "0123456789.eE+-") != strlen(s))
		return -1;
	d = strtod(s, &end);
	return *end == '\0' && isfinite(d) ? d : -1;
}

/* -1 = not a number. */
static double
number_of(const json_t *v)
{
	if (json_is_number(v))
		return json_number_value(v);
	return json_is_string(v) ? number_of_text(json_string_value(v)) : -1;
}

static struct lifetime
seconds(double n)
{
	if (!(n > 0) || n >= 4e9)
		return (struct lifetime){ 0 };
	return (struct lifetime){ .in_s = n < 1 ? 1 : (uint32_t)n };
}

static struct lifetime
moment(double at)
{
	if (!(at >= EPOCH_MIN) || at >= EPOCH_MAX)
		return (struct lifetime){ 0 };
	return (struct lifetime){ .at = (int64_t)at };
}

static struct lifetime
days_hours_minutes(const char *s)
{
	unsigned d, h, m;
	int end = 0;

	if (s == NULL || strspn(s, "0123456789:") != strlen(s) ||
	    sscanf(s, "%5u:%2u:%2u%n", &d, &h, &m, &end) != 3 || s[end] != '\0' || h > 23 || m > 59)
		return (struct lifetime){ 0 };
	return seconds(((d * 24.0 + h) * 60 + m) * 60);
}

/* "", "Z", "+01:00", "-0130": seconds east of Greenwich. FALSE: none of these. */
static bool
zone_of(const char *s, long *ret)
{
	unsigned h, m;
	int end = 0;

	*ret = 0;
	if (*s == '\0' || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	if ((*s != '+' && *s != '-') || strspn(s + 1, "0123456789:") != strlen(s + 1))
		return false;
	if ((sscanf(s + 1, "%2u:%2u%n", &h, &m, &end) != 2 &&
		sscanf(s + 1, "%2u%2u%n", &h, &m, &end) != 2) || s[1 + end] != '\0' || h > 14 || m > 59)
		return false;
	*ret = (long)(h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
	return true;
}

int64_t
time_of_iso8601(const char *s)
{
	struct tm tm = { 0 };
	char sep;
	int end = 0;
	long zone;
	time_t t;

	if (strlen(s) < 19 || strlen(s) > 40 || strspn(s, "0123456789") != 4 ||
	    sscanf(s, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &sep,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 7 || strchr("Tt ", sep) == NULL)
		return 0;
	if (s[end] == '.' || s[end] == ',')
		end += 1 + (int)strspn(s + end + 1, "0123456789");
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60 ||
	    !zone_of(s + end, &zone))
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm) - zone;
	return t > 0 ? (int64_t)t : 0;
}

static struct lifetime
text_moment(const json_t *v)
{
	return json_is_string(v) ? moment((double)time_of_iso8601(json_string_value(v))) :
				   (struct lifetime){ 0 };
}

/* As its size says: years of seconds are a time, and those by the thousand count milliseconds. */
static struct lifetime
by_size(const json_t *v)
{
	double n = number_of(v);

	if (n < 0)
		return text_moment(v);
	return n < EPOCH_MIN ? seconds(n) : moment(n >= EPOCH_MAX ? n / 1000 : n);
}

struct lifetime
lifetime_of(const json_t *v, enum expiry_unit unit)
{
	switch (unit) {
	case EXPIRY_AUTO:
		break;
	case EXPIRY_S:
		return seconds(number_of(v));
	case EXPIRY_MS:
		return seconds(number_of(v) / 1000);
	case EXPIRY_EPOCH_S:
		return moment(number_of(v));
	case EXPIRY_EPOCH_MS:
		return moment(number_of(v) / 1000);
	case EXPIRY_ISO8601:
		return text_moment(v);
	case EXPIRY_D_HH_MM:
		return days_hours_minutes(json_string_value(v));
	}
	return by_size(v);
}
