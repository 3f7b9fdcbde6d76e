/*
 * secret.c - the locked arena. See secret.h.
 *
 * Blocks come from power-of-two classes, each block with a one-word header that names
 * its class; a freed block is wiped whole and goes to its class's list. Simple, and the
 * waste (under 2x) is of memory measured in megabytes.
 */
#include "common/secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLASS_MIN	5		/* 32 bytes, header included */
#define CLASS_MAX	26
#define HEADER		16		/* keeps blocks 16-aligned */

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

struct block { struct block *next; };

static struct {
	pthread_mutex_t	 mutex;
	unsigned char	*base;
	size_t		 size, used;	/* used: the never yet handed out starts here */
	size_t		 in_use;
	struct block	*free[CLASS_MAX + 1];
} arena = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/*
 * Over RLIMIT_MEMLOCK some kernels let mmap() of secret memory succeed and raise SIGBUS
 * at the first touch. getrandom() into each page gives EFAULT instead.
 */
static bool
prefault(unsigned char *p, size_t n)
{
	for (size_t at = 0; at < n; at += 4096) {
		if (syscall(SYS_getrandom, p + at, 1, 0) != 1)
			return false;
		p[at] = 0;
	}
	return true;
}

static void *
map_secret(size_t n)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	void *p;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)n) != 0) {
		close(fd);
		return NULL;
	}
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return NULL;
	if (!prefault(p, n)) {
		munmap(p, n);
		return NULL;
	}
	return p;
}

static void *
map_locked(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (mlock(p, n) != 0) {
		munmap(p, n);
		return NULL;
	}
	return p;
}

int
secret_arena_init(size_t bytes, bool mlock_only, struct err *e)
{
	void *p;

	must(arena.base == NULL);
	bytes = (bytes + 4095) & ~(size_t)4095;
	p = mlock_only ? NULL : map_secret(bytes);
	if (p == NULL)
		p = map_locked(bytes);
	if (p == NULL)
		return err_set(e, V_INVALID, "cannot lock %zu KiB of memory for secrets (%s): "
		    "raise RLIMIT_MEMLOCK or lower secret_memory", bytes >> 10,
		    strerror(errno));
	madvise(p, bytes, MADV_DONTDUMP);
	madvise(p, bytes, MADV_DONTFORK);
	arena.base = p;
	arena.size = bytes;
	return 0;
}

static unsigned
class_of(size_t n)
{
	unsigned c = CLASS_MIN;

	while (c <= CLASS_MAX && ((size_t)1 << c) < n + HEADER)
		c++;
	return c;
}

void *
secret_alloc(size_t n)
{
	unsigned c = class_of(n);
	size_t size = (size_t)1 << c;
	unsigned char *p = NULL;

	if (n > ((size_t)1 << CLASS_MAX) - HEADER)
		return NULL;
	pthread_mutex_lock(&arena.mutex);
	if (arena.free[c] != NULL) {
		p = (unsigned char *)arena.free[c];
		arena.free[c] = arena.free[c]->next;
	} else if (arena.size - arena.used >= size) {
		p = arena.base + arena.used;
		arena.used += size;
	}
	if (p != NULL)
		arena.in_use += size;
	pthread_mutex_unlock(&arena.mutex);
	if (p == NULL)
		return NULL;
	memset(p, 0, size);
	*(uint64_t *)p = c;
	return p + HEADER;
}

void
secret_free(void *v)
{
	unsigned char *p = v;
	uint64_t c;

	if (p == NULL)
		return;
	p -= HEADER;
	must(p >= arena.base && p < arena.base + arena.size);
	c = *(uint64_t *)p;
	must(c >= CLASS_MIN && c <= CLASS_MAX);
	explicit_bzero(p, (size_t)1 << c);
	pthread_mutex_lock(&arena.mutex);
	((struct block *)p)->next = arena.free[c];
	arena.free[c] = (struct block *)p;
	arena.in_use -= (size_t)1 << c;
	pthread_mutex_unlock(&arena.mutex);
}

size_t
secret_in_use(void)
{
	size_t n;

	pthread_mutex_lock(&arena.mutex);
	n = arena.in_use;
	pthread_mutex_unlock(&arena.mutex);
	return n;
}

int
secret_reserve(struct secret *s, size_t n, struct err *e)
{
	unsigned char *p;

	if (n <= s->cap)
		return 0;
	p = secret_alloc(n);
	if (p == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted (%zu bytes wanted)", n);
	if (s->p != NULL)
		memcpy(p, s->p, s->len);
	secret_free(s->p);
	s->p = p;
	s->cap = ((size_t)1 << class_of(n)) - HEADER;
	return 0;
}

int
secret_set(struct secret *s, const void *p, size_t n, struct err *e)
{
	if (secret_reserve(s, n, e) != 0)
		return e->code;
	secret_wipe(s);
	if (n > 0)
		memcpy(s->p, p, n);
	s->len = n;
	return 0;
}

int
secret_append(struct secret *s, const void *p, size_t n, struct err *e)
{
	size_t want = s->len + n;

	if (want > s->cap && secret_reserve(s, want < 2 * s->cap ? 2 * s->cap : want, e) != 0)
		return e->code;
	if (n > 0)
		memcpy(s->p + s->len, p, n);
	s->len = want;
	return 0;
}

int
secret_copy(struct secret *to, const struct secret *from, struct err *e)
{
	return secret_set(to, from->p, from->len, e);
}

void
secret_wipe(struct secret *s)
{
	if (s->p != NULL)
		explicit_bzero(s->p, s->cap);
	s->len = 0;
}

void
secret_done(struct secret *s)
{
	secret_free(s->p);
	*s = (struct secret){ 0 };
}

struct secret
secret_take(struct secret *s)
{
	struct secret was = *s;

	*s = (struct secret){ 0 };
	return was;
}

bool
secret_equal(const struct secret *s, const void *p, size_t n)
{
	const unsigned char *b = p;
	unsigned char diff = 0;

	if (s->len != n)
		return false;
	for (size_t i = 0; i < n; i++)
		diff |= s->p[i] ^ b[i];
	return diff == 0;
}
