/*
 * secret.c - the locked arena. See secret.h.
 *
 * A buddy system (Knuth, TAOCP 2.5): blocks are powers of two, each at a multiple of its size.
 * A freed block is wiped and joined with its other half as often as that is free too, so that
 * a few large values, long gone, leave no memory that small ones cannot use. The waste (under
 * 2x) is of memory measured in megabytes. Free memory is zero but for the blocks' headers.
 */
#include "common/secret.h"

#include <assert.h>
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

/* At the start of every block. What follows `free` is the user's while it is in use. */
struct block {
	uint32_t	 class;
	uint32_t	 free;
	uint64_t	 unused;
	struct block	*next, *before;
};
static_assert(offsetof(struct block, next) == HEADER, "the header");
static_assert(sizeof(struct block) <= (size_t)1 << CLASS_MIN, "a free block holds its links");

static struct {
	pthread_mutex_t	 mutex;
	unsigned char	*base;
	size_t		 size, in_use;
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

/* ---- blocks, under the mutex */

static size_t
size_of(unsigned class)
{
	return (size_t)1 << class;
}

static void
put_free(struct block *b, unsigned class)
{
	*b = (struct block){ .class = class, .free = 1, .next = arena.free[class] };
	if (b->next != NULL)
		b->next->before = b;
	arena.free[class] = b;
}

static void
take_free(struct block *b)
{
	if (b->before != NULL)
		b->before->next = b->next;
	else
		arena.free[b->class] = b->next;
	if (b->next != NULL)
		b->next->before = b->before;
	explicit_bzero(b, sizeof *b);
}

/* The other half of the block that both came from, if it is free and whole; or NULL. What lies
 * there always begins with a header: the whole half, or the first part of it. */
static struct block *
buddy_of(const struct block *b, unsigned class)
{
	size_t at = (size_t)((const unsigned char *)b - arena.base) ^ size_of(class);
	struct block *other = (struct block *)(arena.base + at);

	if (class >= CLASS_MAX || at + size_of(class) > arena.size || !other->free ||
	    other->class != class)
		return NULL;
	return other;
}

static void
give_back(struct block *b, unsigned class)
{
	struct block *other;

	for (; (other = buddy_of(b, class)) != NULL; class++) {
		take_free(other);
		if (other < b)
			b = other;
	}
	put_free(b, class);
}

static struct block *
take_block(unsigned class)
{
	struct block *b;
	unsigned c = class;

	while (c <= CLASS_MAX && arena.free[c] == NULL)
		c++;
	if (c > CLASS_MAX)
		return NULL;
	b = arena.free[c];
	take_free(b);
	while (c-- > class)
		put_free((struct block *)((unsigned char *)b + size_of(c)), c);
	b->class = class;
	return b;
}

/* All of the arena, as the largest blocks that fit. */
static void
arena_fill(void)
{
	for (size_t at = 0; at < arena.size;) {
		unsigned c = CLASS_MAX;

		while (at + size_of(c) > arena.size || at % size_of(c) != 0)
			c--;
		put_free((struct block *)(arena.base + at), c);
		at += size_of(c);
	}
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
	arena_fill();
	return 0;
}

static unsigned
class_of(size_t n)
{
	unsigned c = CLASS_MIN;

	while (c <= CLASS_MAX && size_of(c) < n + HEADER)
		c++;
	return c;
}

void *
secret_alloc(size_t n)
{
	unsigned c = class_of(n);
	struct block *b;

	if (n > size_of(CLASS_MAX) - HEADER)
		return NULL;
	pthread_mutex_lock(&arena.mutex);
	b = take_block(c);
	if (b != NULL)
		arena.in_use += size_of(c);
	pthread_mutex_unlock(&arena.mutex);
	return b == NULL ? NULL : (unsigned char *)b + HEADER;
}

void
secret_free(void *v)
{
	unsigned char *p = v;
	struct block *b;
	unsigned c;

	if (p == NULL)
		return;
	b = (struct block *)(p - HEADER);
	must((unsigned char *)b >= arena.base && p < arena.base + arena.size);
	c = b->class;
	must(c >= CLASS_MIN && c <= CLASS_MAX && !b->free);
	explicit_bzero(p, size_of(c) - HEADER);
	pthread_mutex_lock(&arena.mutex);
	explicit_bzero(b, HEADER);	/* who frees the other half reads it */
	arena.in_use -= size_of(c);
	give_back(b, c);
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
	s->cap = size_of(class_of(n)) - HEADER;
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

	if (n > SIZE_MAX / 2 - s->len)
		return err_set(e, V_LIMIT, "secret memory exhausted (%zu bytes wanted)", n);
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
