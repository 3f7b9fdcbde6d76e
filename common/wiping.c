/*
 * wiping.c - see wiping.h.
 */
#include "common/wiping.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void
wiping_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void *
wiping_realloc(void *p, size_t n)
{
	size_t was = p == NULL ? 0 : malloc_usable_size(p);
	void *q = malloc(n);

	if (q == NULL || p == NULL)
		return q;
	memcpy(q, p, was < n ? was : n);
	wiping_free(p);
	return q;
}

static void *
get(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void *
resize(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return wiping_realloc(p, n);
}

static void
give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	wiping_free(p);
}

void
openssl_wiping_allocator(void)
{
	must(CRYPTO_set_mem_functions(get, resize, give_back) == 1);
}
