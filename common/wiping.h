/*
 * wiping.h - memory of libraries that hold secrets outside struct secret: wiped when it is
 * freed.
 */
#pragma once

#include <stddef.h>

void wiping_free(void *p);
void *wiping_realloc(void *p, size_t n);

/* For all that OpenSSL allocates in this process; before its first use. */
void openssl_wiping_allocator(void);
