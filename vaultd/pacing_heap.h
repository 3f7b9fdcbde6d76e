/*
 * pacing_heap.h - binary heap of nodes that lie in what they order; each knows its place, so that
 * any can be taken out. The least key is first, of equal ones the least seq.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t		key;
	uint64_t	seq;
	size_t		at;		/* 1 and up; 0 = in none */
};

struct heap {
	struct heap_node **v;
	size_t		  n, cap;
};

#define heap_owner(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

/* Room for N; false: out of memory. */
bool heap_reserve(struct heap *h, size_t n);
/* Room must be there; NODE must be in none. */
void heap_put(struct heap *h, struct heap_node *node);
void heap_remove(struct heap *h, struct heap_node *node);
