/*
 * pacing.c - see pacing.h. A client stands in one of two heaps (by whether somebody waits) under
 * the time when its next request may go out; whatever changed since is found when it comes up.
 */
#include "vaultd/pacing.h"

#include <stdlib.h>
#include <string.h>

#include "vaultd/pacing_heap.h"

#define ITEM_CHAINS	16384
#define CHAINS		1024
#define BREAK_AFTER	5	/* failures in a row until a host is left alone */
#define WAIT_MIN_MS	2000
#define WAIT_MAX_MS	60000

enum { WANTED, DUE, KINDS };

struct gcra {			/* ITU-T I.371: a token bucket in two numbers, in us */
	int64_t		interval, tolerance, next;
};

struct host {
	struct host	*chain;
	struct id	 key;
	struct client	*clients;
	unsigned	 failures, in_flight;
	int64_t		 open_until;
};

struct client {
	struct client	*chain, *next_of_host;
	struct id	 key;
	struct host	*host;
	struct gcra	 ours, theirs;
	unsigned	 in_flight, throttled;
	int64_t		 blocked_until;
	struct heap	 items[KINDS];
	struct heap_node at[KINDS];	/* in ready[] */
};

struct item {
	struct item	*chain;
	struct id	 connection;
	struct client	*client;
	struct heap_node at;		/* in its client's items[kind] */
	unsigned	 kind;
	bool		 under_way;
	void		*arg;
};

struct pacing {
	struct pacing_conf conf;
	struct heap	 ready[KINDS];
	size_t		 waiting, due, under_way[KINDS], clients;
	uint64_t	 turn;
	struct item	*item[ITEM_CHAINS];
	struct client	*client[CHAINS];
	struct host	*host[CHAINS];
};

static size_t
chain_of(const struct id *id, size_t chains)
{
	uint32_t h;

	memcpy(&h, id->b, sizeof h);	/* ids and keys are random or hashes */
	return h % chains;
}

/* ---- rates */

/*
 * No window of WINDOW_S has more than N: a burst of a tenth, the rest at an even pace.
 */
static struct gcra
gcra_of(uint32_t n, uint32_t window_s)
{
	uint32_t burst = n < 10 ? 1 : n / 10, rest = n > burst ? n - burst : 1;
	struct gcra g = { 0 };

	if (n == 0 || window_s == 0)
		return g;
	g.interval = (int64_t)window_s * 1000000 / rest;
	g.tolerance = g.interval * (burst - 1);
	return g;
}

static int64_t
gcra_ready_ms(const struct gcra *g)
{
	return (g->next - g->tolerance + 999) / 1000;
}

static void
gcra_take(struct gcra *g, int64_t now_ms)
{
	if (g->interval != 0)
		g->next = (g->next > now_ms * 1000 ? g->next : now_ms * 1000) + g->interval;
}

/* ---- finding */

static struct item *
item_find(struct pacing *p, const struct id *connection)
{
	struct item *i = p->item[chain_of(connection, ITEM_CHAINS)];

	while (i != NULL && !id_equal(&i->connection, connection))
		i = i->chain;
	return i;
}

static void
item_unlink(struct pacing *p, struct item *i)
{
	struct item **at = &p->item[chain_of(&i->connection, ITEM_CHAINS)];

	while (*at != i)
		at = &(*at)->chain;
	*at = i->chain;
}

static struct host *
host_of(struct pacing *p, const struct id *key)
{
	struct host **at = &p->host[chain_of(key, CHAINS)], *h;

	for (h = *at; h != NULL && !id_equal(&h->key, key); )
		h = h->chain;
	if (h != NULL || (h = calloc(1, sizeof *h)) == NULL)
		return h;
	h->key = *key;
	h->chain = *at;
	return *at = h;
}

/* A client that becomes ready always has a place. */
static bool
places_for_one_more(struct pacing *p)
{
	return heap_reserve(&p->ready[WANTED], p->clients + 1) &&
	    heap_reserve(&p->ready[DUE], p->clients + 1);
}

/* As many stay as there were clients; limits may change with the connector. */
static struct client *
client_of(struct pacing *p, const struct pacing_client *of)
{
	struct client **at = &p->client[chain_of(&of->key, CHAINS)], *c;
	struct gcra theirs = gcra_of(of->limit, of->limit_s);

	for (c = *at; c != NULL && !id_equal(&c->key, &of->key); )
		c = c->chain;
	if (c == NULL) {
		if ((c = calloc(1, sizeof *c)) == NULL || !places_for_one_more(p) ||
		    (c->host = host_of(p, &of->host)) == NULL) {
			free(c);
			return NULL;
		}
		c->key = of->key;
		c->ours = gcra_of(p->conf.per_second, 1);
		c->next_of_host = c->host->clients;
		c->host->clients = c;
		c->chain = *at;
		*at = c;
		p->clients++;
	}
	theirs.next = c->theirs.next;
	c->theirs = theirs;
	return c;
}

/* ---- when */

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
ready_ms(const struct client *c)
{
	int64_t t = later(c->blocked_until, c->host->open_until);

	return later(t, later(gcra_ready_ms(&c->ours), gcra_ready_ms(&c->theirs)));
}

static bool
host_is_broken(const struct host *h)
{
	return h->failures >= BREAK_AFTER;
}

/* One at a time tries whether it is over. */
static bool
has_room(const struct pacing *p, const struct client *c)
{
	if (host_is_broken(c->host))
		return c->host->in_flight == 0;
	return c->in_flight < (c->throttled > 0 ? 1 : p->conf.in_flight);
}

/* C stands where it belongs, for both kinds. */
static void
arm(struct pacing *p, struct client *c)
{
	for (unsigned k = 0; k < KINDS; k++)
		if (c->items[k].n > 0 && c->at[k].at == 0 && has_room(p, c)) {
			c->at[k].key = ready_ms(c);
			c->at[k].seq = ++p->turn;
			heap_put(&p->ready[k], &c->at[k]);
		}
}

/* ---- waiting */

/* Places are had beforehand: what waits can always be moved. */
static bool
reserve(struct client *c)
{
	return heap_reserve(&c->items[WANTED], c->items[WANTED].n + 1) &&
	    heap_reserve(&c->items[DUE], c->items[DUE].n + 1);
}

static void
enqueue(struct pacing *p, struct item *i, unsigned kind, int64_t ends_ms)
{
	i->kind = kind;
	i->at.key = kind == WANTED ? 0 : ends_ms;
	i->at.seq = ++p->turn;
	heap_put(&i->client->items[kind], &i->at);
	p->waiting++;
	p->due += kind == DUE;
}

static void
dequeue(struct pacing *p, struct item *i)
{
	heap_remove(&i->client->items[i->kind], &i->at);
	p->waiting--;
	p->due -= i->kind == DUE;
}

static bool
to_the_front(struct pacing *p, struct item *i)
{
	if (i->under_way || !reserve(i->client))
		return false;
	if (i->kind == DUE) {
		dequeue(p, i);
		enqueue(p, i, WANTED, 0);
		arm(p, i->client);
	}
	return true;
}

bool
pacing_add(struct pacing *p, const struct id *connection, const struct pacing_client *client,
    int64_t ends_ms, bool wanted, int64_t now_ms)
{
	struct item *i = item_find(p, connection);
	struct client *c;

	(void)now_ms;
	if (i != NULL)
		return wanted ? to_the_front(p, i) : !i->under_way;
	if ((c = client_of(p, client)) == NULL || !reserve(c))
		return false;
	if (!wanted && (p->due >= PACING_MAX || c->items[DUE].n >= PACING_CLIENT_MAX))
		return false;
	if ((i = calloc(1, sizeof *i)) == NULL)
		return false;
	i->connection = *connection;
	i->client = c;
	i->chain = p->item[chain_of(connection, ITEM_CHAINS)];
	p->item[chain_of(connection, ITEM_CHAINS)] = i;
	enqueue(p, i, wanted ? WANTED : DUE, ends_ms);
	arm(p, c);
	return true;
}

void **
pacing_arg(struct pacing *p, const struct id *connection)
{
	struct item *i = item_find(p, connection);

	return i == NULL || i->under_way ? NULL : &i->arg;
}

/* ---- turns */

static void
start(struct pacing *p, struct client *c, unsigned kind, int64_t now_ms, struct id *ret,
    void **ret_arg)
{
	struct item *i = heap_owner(c->items[kind].v[0], struct item, at);

	heap_remove(&p->ready[kind], &c->at[kind]);
	dequeue(p, i);
	i->under_way = true;
	c->in_flight++;
	c->host->in_flight++;
	p->under_way[kind]++;
	gcra_take(&c->ours, now_ms);
	gcra_take(&c->theirs, now_ms);
	arm(p, c);
	*ret = i->connection;
	*ret_arg = i->arg;
	i->arg = NULL;
}

/* The first of KIND whose time has come, put right on the way; NULL: none. */
static struct client *
first_ready(struct pacing *p, unsigned kind, int64_t now_ms)
{
	struct heap *h = &p->ready[kind];

	while (h->n > 0 && h->v[0]->key <= now_ms) {
		struct client *c = heap_owner(h->v[0] - kind, struct client, at);

		if (c->items[kind].n > 0 && has_room(p, c) && ready_ms(c) <= now_ms)
			return c;
		heap_remove(h, &c->at[kind]);
		arm(p, c);	/* later, or when there is room */
	}
	return NULL;
}

bool
pacing_next(struct pacing *p, int64_t now_ms, struct id *ret, void **ret_arg)
{
	struct client *c;

	for (unsigned k = 0; k < KINDS; k++) {
		if (k == DUE && p->under_way[DUE] >= p->conf.background)
			break;
		if ((c = first_ready(p, k, now_ms)) != NULL) {
			start(p, c, k, now_ms, ret, ret_arg);
			return true;
		}
	}
	return false;
}

/* ---- ends */

static int64_t
backoff_ms(unsigned n)
{
	return n >= 5 ? WAIT_MAX_MS : (int64_t)WAIT_MIN_MS << n;
}

static void
note_end(struct client *c, enum pacing_end end, int64_t until_ms, int64_t now_ms)
{
	struct host *h = c->host;

	switch (end) {
	case PACED_ANSWERED:
		c->throttled = 0;
		h->failures = 0;
		break;
	case PACED_THROTTLED:
		if (until_ms == 0)
			until_ms = now_ms + backoff_ms(c->throttled);
		c->blocked_until = later(c->blocked_until, until_ms);
		c->throttled++;
		h->failures = 0;
		break;
	case PACED_FAILED:
		/* Those that were under way when it broke say nothing new. */
		if (h->open_until <= now_ms && ++h->failures >= BREAK_AFTER)
			h->open_until = now_ms + backoff_ms(h->failures - BREAK_AFTER);
		break;
	case PACED_NOTHING:
		break;
	}
}

void
pacing_done(struct pacing *p, const struct id *connection, enum pacing_end end,
    int64_t until_ms, int64_t now_ms)
{
	struct item *i = item_find(p, connection);
	struct client *c;
	bool broken;

	if (i == NULL || !i->under_way)
		return;
	c = i->client;
	broken = host_is_broken(c->host);
	c->in_flight--;
	c->host->in_flight--;
	p->under_way[i->kind]--;
	item_unlink(p, i);
	free(i);
	note_end(c, end, until_ms, now_ms);
	arm(p, c);
	if (broken)		/* those of others waited for this one */
		for (struct client *o = c->host->clients; o != NULL; o = o->next_of_host)
			arm(p, o);
}

enum pacing_block
pacing_blocked(struct pacing *p, const struct pacing_client *client, int64_t now_ms,
    int64_t *ret_until_ms)
{
	struct client *c = client_of(p, client);

	*ret_until_ms = c == NULL ? 0 : ready_ms(c);
	if (*ret_until_ms <= now_ms)
		return PACING_FREE;
	if (c->host->open_until == *ret_until_ms)
		return PACING_DOWN;
	return c->blocked_until == *ret_until_ms ? PACING_THROTTLED : PACING_LIMIT;
}

int64_t
pacing_wait_ms(const struct pacing *p, int64_t now_ms)
{
	int64_t first = INT64_MAX;

	for (unsigned k = 0; k < KINDS; k++)
		if (p->ready[k].n > 0 && p->ready[k].v[0]->key < first &&
		    (k == WANTED || p->under_way[DUE] < p->conf.background))
			first = p->ready[k].v[0]->key;
	return first == INT64_MAX ? -1 : later(first - now_ms, 0);
}

size_t
pacing_waiting(const struct pacing *p)
{
	return p->waiting;
}

size_t
pacing_under_way(const struct pacing *p)
{
	return p->under_way[WANTED] + p->under_way[DUE];
}

int
pacing_new(const struct pacing_conf *conf, struct pacing **ret, struct err *e)
{
	struct pacing *p = calloc(1, sizeof *p);

	if (p == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	p->conf = *conf;
	if (p->conf.in_flight < 1)
		p->conf.in_flight = 1;
	if (p->conf.background < 1)
		p->conf.background = 1;
	*ret = p;
	return 0;
}

static void
free_chain(void *first, size_t chain_at, void (*done)(void *))
{
	for (void *v = first, *next; v != NULL; v = next) {
		memcpy(&next, (char *)v + chain_at, sizeof next);
		if (done != NULL)
			done(v);
		free(v);
	}
}

static void
client_done(void *v)
{
	struct client *c = v;

	for (unsigned k = 0; k < KINDS; k++)
		free(c->items[k].v);
}

void
pacing_free(struct pacing *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < ITEM_CHAINS; i++)
		free_chain(p->item[i], offsetof(struct item, chain), NULL);
	for (size_t i = 0; i < CHAINS; i++) {
		free_chain(p->client[i], offsetof(struct client, chain), client_done);
		free_chain(p->host[i], offsetof(struct host, chain), NULL);
	}
	for (unsigned k = 0; k < KINDS; k++)
		free(p->ready[k].v);
	free(p);
}
