/*
 * record_part.h - what the encoders and decoders of records share. For record*.c alone.
 */
#pragma once

#include "common/msg.h"
#include "vaultd/record.h"

/* Reads the format, 1 to NEWEST; anything else makes M fail. */
unsigned record_start(struct msg *m, struct slice in, unsigned newest);
/* M, whole, to the end of OUT. */
int record_encoded(struct msg *m, struct buf *out, struct err *e);
void record_get_buf(struct msg *m, struct buf *ret);
void record_put_time(struct msg *m, int64_t t);
int64_t record_get_time(struct msg *m);
void record_get_raw(struct msg *m, unsigned char *to, size_t n);
void record_put_vars(struct msg *m, const struct ex_vars *v);
void record_get_vars(struct msg *m, struct ex_vars *v);
