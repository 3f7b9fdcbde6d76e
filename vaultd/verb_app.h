/*
 * verb_app.h - what the verbs of OAuth apps share. For verb_app*.c alone.
 */
#pragma once

#include "vaultd/app_secret.h"
#include "vaultd/request.h"

struct app_args {
	const char	*name, *connector, *client_id, *client_auth, *redirect_uri, *owner,
			*purpose;
	struct secret	 client_secret;
	struct strings	 scopes;
	struct ex_vars	 variables;
	int64_t		 rotate_by;
	/* of an app that signs */
	const char	*key, *certificate, *kid, *algorithm, *subject, *common_name;
	struct secret	 key_pem;
	int64_t		 certificate_days;
	bool		 request;
	int64_t		 secret_expires, overlap, revision;
	const char	*new_name;
	/* found or made */
	struct app	 a;
	uint64_t	 generation;
	struct buf	 wrap;		/* of a.blob's key, for what is asked about it later */
};

void app_args_done(void *args);
/* For verb->object: the app that args->name names, id or name. */
int app_object(struct request *r, struct err *e);
/* For r->after: the app as it is now. */
void app_reply(struct request *r);
/* What Show says of it. A new reference. */
json_t *app_json(struct request *r, const struct app *a, uint64_t generation);
/* ERR_CONFLICT when it was changed since args->revision. */
int app_check_revision(const struct app_args *a, struct err *e);
int app_fill_scopes(struct app_args *a, struct err *e);

/*
 * Has egress seal args->client_secret for args->a, and puts app and wrap into r->changes. OLD: what
 * there is, for an app that gets another secret; or zero. Returns REQUEST_WAIT.
 */
int app_seal(struct request *r, const struct sealed *old);

/* Has the key of args->a destroyed in the HSM, by args->wrap. Nobody waits for it; when it fails,
 * the log says so. Nothing happens for an app without a key. */
void app_forget_key(struct request *r);
/* For r->conflict of what made a key. */
void app_key_conflict(struct request *r);
