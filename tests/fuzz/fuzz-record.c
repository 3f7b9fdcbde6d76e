/* Records of the store, wraps, sealed blobs: first byte picks the type. */
#include <string.h>

#include "vaultd/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct connection c;
	static struct folder f;
	struct grant g = { 0 };
	struct release r = { 0 };
	static struct app a;
	static struct binding b;
	static struct pending pe;
	static struct tombstone ts;
	struct made made;
	struct intent in;
	struct wraps w = { 0 };
	struct wrap_view wv;
	struct release_view rv;
	struct slice s = { p + 1, n - 1 };
	struct err e;

	if (n == 0)
		return 0;
	switch (p[0] % 12) {
	case 0:
		connection_decode(s, &c, &e);
		break;
	case 1:
		if (grant_decode(s, &g, &e) == 0)
			grant_done(&g);
		break;
	case 2: {
		bool viewed = release_view(s, &rv);

		if (release_decode(s, &r, &e) == 0) {
			must(viewed && rv.version == r.version && rv.expires == r.expires);
			release_done(&r);
		}
		break;
	}
	case 3:
		folder_decode(s, &f, &e);
		break;
	case 4:
		if (app_decode(s, &a, &e) == 0)
			app_done(&a);
		break;
	case 5:
		if (pending_decode(s, &pe, &e) == 0)
			pending_done(&pe);
		break;
	case 9:
		tombstone_decode(s, &ts, &e);
		break;
	case 6:
		intent_decode(s, &in, &e);
		break;
	case 7:
		if (wraps_decode(s, &w, &e) == 0)
			wraps_done(&w);
		break;
	case 8:
		wrap_decode(s, &wv, &e);
		envelope_plain_len(s);
		break;
	case 10:
		binding_decode(s, &b, &e);
		break;
	case 11:
		made_decode(s, &made, &e);
		break;
	}
	return 0;
}
