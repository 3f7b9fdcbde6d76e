/*
 * ctl.h - what the commands of vaultctl share: a row per command, its options, one way to
 * call the vault, one way to print.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/vaultd.h"

/* Exit status, for scripts; vaultctl(1) lists them. */
enum {
	EX_OK		= 0,
	EX_FAILED	= 1,
	EX_USE		= 2,	/* the command line is wrong */
	EX_NOT_FOUND	= 3,
	EX_DENIED	= 4,	/* permission or policy */
	EX_RECONNECT	= 5,	/* the user must sign in again */
	EX_LATER	= 6,	/* the same command may work later */
	EX_ABORTED	= 7,	/* declined, interrupted, timed out */
};

#define OPTIONS_MAX 32
#define ARGS_MAX 256

struct option_value { const char *name, *value; };

struct ctl {
	struct vaultd		*v;
	const char		*socket;	/* NULL: the library's default */
	bool			 json;
	bool			 json_errors;	/* also of the command line, before it is read */
	const struct command	*command;
	const char		*arg[ARGS_MAX];	/* positional */
	int			 nargs;
	char			**rest;		/* behind "--", for a command with that option */
	unsigned long		 core_limit;	/* as we were started with */
	struct option_value	 option[OPTIONS_MAX];
	int			 noptions;
	int			 status;	/* of the failed call */
	struct vaultd_error	 error;
};

struct command {
	const char	*name;		/* "connection list" */
	const char	*args;		/* "CONNECTION", "" */
	int		 min, max;	/* positional arguments */
	/* "folder= scope=* paste": with value, repeatable, flag; "--": takes a program to run */
	const char	*options;
	const char	*help;		/* one line */
	const char	*more;		/* options explained, examples */
	int		(*run)(struct ctl *c);
};

extern const struct command *const command_tables[];	/* NULL ended, main.c */
extern const struct command commands_connect[], commands_connection[], commands_create[],
    commands_token[],
    commands_app[], commands_folder[], commands_connector[], commands_policy[],
    commands_audit[], commands_vault[], commands_binding[], commands_exec[],
    commands_events[], commands_wait[];					/* end with a zeroed row */
/* By the first of ARGC words; how many of them are its name. NULL: there is none. main.c */
const struct command *command_find(int argc, char **argv, size_t *words);
/* The option of N bytes at NAME in K's row: "name", "name=" or "name=*", then a space or the end.
 * NULL: K has none such. main.c */
const char *command_option(const struct command *k, const char *name, size_t n);

/* Commands in files of their own; ctl_complete() is for the shell. */
int ctl_app_key(struct ctl *c);
int ctl_app_set_certificate(struct ctl *c);
/* Adds what the options say of a key for an OAuth app to P. EX_USE or EX_FAILED: said why. */
int ctl_app_key_options(struct ctl *c, json_t *p);
int ctl_complete(struct ctl *c, int argc, char **argv);
int ctl_check_policy(struct ctl *c);
int ctl_check_connectors(struct ctl *c);

/* How the sign-in of BEGUN, an answer of Begin or Reconnect with a user_code, ended; it is told what
 * to do on the other device, and waits at most SECONDS. FAILED: the error is in C. ctl_device.c */
enum device_end { DEVICE_SIGNED_IN, DEVICE_FAILED, DEVICE_TIMED_OUT, DEVICE_STOPPED };
enum device_end ctl_device(struct ctl *c, const json_t *begun, int seconds);

/* The option's value, "" for a flag that was given, NULL when not; the I-th of a
 * repeatable one. */
const char *ctl_option(const struct ctl *c, const char *name);
const char *ctl_option_at(const struct ctl *c, const char *name, int i);

/* Calls METHOD; PARAMETERS is taken. A new reference, or NULL: the error was printed and
 * c->status is set. */
json_t *ctl_call(struct ctl *c, const char *method, json_t *parameters);
/* All pages of METHOD, whose answer has LIST and `next`, as one answer; each element handed to EACH (may
 * be NULL) instead of being kept. P is taken. NULL: the error was printed. */
json_t *ctl_pages(struct ctl *c, const char *method, const char *list, json_t *p,
    void (*each)(const json_t *element));
/* The same as ctl_call() without printing. */
json_t *ctl_try(struct ctl *c, const char *method, json_t *parameters);
void ctl_print_error(struct ctl *c);
int ctl_exit_of(const struct vaultd_error *e);
/* Whose move it is, by the owner of an error: "yours". */
const char *ctl_owner(const char *owner);
/* "error: ..." for what the vault has no part in. Returns STATUS. */
int ctl_fail(const struct ctl *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same as an error of the library's kind, in JSON when that is wanted. */
void ctl_own_error(struct ctl *c, const char *message, const char *advice_fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* printf() of texts that others chose: control characters become '?', so that no provider
 * and no colleague writes escape sequences to this terminal. */
void ctl_say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An option that is a whole number, at least MIN; 0 when it was not given. EX_USE: said
 * why. */
int ctl_number(const struct ctl *c, const char *option, long long min, long long *ret);
/* NAME=VALUE of a repeatable option as an object. NULL: said why. */
json_t *ctl_pairs(const struct ctl *c, const char *option);

/* V as JSON. */
void ctl_dump(const json_t *v);
/* "key  value" lines; KEYS is NULL ended: member, label, member, label... Empty and null
 * members are left out; times are printed as such. */
void ctl_fields(const json_t *o, const char *const *keys);
/* A table of at most 80 columns: MEMBERS and HEADS, NULL ended. */
void ctl_table(const json_t *rows, const char *const *members, const char *const *heads,
    const char *none);
/* "in 4 min", "2 d ago", "never". */
void ctl_time(json_int_t unix_s, char *out, size_t cap);
const char *ctl_text(const json_t *o, const char *member);	/* "" when absent */

/* TEXT as one word of a shell's command line. */
void ctl_quote(const char *text, char *out, size_t cap);

/* Sets a string member unless VALUE is NULL. */
void ctl_set(json_t *o, const char *key, const char *value);
/* A secret from --FILE_OPTION, a pipe, or a prompt without echo. Heap, wiped by the caller
 * with vaultd_free(). NULL: said why. */
char *ctl_secret(struct ctl *c, const char *file_option, const char *prompt);
/* The same; FILE may be NULL. Each call takes the next line of standard input. */
char *ctl_secret_from(const struct ctl *c, const char *file, const char *prompt);

/* The answer of a method that returns a connection; R is taken. NULL: the error was printed.
 * ctl_connection.c */
int ctl_print_connection(struct ctl *c, json_t *r);
