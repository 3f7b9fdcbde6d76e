/*
 * backup.h - a hot copy of store and audit log by a forked process.
 */
#pragma once

#include "common/err.h"

struct backup;
struct vault;

/* Copies into DIR, which must not exist. DONE on the loop. Errors at once: NameTaken, Busy,
 * V_IO. */
int backup_start(struct vault *v, const char *dir,
    void (*done)(void *arg, int rc, const struct err *e), void *arg, struct err *e);
