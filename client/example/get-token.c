/*
 * get-token.c - the smallest useful program: a valid token, and where to send it.
 *
 *	cc get-token.c $(pkg-config --cflags --libs libvaultd) -o get-token
 */
#include <stdio.h>

#include "vaultd.h"

int
main(int argc, char **argv)
{
	struct vaultd *v;
	struct vaultd_token t;
	struct vaultd_error e;
	int rc = 1;

	if (argc != 2 || vaultd_open(NULL, &v, &e) != 0)
		return 2;
	if (vaultd_token_get(v, argv[1], 0, &t, &e) != 0) {
		fprintf(stderr, "%s\n%s\n", e.message, e.advice);
	} else {
		printf("%s %s\n", t.token_type, t.access_token);
		vaultd_token_done(&t);
		rc = 0;
	}
	vaultd_close(v);
	return rc;
}
