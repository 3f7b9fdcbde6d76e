/*
 * recover.c - see recover.h.
 */
#include "pkcs11/recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "common/auto.h"

#define MAGIC	     "vhsm-r1"
#define DELAY_FIRST  200
#define DELAY_MOST   30000

int
recover_open(struct recover *r, const char *dir, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	char path[512];
	struct recover_note *n;

	*r = (struct recover){ 0 };
	snprintf(path, sizeof path, "%s/recover", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *n) != 0)
		return err_errno(e, "%s", path);
	n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (n == MAP_FAILED)
		return err_errno(e, "%s", path);
	if (memcmp(n->magic, MAGIC, sizeof n->magic) != 0 || n->state >= KEY_STATE_MAX) {
		memset(n, 0, sizeof *n);
		memcpy(n->magic, MAGIC, sizeof n->magic);
	}
	n->text[sizeof n->text - 1] = '\0';
	n->call[sizeof n->call - 1] = '\0';
	memcpy(r->died_in, n->call, sizeof r->died_in);
	n->call[0] = '\0';
	r->note = n;
	return 0;
}

void
recover_done(struct recover *r)
{
	if (r->note != NULL)
		munmap(r->note, sizeof *r->note);
	*r = (struct recover){ 0 };
}

void
recover_attempt(struct recover *r)
{
	if (r->note->starts < UINT32_MAX)
		r->note->starts++;
	recover_failed(r, KEY_STARTING, "");
}

void
recover_ready(struct recover *r)
{
	r->note->starts = 0;
	recover_failed(r, KEY_READY, "");
}

void
recover_failed(struct recover *r, enum key_state state, const char *text)
{
	r->note->state = state;
	snprintf(r->note->text, sizeof r->note->text, "%s", text);
}

void
recover_forget(struct recover *r)
{
	r->note->starts = 0;
}

unsigned
recover_delay_ms(unsigned starts)
{
	unsigned ms = DELAY_FIRST;

	if (starts < 2)
		return 0;
	for (unsigned i = 2; i < starts && ms < DELAY_MOST; i++)
		ms *= 2;
	return ms < DELAY_MOST ? ms : DELAY_MOST;
}

unsigned
recover_wait_ms(const struct recover *r)
{
	unsigned ms = recover_delay_ms(r->note->starts), jitter;

	random_bytes(&jitter, sizeof jitter);
	return ms - (ms == 0 ? 0 : jitter % (ms / 4));
}
