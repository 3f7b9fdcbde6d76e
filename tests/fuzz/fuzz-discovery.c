/* An issuer's metadata: any bytes. What is taken from it is a plain https URL. */
#include <string.h>

#include "common/json.h"
#include "egress/discovery.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_wiping_allocator();
	return 0;
}

static void
check_url(const char *url)
{
	must(strnlen(url, EX_URL) < EX_URL);
	must(*url == '\0' || strncmp(url, "https://", 8) == 0);
	must(strpbrk(url, " \"\\<>\r\n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct destination d;
	bool iss = false;
	struct err e;

	d = (struct destination){ .issuer = "https://i.example" };
	if (discovery_parse((struct slice){ p, n }, &d, &iss, &e) != 0) {
		must(e.code != 0 && e.text[0] != '\0');
		return 0;
	}
	must(strcmp(d.issuer, "https://i.example") == 0);
	must(d.authorization_url[0] != '\0' && d.token_url[0] != '\0');
	check_url(d.authorization_url);
	check_url(d.token_url);
	check_url(d.revocation_url);
	check_url(d.par_url);
	check_url(d.device_url);
	check_url(d.introspection_url);
	check_url(d.probe_url);
	return 0;
}
