/*
 * allow.h - which addresses and hosts may be reached. Checked on the address that is
 * about to be connected to, after DNS resolution: a public name that resolves to the
 * loopback or metadata address goes nowhere.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/conf.h"
#include "common/err.h"

struct allow_net {
	struct in6_addr	addr;		/* IPv4 mapped */
	unsigned	bits;		/* of 128 */
};

struct allow {
	struct allow_net	*net;
	size_t			 nnets;
	struct conf_list	 hosts;		/* borrowed from the configuration */
};

/* Errors: V_INVALID naming the value. */
int allow_init(struct allow *a, const struct conf_list *addresses,
    const struct conf_list *hosts, struct err *e);
void allow_done(struct allow *a);

/* Public, or listed. */
bool allow_address(const struct allow *a, const struct sockaddr *sa);
/* No list, or HOST is on it (exactly, or below a ".suffix"). */
bool allow_host(const struct allow *a, const char *host);
