/*
 * follow.h - calls with `more` that get answer after answer: who waits for what the table of events
 * gets next. A follower has a place to read on from and no queue: however slow it reads, it costs
 * one answer's bytes. Loop thread.
 */
#pragma once

#include <stdbool.h>

struct request;
struct vault;

/* R goes on after its answer. FALSE: its uid follows often enough already (ERR_BUSY). The spine
 * unlinks it with follow_end(). */
bool follow_begin(struct request *r);
void follow_end(struct request *r);
/* From conn.c: R's answer was sent; the next may be made. */
void follow_sent(struct request *r);
/* From conn.c: there is a reason to look at followers even if no event comes. */
void follow_poke(struct vault *v);
/* Once per loop pass, before answers are sent: at most one answer of each follower, of those that
 * took their last one and have something to hear. */
void follow_run(struct vault *v);
