#include "tests/unit.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/auto.h"
#include "common/envelope.h"
#include "vaultd/journal.h"

static char top[64], sdir[80], adir[80];
static struct event_base *base;
static struct store *store;
static struct journal *journal;
static struct buf report;
static int finished, failed;
static unsigned retention;
static bool reserve;
static size_t map_size = 1 << 26, value_size = 1;

static void
fresh(void)
{
	unit_dir("journal", top);
	snprintf(sdir, sizeof sdir, "%s/store", top);
	snprintf(adir, sizeof adir, "%s/audit", top);
	mkdir(sdir, 0700);
	mkdir(adir, 0700);
}

static void
open_both(size_t segment)
{
	struct store_conf sc = { .dir = sdir, .map_size = map_size };
	struct journal_conf jc = { .audit_dir = adir, .segment_bytes = segment,
		.retention_days = retention };
	struct err e = { 0 };

	base = event_base_new();
	T_DO(store_open(&sc, &store, &e), e);
	buf_reset(&report);
	T_DO(journal_open(&jc, store, base, &journal, &report, &e), e);
	buf_add(&report, "", 1);
}

static void
close_both(void)
{
	journal_close(journal);
	store_close(store);
	event_base_free(base);
	buf_done(&report);
}

static void
done(struct job *j)
{
	finished++;
	failed += j->rc != 0;
	job_free(j);
}

static void
submit(const char *text, int key)
{
	struct job *j = calloc(1, sizeof *j);
	char line[200];

	snprintf(line, sizeof line, "\"t\":\"x\",\"event\":\"%s\"}\n", text);
	buf_add(&j->line, line, strlen(line));
	if (key >= 0) {
		static const char value[4096] = "v";

		changes_put(&j->changes, TABLE_APP, (struct slice){ &key, sizeof key }, EXPECT_ANY,
		    (struct slice){ value, value_size });
		j->has_changes = true;
	}
	j->reserve = reserve;
	j->done = done;
	journal_submit(journal, j);
}

static void
wait_for(int n)
{
	journal_kick(journal);
	while (finished < n)
		event_base_loop(base, EVLOOP_ONCE);
}

static struct audit_report
verify(const struct audit_head *promised)
{
	struct audit_report r;
	struct err e = { 0 };

	T_DO(audit_verify(adir, promised, NULL, NULL, &r, &e), e);
	return r;
}

TEST(lines_and_changes_are_durable_and_verify)
{
	struct journal_stats st;
	struct audit_report r;

	fresh();
	open_both(1 << 16);
	finished = failed = 0;
	for (int i = 0; i < 1000; i++)
		submit("call", i % 3 == 0 ? i : -1);
	wait_for(1000);
	T_EQ(failed, 0);
	journal_stats(journal, &st);
	T_OK(st.audit_batches < 1000);	/* group commit */
	close_both();
	r = verify(&st.head);
	T_EQ(r.fault, AUDIT_OK);
	T_EQ(r.lines, 1000);
	open_both(1 << 16);
	T_STR((char *)report.p, "");
	close_both();
}

/* The commit thread waits, the loop drops its reads and doubles the map, the batch goes in. */
TEST(a_full_map_grows_under_readers)
{
	struct slice v;
	struct err e;
	int key = 0;

	map_size = 1 << 20;
	value_size = 3000;
	fresh();
	open_both(1 << 18);
	finished = failed = 0;
	for (int i = 0; i < 2000; i++) {	/* some 8 MiB */
		submit("change", i);
		if (i % 50 != 49)
			continue;
		T_EQ(store_get(store, TABLE_APP, (struct slice){ &key, sizeof key }, &v, NULL, &e),
		    i < 50 ? V_NOT_FOUND : 0);	/* leaves a read open */
		wait_for(i + 1);
	}
	T_EQ(failed, 0);
	for (key = 0; key < 2000; key++)
		T_EQ(store_get(store, TABLE_APP, (struct slice){ &key, sizeof key }, &v, NULL, &e), 0);
	close_both();
	map_size = 1 << 26;
	value_size = 1;
}

static void
last_segment(char path[200])
{
	uint64_t *seqs;
	size_t n;
	struct err e = { 0 };
	char name[40];

	T_DO(audit_segments(adir, &seqs, &n, &e), e);
	T_OK(n > 0);
	audit_segment_name(seqs[n - 1], name);
	snprintf(path, 200, "%s/%s", adir, name);
	free(seqs);
}

static void
fill(int lines)
{
	fresh();
	open_both(1 << 16);
	finished = failed = 0;
	for (int i = 0; i < lines; i++)
		submit("call", -1);
	wait_for(lines);
	close_both();
}

/* Changes the byte at the first occurrence of TEXT in a file. */
static void
edit(const char *path, const char *text, char to)
{
	static char all[1 << 17];
	int fd = open(path, O_RDWR);
	ssize_t n = read(fd, all, sizeof all);
	char *at = memmem(all, (size_t)n, text, strlen(text));

	T_OK(at != NULL);
	T_EQ(pwrite(fd, &to, 1, at - all), 1);
	close(fd);
}

static off_t
text_end(int fd)
{
	static char all[1 << 17];
	ssize_t n = pread(fd, all, sizeof all, 0);

	return (off_t)strnlen(all, (size_t)n);
}

TEST(any_edit_removal_or_truncation_is_found_and_placed)
{
	struct audit_head promised = { .seq = 200 };
	struct audit_report r;
	char path[200];

	fill(200);
	last_segment(path);
	edit(path, "{\"seq\":100,", '[');
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_EDITED);
	T_EQ(r.head.seq, 99);
	fill(200);
	last_segment(path);
	edit(path, "call\"}\n{\"seq\":50,", 'C');	/* a letter of line 49 */
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_EDITED);
	T_EQ(r.head.seq, 49);
	fill(200);
	edit(path, "{\"seq\":1,", '{');			/* nothing changed */
	last_segment(path);
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_OK);
	promised.seq = 201;
	r = verify(&promised);
	T_EQ(r.fault, AUDIT_TRUNCATED);
	T_EQ(truncate(path, 5000), 0);
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_TORN);
}

static char *
whole(const char *path)
{
	static char all[1 << 18];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, all, sizeof all - 1);

	close(fd);
	T_OK(n >= 0);
	memset(all + n, 0, sizeof all - (size_t)n);
	return all;
}

/* Also behind a NUL. */
static bool
holds(const char *path, const char *text)
{
	char *p = whole(path);

	return memmem(p, 1 << 18, text, strlen(text)) != NULL;
}

/* Where the Nth line of the file ends. */
static off_t
line_end(const char *path, unsigned n)
{
	char *p = whole(path), *at = p;

	while (n-- > 0)
		at = strchr(at, '\n') + 1;
	return at - p;
}

TEST(a_log_behind_its_store_is_reported)
{
	struct audit_report r;
	char path[200];

	fresh();
	open_both(1 << 16);
	finished = failed = 0;
	for (int i = 0; i < 50; i++)
		submit("change", i);
	wait_for(50);
	close_both();
	last_segment(path);
	T_EQ(truncate(path, 3000), 0);
	open_both(1 << 16);
	T_HAS((char *)report.p, "audit log ends at line");
	T_HAS((char *)report.p, "is broken at line");
	close_both();
	T_NE(verify(NULL).fault, AUDIT_OK);	/* a start does not hide it */
	open_both(1 << 16);
	T_STR((char *)report.p, "");		/* and says it once */
	close_both();
	fill(50);
	last_segment(path);
	T_EQ(truncate(path, line_end(path, 40)), 0);
	open_both(1 << 16);
	close_both();
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_MISSING);
	T_EQ(r.head.seq, 40);
}

TEST(an_edit_before_a_start_is_still_there_after_it)
{
	struct audit_report r;
	char path[200];
	struct stat st;

	fill(200);
	last_segment(path);
	edit(path, "call\"}\n{\"seq\":50,", 'C');	/* a letter of line 49 */
	T_EQ(verify(NULL).head.seq, 49);
	open_both(1 << 16);
	T_HAS((char *)report.p, "broken at line 50");
	submit("later", -1);
	finished = 0;
	wait_for(1);
	close_both();
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_EDITED);
	T_EQ(r.head.seq, 49);
	T_OK(stat(path, &st) == 0 && holds(path, "{\"seq\":200,"));
	/* A NUL ends the text: what is behind it is kept too. */
	fill(200);
	last_segment(path);
	edit(path, "{\"seq\":120,", '\0');
	open_both(1 << 16);
	T_HAS((char *)report.p, "ends at line 119");
	close_both();
	T_NE(verify(NULL).fault, AUDIT_OK);
	T_OK(holds(path, "{\"seq\":200,"));
	/* No good line is left in the segment. */
	fill(5);
	last_segment(path);
	edit(path, "{\"seq\":1,", '\0');
	open_both(1 << 16);
	close_both();
	T_NE(verify(NULL).fault, AUDIT_OK);
	T_OK(holds(path, "{\"seq\":5,"));
}

/* 400 lines in some segments; PATH is the last of N. */
static size_t
fill_segments(char path[200])
{
	uint64_t *seqs;
	size_t n;
	struct err e = { 0 };

	fresh();
	open_both(1 << 13);
	finished = failed = 0;
	for (int i = 0; i < 40; i++) {
		for (int k = 0; k < 10; k++)
			submit("call", -1);
		wait_for((i + 1) * 10);
	}
	close_both();
	T_DO(audit_segments(adir, &seqs, &n, &e), e);
	free(seqs);
	T_OK(n > 3);
	last_segment(path);
	return n;
}

/* Whatever is done to the last segment, those before it, and it, stay as they are. */
TEST(damage_never_costs_another_segment)
{
	static const struct { const char *how, *seq; unsigned behind; } rows[] = {
		{ "a NUL", NULL, 0 }, { "backward", "2", 1 }, { "forward", "999999999999999", 1 },
		{ "its first line, forward", "999999999999999", 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char last[200], first[200], name[40], line[300], was[1 << 13];
		size_t n = fill_segments(last), left;
		uint64_t *seqs;
		struct err e = { 0 };
		int fd = open(last, O_RDWR);

		audit_segment_name(1, name);
		snprintf(first, sizeof first, "%s/%s", adir, name);
		memcpy(was, whole(first), sizeof was);
		snprintf(line, sizeof line, "{\"seq\":%s,\"prev\":\"%064d\",\"t\":\"x\"}\n",
		    rows[i].seq == NULL ? "" : rows[i].seq, 0);
		if (rows[i].seq == NULL)
			T_EQ(pwrite(fd, "", 1, 0), 1);
		else
			T_EQ(pwrite(fd, line, strlen(line), line_end(last, rows[i].behind)),
			    (ssize_t)strlen(line));
		close(fd);
		open_both(1 << 13);
		submit("later", -1);
		finished = failed = 0;
		wait_for(1);
		T_EQ(failed, 0);
		close_both();
		if (memcmp(was, whole(first), sizeof was) != 0)
			fail_msg("%s: the first segment changed", rows[i].how);
		T_DO(audit_segments(adir, &seqs, &left, &e), e);
		if (left != n + 1 || seqs[left - 1] != 401)
			fail_msg("%s: it goes on at %llu", rows[i].how,
			    (unsigned long long)seqs[left - 1]);
		T_OK(holds(last, "{\"seq\":400,"));
		free(seqs);
		T_NE(verify(NULL).fault, AUDIT_OK);
		open_both(1 << 13);
		T_STR((char *)report.p, "");
		close_both();
	}
}

static void
swap_lines(const char *path, unsigned a)
{
	size_t from = (size_t)line_end(path, a - 1), mid = (size_t)line_end(path, a),
	    end = (size_t)line_end(path, a + 1);
	char *p = whole(path), *both = malloc(end - from);
	int fd = open(path, O_RDWR);

	memcpy(both, p + mid, end - mid);
	memcpy(both + (end - mid), p + from, mid - from);
	T_EQ(pwrite(fd, both, end - from, (off_t)from), (ssize_t)(end - from));
	close(fd);
	free(both);
}

static void
remove_line(const char *path, unsigned a)
{
	size_t from = (size_t)line_end(path, a - 1), to = (size_t)line_end(path, a);
	char *p = whole(path);
	int fd = open(path, O_RDWR);
	size_t n = strlen(p + to) + 1;

	T_EQ(pwrite(fd, p + to, n, (off_t)from), (ssize_t)n);
	close(fd);
}

TEST(removal_reordering_and_garbage_are_told_apart)
{
	struct audit_report r;
	char path[200];
	int fd;

	fill(30);
	last_segment(path);
	swap_lines(path, 10);
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_MISSING);		/* 11 comes where 10 should */
	T_EQ(r.head.seq, 9);
	fill(30);
	last_segment(path);
	remove_line(path, 20);
	r = verify(NULL);
	T_EQ(r.fault, AUDIT_MISSING);
	T_EQ(r.head.seq, 19);
	fill(30);
	last_segment(path);
	T_OK((fd = open(path, O_RDWR)) >= 0);
	T_EQ(pwrite(fd, whole(path) + line_end(path, 4), 40, line_end(path, 30)), 40);
	r = verify(NULL);
	T_OK(r.fault == AUDIT_TORN || r.fault == AUDIT_REORDERED);
	T_EQ(r.head.seq, 30);
	T_EQ(ftruncate(fd, 1 << 16), 0);
	T_EQ(pwrite(fd, "\0\0x", 3, line_end(path, 30)), 3);
	T_EQ(verify(NULL).fault, AUDIT_GARBAGE);
	close(fd);
}

/* Old ones go, a line says so first, and the log stays whole without them. */
TEST(retention_removes_whole_old_segments_and_says_so)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 40 * 86400 },
		{ .tv_sec = time(NULL) - 40 * 86400 } };
	uint64_t *seqs;
	char path[200], name[40];
	size_t n = fill_segments(path), left;
	struct err e = { 0 };

	T_DO(audit_segments(adir, &seqs, &n, &e), e);
	for (int i = 0; i < 2; i++) {
		audit_segment_name(seqs[i], name);
		snprintf(path, sizeof path, "%s/%s", adir, name);
		T_EQ(utimensat(AT_FDCWD, path, old, 0), 0);
	}
	free(seqs);
	retention = 30;
	open_both(1 << 13);
	for (int i = 0; i < 50; i++) {
		usleep(100000);
		T_DO(audit_segments(adir, &seqs, &left, &e), e);
		free(seqs);
		if (left <= n - 2)
			break;
	}
	close_both();
	retention = 0;
	T_EQ(left, n - 2);
	T_EQ(verify(NULL).fault, AUDIT_OK);
	T_OK(verify(NULL).first_seq > 1);
	/* Without that line it would be a removal. */
	T_DO(audit_segments(adir, &seqs, &n, &e), e);
	audit_segment_name(seqs[0], name);
	free(seqs);
	snprintf(path, sizeof path, "%s/%s", adir, name);
	T_EQ(unlink(path), 0);
	T_EQ(verify(NULL).fault, AUDIT_MISSING);
}

/* A line of a change whose commit the store does not have, then what WITH names. */
static void
lose_commit(const char *with)
{
	char path[200], line[400], prev[65], stop[600];
	struct audit_head head = verify(NULL).head;
	int fd, n;

	last_segment(path);
	T_OK((fd = open(path, O_RDWR)) >= 0);
	hex_encode(head.hash, 32, prev);
	n = snprintf(line, sizeof line, "{\"seq\":%llu,\"prev\":\"%s\",\"commit\":99,"
	    "\"event\":\"call\"}\n", (unsigned long long)head.seq + 1, prev);
	sha256((struct slice){ line, (size_t)n }, head.hash);
	hex_encode(head.hash, 32, prev);
	snprintf(stop, sizeof stop, "%s{\"seq\":%llu,\"prev\":\"%s\",%s}\n", line,
	    (unsigned long long)head.seq + 2, prev, with);
	T_EQ(pwrite(fd, stop, strlen(stop), text_end(fd)), (long)strlen(stop));
	close(fd);
}

static bool
adopted(void)
{
	struct store_meta m;

	store_meta(store, &m);
	return m.adopted;
}

TEST(a_commit_lost_in_a_crash_is_noted_and_one_lost_later_is_an_older_store)
{
	static const struct { const char *with, *says; bool adopted; } rows[] = {
		{ "\"event\":\"call\"", "commit 99, which the store does not have", true },
		{ "\"event\":\"not_committed\",\"of_commit\":99", "", true },
		{ "\"event\":\"system\",\"action\":\"vaultd.stop\"", "older store was put back",
		    false },
		{ "\"event\":\"system\",\"action\":\"vaultd.start\"", "older store was put back",
		    false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fill(20);
		lose_commit(rows[i].with);
		open_both(1 << 16);
		T_HAS((char *)report.p, rows[i].says);
		T_EQ(adopted(), rows[i].adopted);
		close_both();
		open_both(1 << 16);		/* said once, and for good */
		T_STR((char *)report.p, "");
		T_EQ(adopted(), rows[i].adopted);
		close_both();
		T_EQ(verify(NULL).fault, AUDIT_OK);
	}
}

TEST(segments_follow_each_other)
{
	char path[200];

	fill_segments(path);
	T_EQ(failed, 0);
	T_EQ(verify(NULL).fault, AUDIT_OK);
	T_EQ(verify(NULL).lines, 400);
}

/* A child commits and says what was acknowledged; it is killed at a random moment. */
static void
writer(int out)
{
	open_both(1 << 15);
	finished = failed = 0;
	for (int i = 0;; i++) {
		submit("change", i);
		wait_for(i + 1);
		if (write(out, &i, sizeof i) != sizeof i)
			_exit(1);
	}
}

TEST(kill_loses_nothing_that_was_acknowledged)
{
	for (int round = 0; round < 8; round++) {
		int p[2], last = -1, i;
		struct slice v;
		struct err e;
		pid_t pid;

		fresh();
		T_EQ(pipe(p), 0);
		if ((pid = fork()) == 0)
			writer(p[1]);
		close(p[1]);
		usleep(20000 + 15000 * (unsigned)round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(p[0], &i, sizeof i) == sizeof i)
			last = i;
		close(p[0]);
		open_both(1 << 15);
		for (i = 0; i <= last; i++)
			T_EQ(store_get(store, TABLE_APP, (struct slice){ &i, sizeof i }, &v, NULL, &e),
			    0);
		close_both();
		T_EQ(verify(NULL).fault, AUDIT_OK);
		T_OK((int64_t)verify(NULL).head.seq > last);
	}
}

TEST(a_full_disk_harms_nothing_and_heals)
{

	fresh();
	if (geteuid() != 0)
		return;		/* a small file system of its own needs root */
	char cmd[300];
	snprintf(cmd, sizeof cmd, "mount -t tmpfs -o size=600k tmpfs %s 2>/dev/null", adir);
	if (system(cmd) != 0)
		return;
	open_both(1 << 18);
	finished = failed = 0;
	for (int i = 0; i < 6000 && failed == 0; i++) {
		submit("call", -1);
		wait_for(i + 1);
	}
	T_OK(failed > 0);
	T_EQ(journal_state(journal), JOURNAL_AUDIT_UNWRITABLE);
	failed = 0;
	reserve = true;			/* the last part is for what is refused */
	for (int i = 0; i < 50; i++)
		submit("refused", -1);
	wait_for(finished + 50);
	T_EQ(failed, 0);
	reserve = false;
	submit("call", -1);
	wait_for(finished + 1);
	T_EQ(failed, 1);
	snprintf(cmd, sizeof cmd, "mount -o remount,size=20m %s", adir);
	T_EQ(system(cmd), 0);
	for (int i = 0; i < 40 && journal_state(journal) != JOURNAL_OK; i++)
		usleep(100000);
	T_EQ(journal_state(journal), JOURNAL_OK);
	failed = 0;
	submit("call", -1);
	wait_for(finished + 1);
	T_EQ(failed, 0);
	close_both();
	T_EQ(verify(NULL).fault, AUDIT_OK);
	snprintf(cmd, sizeof cmd, "umount %s", adir);
	T_EQ(system(cmd), 0);
}

/* ---- both at once */

static bool
mount_small(const char *dir, const char *how)
{
	char cmd[300];

	snprintf(cmd, sizeof cmd, "mount -t tmpfs -o %s tmpfs %s 2>/dev/null", how, dir);
	return geteuid() == 0 && system(cmd) == 0;
}

static void
unmount(const char *dir)
{
	char cmd[300];

	snprintf(cmd, sizeof cmd, "umount %s", dir);
	T_EQ(system(cmd), 0);
}

/* What a refresh's answer is: its line may wait for the log. */
static void
submit_owed(int key)
{
	static const char value[4096] = "v";
	struct job *j = calloc(1, sizeof *j);

	buf_add(&j->line, "\"t\":\"x\",\"event\":\"owed\"}\n", 25);
	changes_put(&j->changes, TABLE_APP, (struct slice){ &key, sizeof key }, EXPECT_ANY,
	    (struct slice){ value, 3000 });
	j->has_changes = j->owed = true;
	j->done = done;
	journal_submit(journal, j);
}

static void
wait_state(enum journal_state from, enum journal_state to)
{
	for (int i = 0; i < 60 && journal_state(journal) == from; i++)
		usleep(100000);
	T_EQ(journal_state(journal), to);
}

static void
fill_both(int filler)
{
	static const char block[4096];
	int i;

	for (i = 0; i < 6000 && failed == 0; i++) {	/* the log */
		submit("call", -1);
		wait_for(i + 1);
	}
	T_OK(failed > 0);
	while (write(filler, block, sizeof block) > 0)
		;
	failed = 0;
	for (i = 0; i < 2000 && failed == 0; i++) {	/* the store */
		submit_owed(i);
		wait_for(finished + 1);
	}
	T_OK(failed > 0);
}

/* One of the two heals while the other is still bad: that stays bad. */
TEST(each_of_log_and_store_heals_by_itself)
{
	char path[100];
	int filler;

	fresh();
	if (!mount_small(adir, "size=600k"))
		return;		/* small file systems of its own need root */
	T_OK(mount_small(sdir, "size=2m"));
	snprintf(path, sizeof path, "%s/filler", sdir);
	open_both(1 << 18);
	T_OK((filler = open(path, O_WRONLY | O_CREAT, 0600)) >= 0);
	finished = failed = 0;
	fill_both(filler);
	T_EQ(journal_state(journal), JOURNAL_AUDIT_UNWRITABLE);
	T_OK(mount_small(adir, "remount,size=20m"));
	wait_state(JOURNAL_AUDIT_UNWRITABLE, JOURNAL_STORE_UNWRITABLE);
	usleep(1500000);		/* lines go to the log meanwhile */
	submit("call", -1);
	wait_for(finished + 1);
	T_EQ(journal_state(journal), JOURNAL_STORE_UNWRITABLE);
	T_EQ(ftruncate(filler, 0), 0);
	wait_state(JOURNAL_STORE_UNWRITABLE, JOURNAL_OK);
	close(filler);
	close_both();
	unmount(adir);
	unmount(sdir);
}

static int
lowest_free_file(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* Each time it gets one step further; leaks are the sanitizer's to see. */
TEST(an_open_that_fails_leaves_nothing_open)
{
	struct store_conf sc = { .map_size = 1 << 26 };
	struct journal_conf jc = { .segment_bytes = 1 << 16 };
	struct rlimit was, low;
	struct err e = { 0 };
	int before, failures = 0;

	fresh();
	sc.dir = sdir;
	jc.audit_dir = adir;
	open_both(jc.segment_bytes);	/* so that there is a log to open */
	finished = failed = 0;
	submit("call", -1);
	wait_for(1);
	close_both();
	base = event_base_new();
	T_DO(store_open(&sc, &store, &e), e);
	getrlimit(RLIMIT_NOFILE, &was);
	before = lowest_free_file();
	for (int more = 0;; more++) {
		int rc;

		low = (struct rlimit){ (rlim_t)(before + more), was.rlim_max };
		setrlimit(RLIMIT_NOFILE, &low);
		rc = journal_open(&jc, store, base, &journal, &report, &e);
		setrlimit(RLIMIT_NOFILE, &was);
		if (rc == 0)
			break;
		failures++;
		T_EQ(lowest_free_file(), before);
	}
	T_OK(failures >= 2);
	close_both();
	T_EQ(verify(NULL).fault, AUDIT_OK);
}

int
main(void)
{
	evthread_use_pthreads();
	return unit_run();
}
