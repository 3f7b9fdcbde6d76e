/*
 * get-token.c - the smallest useful program: a valid token, as the header an API wants.
 *
 *	cc get-token.c $(pkg-config --cflags --libs libvaultd) -o get-token
 *	./get-token github
 */
#include <stdio.h>

#include "vaultd.h"

int
main(int argc, char **argv)
{
	struct vaultd *v = NULL;
	struct vaultd_token t = { 0 };
	struct vaultd_error e;
	int rc = 0;

	if (vaultd_open(NULL, &v, &e) != 0 ||
	    vaultd_token_get(v, argc > 1 ? argv[1] : "", 0, &t, &e) != 0) {
		fprintf(stderr, "%s\n%s\n", e.message, e.advice);
		rc = 1;
	} else {
		printf("%s %s\n", t.token_type, t.access_token);
	}
	vaultd_token_done(&t);
	vaultd_close(v);
	return rc;
}
