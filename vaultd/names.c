/*
 * names.c - see names.h: one worker thread, a queue in, an eventfd and a queue back.
 */
#include "vaultd/names.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/role.h"

struct job {
	struct job	*next;
	uid_t		 uid;
	char		 name[NAME_MAX];	/* "" = it could not be told */
	void		(*fn)(void *);		/* NULL: look UID up */
	void		(*done)(void *);
	void		*arg;
};

struct name {
	struct name	*next;
	uid_t		 uid;
	char		 name[NAME_MAX];
	long long	 asked_ms;
};

struct names {
	pthread_t	 thread;
	pthread_mutex_t	 mutex;
	pthread_cond_t	 wake;
	struct job	*in, **in_end, *out, **out_end;
	bool		 stop;
	int		 fd;
	struct event	*ev;
	struct name	*hash[256];
};

static void
look_up(struct job *j)
{
	struct passwd pw, *found = NULL;
	char buf[16384];
	int rc = getpwuid_r(j->uid, &pw, buf, sizeof buf, &found);

	if (rc != 0 && rc != ENOENT && rc != ESRCH)
		return;		/* a service that is away must not make a name of its own */
	/* A uid without a name (a container's) still has a workspace. */
	if (found == NULL || strchr(pw.pw_name, '/') != NULL || strlen(pw.pw_name) >= NAME_MAX)
		snprintf(j->name, sizeof j->name, "uid-%u", (unsigned)j->uid);
	else
		snprintf(j->name, sizeof j->name, "%s", pw.pw_name);
}

static void *
worker(void *arg)
{
	struct names *n = arg;
	struct job *j;

	pthread_mutex_lock(&n->mutex);
	for (;;) {
		while (n->in == NULL && !n->stop)
			pthread_cond_wait(&n->wake, &n->mutex);
		if (n->stop)
			break;
		j = n->in;
		if ((n->in = j->next) == NULL)
			n->in_end = &n->in;
		pthread_mutex_unlock(&n->mutex);
		if (j->fn != NULL)
			j->fn(j->arg);
		else
			look_up(j);
		pthread_mutex_lock(&n->mutex);
		j->next = NULL;
		*n->out_end = j;
		n->out_end = &j->next;
		eventfd_write(n->fd, 1);
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

static struct name *
find(const struct names *n, uid_t uid)
{
	struct name *k = n->hash[uid % 256];

	while (k != NULL && k->uid != uid)
		k = k->next;
	return k;
}

static void
keep(struct names *n, const struct job *j)
{
	struct name *k = find(n, j->uid);

	if (j->name[0] == '\0')
		return;
	if (k == NULL) {
		if ((k = calloc(1, sizeof *k)) == NULL)
			return;
		k->uid = j->uid;
		k->next = n->hash[j->uid % 256];
		n->hash[j->uid % 256] = k;
	}
	memcpy(k->name, j->name, sizeof k->name);
	k->asked_ms = boot_ms();
}

static void
finished(evutil_socket_t fd, short what, void *arg)
{
	struct names *n = arg;
	struct job *j, *next;
	eventfd_t v;

	(void)what;
	eventfd_read((int)fd, &v);
	pthread_mutex_lock(&n->mutex);
	j = n->out;
	n->out = NULL;
	n->out_end = &n->out;
	pthread_mutex_unlock(&n->mutex);
	for (; j != NULL; j = next) {
		next = j->next;
		if (j->fn == NULL)
			keep(n, j);
		j->done(j->arg);
		free(j);
	}
}

static void
submit(struct names *n, struct job *j)
{
	pthread_mutex_lock(&n->mutex);
	*n->in_end = j;
	n->in_end = &j->next;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->mutex);
}

int
names_new(struct event_base *base, struct names **ret, struct err *e)
{
	struct names *n = calloc(1, sizeof *n);

	if (n == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	n->in_end = &n->in;
	n->out_end = &n->out;
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->wake, NULL);
	n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->ev = n->fd < 0 ? NULL : event_new(base, n->fd, EV_READ | EV_PERSIST, finished, n);
	if (n->ev == NULL || event_add(n->ev, NULL) != 0 ||
	    pthread_create(&n->thread, NULL, worker, n) != 0) {
		if (n->ev != NULL)
			event_free(n->ev);
		if (n->fd >= 0)
			close(n->fd);
		free(n);
		return err_set(e, V_IO, "cannot start the name look-up thread");
	}
	*ret = n;
	return 0;
}

const char *
names_find(const struct names *n, uid_t uid)
{
	const struct name *k = find(n, uid);

	return k != NULL && boot_ms() - k->asked_ms < NAME_LIFE_MS ? k->name : NULL;
}

void
names_ask(struct names *n, uid_t uid, void (*done)(void *arg), void *arg)
{
	struct job *j = calloc(1, sizeof *j);

	must(j != NULL);
	*j = (struct job){ .uid = uid, .done = done, .arg = arg };
	submit(n, j);
}

void
names_run(struct names *n, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *j = calloc(1, sizeof *j);

	must(j != NULL);
	*j = (struct job){ .fn = fn, .done = done, .arg = arg };
	submit(n, j);
}

void
names_flush(struct names *n)
{
	for (int i = 0; i < 256; i++)
		while (n->hash[i] != NULL) {
			struct name *k = n->hash[i];

			n->hash[i] = k->next;
			free(k);
		}
}
