/*
 * pacing_heap.c - see pacing_heap.h.
 */
#include "vaultd/pacing_heap.h"

#include <stdlib.h>

bool
heap_reserve(struct heap *h, size_t n)
{
	size_t cap = h->cap == 0 ? 4 : h->cap;
	struct heap_node **v;

	while (cap < n)
		cap *= 2;
	if (cap == h->cap)
		return true;
	if ((v = reallocarray(h->v, cap, sizeof(struct heap_node *))) == NULL)
		return false;
	h->v = v;
	h->cap = cap;
	return true;
}

static bool
before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void
place(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->at = i + 1;
}

static void
up(struct heap *h, size_t i, struct heap_node *node)
{
	for (; i > 0 && before(node, h->v[(i - 1) / 2]); i = (i - 1) / 2)
		place(h, i, h->v[(i - 1) / 2]);
	place(h, i, node);
}

static void
down(struct heap *h, size_t i, struct heap_node *node)
{
	size_t child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && before(h->v[child + 1], h->v[child]))
			child++;
		if (!before(h->v[child], node))
			break;
		place(h, i, h->v[child]);
		i = child;
	}
	place(h, i, node);
}

void
heap_put(struct heap *h, struct heap_node *node)
{
	up(h, h->n++, node);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->at - 1;
	struct heap_node *last = h->v[--h->n];

	node->at = 0;
	if (last == node)
		return;
	if (i > 0 && before(last, h->v[(i - 1) / 2]))
		up(h, i, last);
	else
		down(h, i, last);
}
