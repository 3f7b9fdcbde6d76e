/* What egress/tlskey.c asks of keys.c: a fuzzer has no keys, and makes no connection with one. */
#include "common/err.h"
#include "egress/egress.h"

int
keys_sign_tls(struct egress *x, const struct app_key *k, enum tls_scheme scheme,
    struct slice tbs, struct secret *ret, struct err *e)
{
	(void)x;
	(void)k;
	(void)scheme;
	(void)tbs;
	(void)ret;
	return err_set(e, V_STATE, "a fuzzer has no keys");
}
