/*
 * test-work.c - how many jobs are kept waiting, for one host and at all.
 */
#include "egress/test-rig.h"

static struct rig rig;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint performed, refused, freed;

static int
to_slow(struct job *j, struct err *e)
{
	(void)e;
	snprintf(j->host, sizeof j->host, "slow.example");
	return 0;
}

static int
to_nobody(struct job *j, struct err *e)
{
	(void)j;
	(void)e;
	return 0;
}

static int
wait_at_gate(struct job *j, struct err *e)
{
	(void)j;
	(void)e;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	performed++;
	return 0;
}

/* Runs as the job is given back, when its outcome is known. */
static void
count(void *state)
{
	struct job *j = state;

	refused += j->rc != 0 && j->err.id == ERR_BUSY;
	freed++;
}

static int
submit(int (*prepare)(struct job *, struct err *), struct err *e)
{
	struct job *j = calloc(1, sizeof *j);

	T_OK(j != NULL);
	j->x = &rig.x;
	j->prepare = prepare;
	j->perform = wait_at_gate;
	j->state = j;
	j->done_state = count;
	if (work_submit(rig.x.work, j, e) == 0)
		return 0;
	j->state = NULL;
	job_free(j);
	return (int)e->code;
}

static void
turn_until(const atomic_uint *n, unsigned want)
{
	for (int i = 0; i < 5000 && *n < want; i++) {
		event_base_loop(rig.x.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	T_EQ(*n, want);
}

static void
start(unsigned workers)
{
	rig_new(&rig);
	work_free(rig.x.work);
	rig.x.conf.workers = workers;
	rig.x.conf.host_concurrency = 1;
	T_DO(work_new(&rig.x, &rig.x.work, &(struct err){ 0 }), (struct err){ 0 });
	performed = refused = freed = 0;
	pthread_mutex_lock(&gate);
}

TEST(a_slow_host_keeps_so_many_waiting_and_no_more)
{
	struct err e;

	start(2);
	for (unsigned i = 0; i < WORK_HOST_MAX + 11; i++)
		T_DO(submit(to_slow, &e), e);
	turn_until(&freed, 10);		/* one talks, WORK_HOST_MAX wait, the rest was told */
	T_EQ(refused, 10);
	T_DO(submit(to_nobody, &e), e);	/* another host is none of its business */
	pthread_mutex_unlock(&gate);
	turn_until(&freed, WORK_HOST_MAX + 12);
	T_EQ(performed, WORK_HOST_MAX + 2);
	rig_done(&rig);
}

TEST(so_many_are_in_hand_and_no_more)
{
	struct err e;

	start(1);
	for (unsigned i = 0; i < WORK_MAX; i++)
		T_DO(submit(to_nobody, &e), e);
	T_EQ(submit(to_nobody, &e), V_BUSY);
	T_EQ(e.id, ERR_BUSY);
	pthread_mutex_unlock(&gate);
	turn_until(&freed, WORK_MAX);
	T_DO(submit(to_nobody, &e), e);	/* and there is room again */
	turn_until(&freed, WORK_MAX + 1);
	T_EQ(refused, 0);
	rig_done(&rig);
}

int
main(void)
{
	struct err e;

	if (secret_arena_init(1 << 20, true, &e) != 0)
		return 1;
	return unit_run();
}
