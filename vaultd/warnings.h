/*
 * warnings.h - what makes no policy set fail, and an admin should know. Loop thread.
 */
#pragma once

#include <jansson.h>

struct vault;

/* What was found in the files, and what they name that is not in the vault as it is now. */
json_t *warnings_json(struct vault *v);
/* Into the log: the former, which needs no store, and the latter. */
void warnings_log_files(struct vault *v);
void warnings_log_store(struct vault *v);
