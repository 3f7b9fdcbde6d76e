/* Connector files: any bytes; what loads is expanded with variables of any bytes. */
#include "common/json.h"
#include "connectors/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct connector c;
	struct ex_vars v = { .n = 1, .v = { { "host", "x.example" } } };
	char out[EX_URL];
	struct err e;

	if (connector_parse("f.json", (struct slice){ p, n }, &c, &e) != 0)
		return 0;
	if (c.token_url != NULL)
		connector_expand(&c, c.token_url, &v, out, sizeof out, &e);
	if (c.api_base != NULL)
		connector_expand(&c, c.api_base, &v, out, sizeof out, &e);
	for (size_t i = 0; i < c.ntoken_params; i++)
		connector_expand_text(&c, c.token_params[i].value, &v, out, sizeof out, &e);
	for (size_t i = 0; i < c.nmandatory; i++)
		connector_expand_text(&c, c.scopes_mandatory[i], &v, out, sizeof out, &e);
	connector_done(&c);
	return 0;
}
