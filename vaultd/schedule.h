/*
 * schedule.h - the list of attempts under way, kept by the scheduler (refresh.h).
 */
#pragma once

struct attempt;
struct schedule;

void schedule_link(struct schedule *s, struct attempt *a);
void schedule_unlink(struct schedule *s, struct attempt *a);
struct attempt *schedule_first(const struct schedule *s);
