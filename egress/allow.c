/*
 * allow.c - see allow.h.
 */
#include "egress/allow.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is not the public Internet (RFC 6890 and the cloud metadata addresses, which are
 * link-local). */
static const char *const special[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	/* IPv6, with every way to write an IPv4 address in it but the mapped one */
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/32", "100::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10",
	"ff00::/8", NULL,
};

static bool
parse(const char *text, struct allow_net *ret)
{
	char addr[64];
	const char *slash = strchr(text, '/');
	size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	struct in_addr v4;
	unsigned max = 128;
	char *end;

	if (n >= sizeof addr)
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, addr, &v4) == 1) {
		ret->addr.s6_addr[10] = ret->addr.s6_addr[11] = 0xff;
		memcpy(&ret->addr.s6_addr[12], &v4, 4);
		max = 32;
	} else if (inet_pton(AF_INET6, addr, &ret->addr) != 1) {
		return false;
	}
	ret->bits = slash == NULL ? max : (unsigned)strtoul(slash + 1, &end, 10);
	if (slash != NULL && (*end != '\0' || end == slash + 1 || ret->bits > max))
		return false;
	ret->bits += 128 - max;
	return true;
}

static bool
inside(const struct in6_addr *a, const struct allow_net *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(a->s6_addr, n->addr.s6_addr, whole) != 0)
		return false;
	return rest == 0 ||
	    ((a->s6_addr[whole] ^ n->addr.s6_addr[whole]) >> (8 - rest)) == 0;
}

int
allow_init(struct allow *a, const struct conf_list *addresses,
    const struct conf_list *hosts, struct err *e)
{
	*a = (struct allow){ .hosts = *hosts };
	if (addresses->n == 0)
		return 0;
	if ((a->net = calloc(addresses->n, sizeof *a->net)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	for (; a->nnets < addresses->n; a->nnets++)
		if (!parse(addresses->v[a->nnets], &a->net[a->nnets]))
			return err_set(e, V_INVALID, "allow_address: '%.60s' is not ADDRESS or "
			    "ADDRESS/BITS", addresses->v[a->nnets]);
	return 0;
}

void
allow_done(struct allow *a)
{
	free(a->net);
	*a = (struct allow){ 0 };
}

static bool
mapped(const struct sockaddr *sa, struct in6_addr *ret)
{
	if (sa->sa_family == AF_INET6) {
		*ret = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		return true;
	}
	if (sa->sa_family != AF_INET)
		return false;
	memset(ret, 0, sizeof *ret);
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(&ret->s6_addr[12], &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	return true;
}

bool
allow_address(const struct allow *a, const struct sockaddr *sa)
{
	struct in6_addr addr;
	struct allow_net n;

	if (!mapped(sa, &addr))
		return false;
	for (size_t i = 0; i < a->nnets; i++)
		if (inside(&addr, &a->net[i]))
			return true;
	for (const char *const *s = special; *s != NULL; s++)
		if (parse(*s, &n) && inside(&addr, &n))
			return false;
	return true;
}

bool
allow_host(const struct allow *a, const char *host)
{
	size_t n = strlen(host);

	for (size_t i = 0; i < a->hosts.n; i++) {
		const char *h = a->hosts.v[i];
		size_t m = strlen(h);

		if (strcasecmp(h, host) == 0)
			return true;
		if (h[0] == '.' && n > m && strcasecmp(host + n - m, h) == 0)
			return true;
	}
	return a->hosts.n == 0;
}
