#include "tests/unit.h"

#include "common/auto.h"
#include "vaultd/pacing.h"

#define HOUR	3600000LL

static struct id
id_of(unsigned n, unsigned char what)
{
	struct id id = { { 0 } };

	memcpy(id.b, &n, sizeof n);
	id.b[15] = what;
	return id;
}

static struct pacing_client
client(unsigned n, unsigned host)
{
	return (struct pacing_client){ .key = id_of(n, 1), .host = id_of(host, 2) };
}

static struct pacing *
made(unsigned in_flight, unsigned per_second)
{
	struct pacing_conf conf = { in_flight, per_second, 1000 };
	struct pacing *p;
	struct err e;

	T_DO(pacing_new(&conf, &p, &e), e);
	return p;
}

static bool
add(struct pacing *p, unsigned connection, struct pacing_client c, int64_t ends, bool wanted)
{
	struct id id = id_of(connection, 0);

	return pacing_add(p, &id, &c, ends, wanted, 0);
}

/* Whose turn it is; -1: nobody's. */
static int
next(struct pacing *p, int64_t now)
{
	struct id id;
	void *arg;
	int n;

	if (!pacing_next(p, now, &id, &arg))
		return -1;
	memcpy(&n, id.b, sizeof n);
	return n;
}

static void
done(struct pacing *p, int connection, enum pacing_end end, int64_t until, int64_t now)
{
	struct id id = id_of((unsigned)connection, 0);

	pacing_done(p, &id, end, until, now);
}

TEST(row_37_the_token_that_ends_first_goes_first)
{
	struct pacing *p = made(10, 0);
	static const int ends[] = { 500, 100, 400, -7000, 200, 300 };

	for (unsigned i = 0; i < 6; i++)
		T_OK(add(p, i, client(0, 0), ends[i], false));
	T_EQ(next(p, 0), 3);
	T_EQ(next(p, 0), 1);
	T_EQ(next(p, 0), 4);
	T_EQ(next(p, 0), 5);
	T_EQ(next(p, 0), 2);
	T_EQ(next(p, 0), 0);
	T_EQ(next(p, 0), -1);
	T_EQ(pacing_under_way(p), 6);
	pacing_free(p);
}

TEST(row_37_what_somebody_waits_for_goes_before_what_is_due)
{
	struct pacing *p = made(1, 0);

	for (unsigned i = 0; i < 100; i++)
		T_OK(add(p, i, client(0, 0), 1, false));
	T_EQ(next(p, 0), 0);
	T_OK(add(p, 500, client(0, 0), 99999, true));
	T_OK(add(p, 77, client(0, 0), 1, true));	/* was only due: it moves to the front */
	T_EQ(next(p, 0), -1);				/* but never over what may be under way */
	done(p, 0, PACED_ANSWERED, 0, 0);
	T_EQ(next(p, 0), 500);
	done(p, 500, PACED_ANSWERED, 0, 0);
	T_EQ(next(p, 0), 77);
	done(p, 77, PACED_ANSWERED, 0, 0);
	T_EQ(next(p, 0), 1);
	T_EQ(pacing_waiting(p), 97);
	pacing_free(p);
}

TEST(one_waits_once_and_not_while_it_is_under_way)
{
	struct pacing *p = made(4, 0);
	struct id id = id_of(1, 0);

	T_OK(add(p, 1, client(0, 0), 1, false));
	T_OK(add(p, 1, client(0, 0), 1, false));
	T_OK(add(p, 1, client(0, 0), 1, true));
	T_EQ(pacing_waiting(p), 1);
	*pacing_arg(p, &id) = p;
	T_EQ(next(p, 0), 1);
	T_OK(pacing_arg(p, &id) == NULL);
	T_NOT(add(p, 1, client(0, 0), 1, true));
	T_NOT(add(p, 1, client(0, 0), 1, false));
	done(p, 1, PACED_NOTHING, 0, 0);
	done(p, 1, PACED_NOTHING, 0, 0);		/* nothing twice */
	T_EQ(pacing_under_way(p), 0);
	T_OK(add(p, 1, client(0, 0), 1, false));
	pacing_free(p);
}

TEST(a_client_has_so_many_under_way_and_others_do_not_wait_for_it)
{
	struct pacing *p = made(2, 0);

	for (unsigned i = 0; i < 5; i++)
		T_OK(add(p, i, client(0, 0), (int)i, false));
	T_OK(add(p, 10, client(1, 0), 0, false));
	T_EQ(next(p, 0), 0);
	T_EQ(next(p, 0), 10);	/* turn by turn */
	T_EQ(next(p, 0), 1);
	T_EQ(next(p, 0), -1);
	T_EQ(pacing_wait_ms(p, 0), -1);	/* not by time alone */
	done(p, 1, PACED_ANSWERED, 0, 0);
	T_EQ(pacing_wait_ms(p, 0), 0);
	T_EQ(next(p, 0), 2);
	T_EQ(next(p, 0), -1);
	pacing_free(p);
}

TEST(row_57_a_429_slows_the_client_not_the_connection_and_no_other_client)
{
	struct pacing *p = made(4, 0);
	struct pacing_client c = client(0, 0), other = client(1, 0);
	int64_t until;

	for (unsigned i = 0; i < 8; i++)
		T_OK(add(p, i, c, (int)i, i == 7));
	T_EQ(next(p, 1000), 7);
	done(p, 7, PACED_THROTTLED, 31000, 1000);
	T_EQ(next(p, 1000), -1);
	T_EQ(pacing_blocked(p, &c, 1000, &until), PACING_THROTTLED);
	T_EQ(until, 31000);
	T_EQ(pacing_blocked(p, &other, 1000, &until), PACING_FREE);
	T_OK(add(p, 20, other, 0, false));
	T_EQ(next(p, 1000), 20);
	T_OK(add(p, 21, c, 0, true));		/* nor does wanting help */
	T_EQ(next(p, 30999), -1);
	T_EQ(pacing_wait_ms(p, 30000), 1000);
	T_EQ(next(p, 31000), 21);
	T_EQ(next(p, 31000), -1);		/* one tries whether it is over */
	done(p, 21, PACED_ANSWERED, 0, 31100);
	T_EQ(next(p, 31100), 0);
	T_EQ(next(p, 31100), 1);
	pacing_free(p);
}

TEST(row_57_a_429_without_a_time_waits_longer_each_time)
{
	static const int64_t wait[] = { 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct pacing *p = made(4, 0);
	struct pacing_client c = client(0, 0);
	int64_t now = 5000, until;

	for (unsigned i = 0; i < sizeof wait / sizeof *wait; i++) {
		T_OK(add(p, i, c, 0, true));
		T_EQ(next(p, now), (int)i);
		done(p, (int)i, PACED_THROTTLED, 0, now);
		T_EQ(pacing_blocked(p, &c, now, &until), PACING_THROTTLED);
		T_EQ(until, now + wait[i]);
		now = until;
	}
	pacing_free(p);
}

TEST(row_57_a_host_that_fails_is_left_alone_and_then_tried_once_at_a_time)
{
	struct pacing *p = made(4, 0);
	struct pacing_client a = client(0, 0), b = client(1, 0), elsewhere = client(2, 1);
	int64_t until;

	for (int i = 0; i < 5; i++) {
		T_OK(add(p, (unsigned)i, a, 0, false));
		T_EQ(next(p, 0), i);
		T_EQ(pacing_blocked(p, &a, 0, &until), PACING_FREE);
		done(p, i, PACED_FAILED, 0, 0);
	}
	T_OK(add(p, 10, a, 0, false));
	T_OK(add(p, 11, b, 0, true));
	T_OK(add(p, 12, elsewhere, 0, false));
	T_EQ(next(p, 0), 12);
	T_EQ(next(p, 0), -1);
	T_EQ(pacing_blocked(p, &b, 0, &until), PACING_DOWN);
	T_EQ(until, 2000);
	T_EQ(next(p, 2000), 11);
	T_EQ(next(p, 2000), -1);
	done(p, 11, PACED_FAILED, 0, 2100);
	T_EQ(next(p, 6099), -1);
	T_EQ(next(p, 6100), 10);
	done(p, 10, PACED_ANSWERED, 0, 6200);
	T_EQ(pacing_blocked(p, &b, 6200, &until), PACING_FREE);
	pacing_free(p);
}

TEST(what_waits_for_the_one_that_tries_goes_on_when_it_is_done)
{
	struct pacing *p = made(4, 0);
	struct pacing_client a = client(0, 0), b = client(1, 0);

	for (int i = 0; i < 5; i++) {
		T_OK(add(p, (unsigned)i, a, 0, false));
		T_EQ(next(p, 0), i);
		done(p, i, PACED_FAILED, 0, 0);
	}
	T_OK(add(p, 10, a, 0, true));
	T_EQ(next(p, 2000), 10);
	T_OK(add(p, 11, b, 0, true));		/* another client of the host */
	T_EQ(next(p, 2000), -1);
	done(p, 10, PACED_ANSWERED, 0, 2001);
	T_EQ(next(p, 2001), 11);
	pacing_free(p);
}

/* No window of S seconds has more than N starts. */
static void
limit_holds(unsigned n, unsigned s)
{
	struct pacing *p = made(1000, 0);
	struct pacing_client c = client(0, 0);
	static int64_t at[4000];
	unsigned count = 0;

	c.limit = n;
	c.limit_s = s;
	for (unsigned i = 0; i < 4 * n; i++)
		T_OK(add(p, i, c, 0, i % 2 != 0));
	for (int64_t now = 50; pacing_waiting(p) > 0; ) {
		int64_t wait;
		int i = next(p, now);

		if (i >= 0) {
			at[count++] = now;
			done(p, i, PACED_ANSWERED, 0, now);
			continue;
		}
		wait = pacing_wait_ms(p, now);
		T_OK(wait > 0);
		now += wait;
	}
	for (unsigned i = n; i < count; i++)
		if (at[i] - at[i - n] < (int64_t)s * 1000 && n > 1)
			fail_msg("%u in %u s: %u within %lld ms", n, s, n + 1,
			    (long long)(at[i] - at[i - n]));
	T_OK(at[count - 1] < (int64_t)s * 1000 * 8);	/* and it is not much slower either */
	pacing_free(p);
}

TEST(row_57_a_limit_of_the_connector_is_kept_in_every_window)
{
	limit_holds(1, 10);
	limit_holds(2, 1);
	limit_holds(10, 600);
	limit_holds(200, 1);
	limit_holds(1000, 3600);
}

TEST(there_is_an_end_to_what_waits_and_wanting_goes_on)
{
	struct pacing *p = made(1, 0);
	unsigned i;

	for (i = 0; i < PACING_CLIENT_MAX; i++)
		T_OK(add(p, i, client(0, 0), 0, false));
	T_NOT(add(p, i, client(0, 0), 0, false));
	T_OK(add(p, i, client(0, 0), 0, true));
	for (i = 0; i < PACING_MAX - PACING_CLIENT_MAX; i++)	/* others have their part */
		T_OK(add(p, 100000 + i, client(1, 1), 0, false));
	T_NOT(add(p, 200000, client(2, 2), 0, false));
	T_OK(add(p, 200001, client(2, 2), 0, true));
	pacing_free(p);
}

/* ---- a provider that is limited, on a clock of its own */

struct sim {
	struct pacing	*p;
	int64_t		 now, rtt;
	unsigned	 per_second;
	int64_t		*started;		/* of each request, in order */
	unsigned	 n, finished, throttled, most, late;
	int		*who;
	int64_t		*ends;			/* of each connection's token */
};

static void
finish_due(struct sim *s)
{
	for (; s->finished < s->n && s->started[s->finished] + s->rtt <= s->now; s->finished++) {
		unsigned i = s->finished;
		bool over = i >= s->per_second && s->started[i] - s->started[i - s->per_second] < 1000;

		s->throttled += over;
		s->late += s->now > s->ends[s->who[i]];
		done(s->p, s->who[i], over ? PACED_THROTTLED : PACED_ANSWERED, 0, s->now);
	}
}

/* 100,000 tokens of an hour that are due within the same minute: nobody's runs out. What the due
 * index hands over at a time is what fits. */
TEST(row_37_a_hundred_thousand_due_at_once_and_none_runs_out)
{
	enum { N = 100000 };
	struct sim s = { .p = made(8, 200), .rtt = 25, .per_second = 200 };
	unsigned added = 0;

	s.started = calloc(N, sizeof *s.started);
	s.who = calloc(N, sizeof *s.who);
	s.ends = calloc(N, sizeof *s.ends);
	for (unsigned i = 0; i < N; i++)	/* due 12 minutes before they end */
		s.ends[i] = 720000 + (int64_t)(i * 7919LL % 60000);
	while (s.finished < N && s.now < HOUR) {
		int i;

		while (added < N && add(s.p, added, client(0, 0), s.ends[added], false))
			added++;
		while ((i = next(s.p, s.now)) >= 0) {
			s.started[s.n] = s.now;
			s.who[s.n++] = i;
			if (pacing_under_way(s.p) > s.most)
				s.most = (unsigned)pacing_under_way(s.p);
		}
		s.now++;
		finish_due(&s);
	}
	T_EQ(s.finished, N);
	T_EQ(s.throttled, 0);
	T_EQ(s.late, 0);
	T_OK(s.most <= 8);
	print_message("%d renewed in %lld s\n", N, (long long)s.now / 1000);
	free(s.started);
	free(s.who);
	free(s.ends);
	pacing_free(s.p);
}

int
main(void)
{
	return unit_run();
}
