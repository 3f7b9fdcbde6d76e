/*
 * work.c - see work.h.
 */
#include "egress/work.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/errors.h"
#include "egress/egress.h"
#include "egress/server.h"

#define WORKERS_MAX 128

struct work {
	struct egress	*x;
	pthread_t	 thread[WORKERS_MAX];
	unsigned	 nthreads;
	pthread_mutex_t	 mutex;
	pthread_cond_t	 wake;
	struct job	*ready, **ready_end;	/* to be prepared, or performed now */
	struct job	*parked, **parked_end;	/* prepared, waiting for their host's turn */
	struct job	*running;		/* singly linked by `next` */
	struct job	*done, **done_end;
	unsigned	 busy;
	unsigned	 held;			/* on all lists but done */
	bool		 stop;
	int		 fd;
	struct event	*ev;
};

void
job_free(struct job *j)
{
	if (j->state != NULL && j->done_state != NULL)
		j->done_state(j->state);
	secret_done(&j->body);
	msg_done(&j->answer);
	free(j);
}

/* ---- lists, under the mutex */

static void
add(struct job ***end, struct job *j)
{
	j->next = NULL;
	**end = j;
	*end = &j->next;
}

static bool
listed(const struct job *j, const struct id *attempt)
{
	for (; j != NULL; j = j->next)
		if (id_equal(&j->attempt, attempt))
			return true;
	return false;
}

static unsigned
talking_to(const struct work *w, const char *host)
{
	unsigned n = 0;

	for (const struct job *j = w->running; j != NULL; j = j->next)
		n += j->talking && strcmp(j->host, host) == 0;
	return n;
}

/* As many as wait for HOST: it is slow, and its callers are better told than kept. */
static bool
crowded(const struct work *w, const char *host)
{
	unsigned n = 0;

	for (const struct job *j = w->parked; j != NULL; j = j->next)
		n += strcmp(j->host, host) == 0;
	return n >= WORK_HOST_MAX;
}

static void
leave(struct work *w, struct job *j)
{
	struct job **at = &w->running;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	w->busy--;
}

static bool
take_turn(struct work *w, struct job *j)
{
	unsigned most = w->x->conf.host_concurrency < 1 ? 1 : w->x->conf.host_concurrency;

	if (j->host[0] != '\0' && !j->talking)
		j->talking = talking_to(w, j->host) < most;
	return j->host[0] == '\0' || j->talking;
}

/* The one that has waited longest of those whose host is free. */
static struct job *
next_parked(struct work *w)
{
	for (struct job **at = &w->parked; *at != NULL; at = &(*at)->next)
		if (take_turn(w, *at)) {
			struct job *j = *at;

			if ((*at = j->next) == NULL)
				w->parked_end = at;
			return j;
		}
	return NULL;
}

/* ---- threads */

/* Parked jobs whose turn came go before new ones. */
static struct job *
next_job(struct work *w)
{
	struct job *j = next_parked(w);

	if (j != NULL || (j = w->ready) == NULL)
		return j;
	if ((w->ready = j->next) == NULL)
		w->ready_end = &w->ready;
	return j;
}

static void
finish(struct work *w, struct job *j)
{
	w->held--;
	add(&w->done_end, j);
	eventfd_write(w->fd, 1);
	pthread_cond_broadcast(&w->wake);	/* a host's turn may be free */
}

static bool
prepared(struct job *j)
{
	if (j->prepare == NULL)
		return true;
	j->rc = j->prepare(j, &j->err);
	j->prepare = NULL;
	secret_done(&j->body);		/* a parked job holds no more than it needs */
	return j->rc == 0 && j->perform != NULL;
}

/* Not its turn: it waits, or is told at once that too many do. Nothing was sent for it. */
static bool
parked(struct work *w, struct job *j)
{
	if (take_turn(w, j))
		return false;
	leave(w, j);
	if (crowded(w, j->host)) {
		j->rc = err_name(&j->err, ERR_BUSY, "%u requests wait for %.200s already",
		    WORK_HOST_MAX, j->host);
		finish(w, j);
	} else {
		add(&w->parked_end, j);
	}
	return true;
}

static void
run(struct work *w, struct job *j)
{
	bool perform;

	j->next = w->running;
	w->running = j;
	w->busy++;
	pthread_mutex_unlock(&w->mutex);
	perform = prepared(j);
	pthread_mutex_lock(&w->mutex);
	if (perform && parked(w, j))
		return;
	if (perform) {
		pthread_mutex_unlock(&w->mutex);
		j->rc = j->perform(j, &j->err);
		pthread_mutex_lock(&w->mutex);
	}
	j->talking = false;
	leave(w, j);
	finish(w, j);
}

static void *
worker(void *arg)
{
	struct work *w = arg;
	struct job *j;

	pthread_mutex_lock(&w->mutex);
	while (!w->stop) {
		if ((j = next_job(w)) != NULL)
			run(w, j);
		else
			pthread_cond_wait(&w->wake, &w->mutex);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* ---- loop */

static void
collect(evutil_socket_t fd, short what, void *arg)
{
	struct work *w = arg;
	struct job *j, *next;
	eventfd_t v;

	(void)what;
	eventfd_read((int)fd, &v);
	pthread_mutex_lock(&w->mutex);
	j = w->done;
	w->done = NULL;
	w->done_end = &w->done;
	pthread_mutex_unlock(&w->mutex);
	for (; j != NULL; j = next) {
		next = j->next;
		server_answer(j);
		job_free(j);
	}
}

int
work_submit(struct work *w, struct job *j, struct err *e)
{
	bool full;

	pthread_mutex_lock(&w->mutex);
	full = w->held >= WORK_MAX;
	if (!full) {
		w->held++;
		add(&w->ready_end, j);
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->mutex);
	return full ? err_name(e, ERR_BUSY, "vault-egress has %u requests in hand already",
	    WORK_MAX) : 0;
}

bool
work_has(struct work *w, const struct id *attempt)
{
	bool has;

	pthread_mutex_lock(&w->mutex);
	has = listed(w->ready, attempt) || listed(w->parked, attempt) ||
	    listed(w->running, attempt);
	pthread_mutex_unlock(&w->mutex);
	return has;
}

unsigned
work_busy(struct work *w)
{
	unsigned n;

	pthread_mutex_lock(&w->mutex);
	n = w->busy;
	pthread_mutex_unlock(&w->mutex);
	return n;
}

int
work_new(struct egress *x, struct work **ret, struct err *e)
{
	struct work *w = calloc(1, sizeof *w);
	unsigned n = x->conf.workers < 1 ? 1 : x->conf.workers > WORKERS_MAX ? WORKERS_MAX :
	    x->conf.workers;

	if (w == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	w->x = x;
	w->ready_end = &w->ready;
	w->parked_end = &w->parked;
	w->done_end = &w->done;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->ev = event_new(x->base, w->fd, EV_READ | EV_PERSIST, collect, w);
	must(w->ev != NULL && event_add(w->ev, NULL) == 0);
	for (; w->nthreads < n; w->nthreads++)
		if (pthread_create(&w->thread[w->nthreads], NULL, worker, w) != 0)
			return err_set(e, V_IO, "cannot start worker threads");
	*ret = w;
	return 0;
}

static void
free_list(struct job *j)
{
	for (struct job *next; j != NULL; j = next) {
		next = j->next;
		job_free(j);
	}
}

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->mutex);
	for (unsigned i = 0; i < w->nthreads; i++)
		pthread_join(w->thread[i], NULL);
	free_list(w->ready);
	free_list(w->parked);
	free_list(w->done);
	event_free(w->ev);
	close(w->fd);
	free(w);
}
