/*
 * fault.h - what is wrong in files that people write: all of it, each with its place, so that
 * one look mends a file. Readers of policy files and `vaultctl ... check` fill and print lists.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define FAULTS_MAX 100		/* the rest of a hopeless file tells nobody anything */

struct fault {
	char	*file;
	int	 line, column;		/* 0: the file as a whole */
	char	 message[320];
	char	 suggestion[64];	/* "" = none */
};

struct faults {
	struct fault	*v;
	size_t		 n;
	bool		 more;		/* than FAULTS_MAX */
};

/* E is about FILE: its text is "FILE:LINE:COLUMN: message" or just a message. */
void faults_add(struct faults *f, const char *file, const struct err *e);
/* By file and place. */
void faults_sort(struct faults *f);
void faults_done(struct faults *f);
