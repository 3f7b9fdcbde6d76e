/*
 * fault.c - see fault.h.
 */
#include "common/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* What stands behind "FILE:" in TEXT, or TEXT. */
static const char *
behind_file(const char *text, const char *file)
{
	size_t n = strlen(file);

	if (strncmp(text, file, n) != 0 || text[n] != ':')
		return text;
	text += n + 1;
	return *text == ' ' ? text + 1 : text;
}

static void
fill(struct fault *f, const char *file, const struct err *e)
{
	const char *text = behind_file(e->text, file), *close = err_detail_get(e, "suggestion");
	int skip = 0;

	*f = (struct fault){ .file = strdup(file) };
	if (sscanf(text, "%d:%d: %n", &f->line, &f->column, &skip) < 2 || skip == 0)
		f->line = f->column = 0;
	snprintf(f->message, sizeof f->message, "%s", text + (f->line > 0 ? skip : 0));
	snprintf(f->suggestion, sizeof f->suggestion, "%s", close != NULL ? close : "");
}

void
faults_add(struct faults *f, const char *file, const struct err *e)
{
	struct fault *v;

	if (f->n == FAULTS_MAX) {
		f->more = true;
		return;
	}
	if ((v = array_more(f->v, f->n, sizeof *v)) == NULL)
		return;
	f->v = v;
	fill(&v[f->n], file, e);
	f->n += v[f->n].file != NULL;
}

static int
by_place(const void *pa, const void *pb)
{
	const struct fault *a = pa, *b = pb;
	int by_file = strcmp(a->file, b->file);

	if (by_file != 0)
		return by_file;
	return a->line != b->line ? a->line - b->line : a->column - b->column;
}

void
faults_sort(struct faults *f)
{
	if (f->n > 0)
		qsort(f->v, f->n, sizeof *f->v, by_place);
}

void
faults_done(struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].file);
	free(f->v);
	*f = (struct faults){ 0 };
}
