/*
 * server.h - the lines from vaultd: frames in, jobs out to the workers, answers back.
 */
#pragma once

#include "egress/work.h"

/* FD is a listening socket named from-vaultd. */
int server_start(struct egress *x, int fd, struct err *e);
void server_stop(struct egress *x);
/* Sends J's answer if its line is still there. */
void server_answer(struct job *j);
