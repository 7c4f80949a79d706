/* SPDX-License-Identifier: BSD-2-Clause */
/* target.c - see target.h. Asked and answering through two inherited descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "target.h"

#define JOB_FD	  8 /* what it reads, and then what it writes */
#define ANSWER_FD 9

/* ---- its work ---------------------------------------------------------------------------- */

static void *volatile kept;

static void run_pairs(const struct target_job *job)
{
	int i;

	for (i = 0; i < job->cnt; i++) {
		kept = malloc(job->pair_bytes);
		free(kept);
	}
}

/* What a program does with a table in memory: fill, index, join, group, delete. */
static const char sqlite_job[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
	"    INSERT INTO t SELECT i, printf('row %d of this table', i), i * 7919 % 10007 FROM n;"
	"CREATE INDEX x ON t(b);"
	"SELECT count(*), sum(u.id) FROM t JOIN t AS u ON t.b = u.id WHERE t.a < u.a;"
	"SELECT b, count(*), max(a) FROM t GROUP BY b;"
	"DELETE FROM t WHERE b % 3 = 0;";

static int run_sqlite(void)
{
	sqlite3 *db = NULL;
	int err;

	err = sqlite3_open(":memory:", &db);
	if (!err)
		err = sqlite3_exec(db, sqlite_job, NULL, NULL, NULL);
	sqlite3_close(db);
	return err;
}

static double run_job(const struct target_job *job)
{
	uint64_t begin = clock__ns(CLOCK_THREAD_CPUTIME_ID);
	int i, err = 0;

	if (job->pair_bytes)
		run_pairs(job);
	for (i = 0; !job->pair_bytes && i < job->cnt; i++)
		err |= run_sqlite();
	return err ? -1 : (double)(clock__ns(CLOCK_THREAD_CPUTIME_ID) - begin) / job->cnt;
}

void target__serve(void)
{
	pid_t self = getpid();
	struct target_job job;
	double ns;

	if (write(ANSWER_FD, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	while (read(JOB_FD, &job, sizeof(job)) == sizeof(job)) {
		ns = run_job(&job);
		if (write(ANSWER_FD, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

/* ---- our side ---------------------------------------------------------------------------- */

static void run_child(const char *wrapper, int job_fd, int answer_fd)
{
	char command[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	/* out of the way of the two numbers first */
	job_fd = fcntl(job_fd, F_DUPFD, ANSWER_FD + 1);
	answer_fd = fcntl(answer_fd, F_DUPFD, ANSWER_FD + 1);
	if (dup2(job_fd, JOB_FD) < 0 || dup2(answer_fd, ANSWER_FD) < 0)
		_exit(126);
	snprintf(command, sizeof(command), "exec %s /proc/%d/exe " TARGET_OPTION " >/dev/null 2>&1",
		 wrapper ? wrapper : "", getppid());
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

int target__start(struct target *t, const char *wrapper)
{
	int job[2], answer[2];

	if (pipe2(job, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
		return -errno;
	t->leader = fork();
	if (t->leader < 0)
		return -errno;
	if (!t->leader)
		run_child(wrapper, job[0], answer[1]);
	close(job[0]);
	close(answer[1]);
	t->to_fd = job[1];
	t->from_fd = answer[0];
	if (read(t->from_fd, &t->pid, sizeof(t->pid)) == sizeof(t->pid))
		return 0;
	target__stop(t);
	return -ECHILD;
}

void target__stop(struct target *t)
{
	if (t->leader <= 0)
		return;
	close(t->to_fd);
	close(t->from_fd);
	waitpid(t->leader, NULL, 0);
	t->leader = 0;
}

int target__begin(struct target *t, const struct target_job *job)
{
	return write(t->to_fd, job, sizeof(*job)) == sizeof(*job) ? 0 : -EPIPE;
}

double target__end(struct target *t)
{
	double ns;

	return read(t->from_fd, &ns, sizeof(ns)) == sizeof(ns) ? ns : -1;
}

double target__run(struct target *t, const struct target_job *job)
{
	return target__begin(t, job) ? -1 : target__end(t);
}
