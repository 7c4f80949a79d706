// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fs.h"
#include "proc_scan.h"

#define NS_PER_S   1000000000ULL
#define STATUS_CAP 65536 /* a line of all its groups comes before the sizes: some 6000 fit */

/* /proc/PID/stat: the name is in parentheses and may hold anything, so start at the last ')'. */
static int parse_stat(char *text, struct proc_sample *s)
{
	unsigned long long utime, stime, start, minflt, majflt;
	uint64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	long threads;
	char state;
	int ppid;

	if (!open || !close || close < open)
		return -EINVAL;
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %*u %llu %*u %llu %*u %llu %llu %*d %*d %*d %*d %ld "
		   "%*d %llu",
		   &state, &ppid, &minflt, &majflt, &utime, &stime, &threads, &start) != 8)
		return -EINVAL;
	if (state == 'Z' || state == 'X')
		return 1;
	*close = '\0';
	snprintf(s->comm, sizeof(s->comm), "%s", open + 1);
	s->ppid = ppid;
	s->threads = threads;
	s->faults = minflt + majflt;
	s->cpu_ns = (utime + stime) * tick_ns;
	s->id.start_ns = start * tick_ns;
	return 0;
}

static uint64_t status_kib(const char *text, const char *key)
{
	uint64_t kib = 0;

	fs__find_u64(text, key, &kib);
	return kib * 1024;
}

/* status has the split; statm is summed over all CPUs and mends anon with it. */
static void parse_sizes(const char *status, const char *statm, struct proc_sample *s)
{
	uint64_t page = sysconf(_SC_PAGESIZE), uid = 0, resident, shared;

	fs__find_u64(status, "Uid", &uid);
	s->uid = uid;
	s->anon_bytes = status_kib(status, "RssAnon");
	s->file_bytes = status_kib(status, "RssFile");
	s->shmem_bytes = status_kib(status, "RssShmem");
	s->swap_bytes = status_kib(status, "VmSwap");
	if (sscanf(statm, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) == 2 &&
	    resident >= shared)
		s->anon_bytes = (resident - shared) * page;
	s->hwm_bytes = s->lwm_bytes = s->anon_bytes + s->swap_bytes;
}

static ssize_t read_entry(const char *proc_dir, uint32_t pid, const char *name, char *buf,
			  size_t cap)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%u/%s", proc_dir, pid, name);
	return fs__read(path, buf, cap);
}

int proc_scan__one(const char *proc_dir, uint32_t pid, struct proc_sample *ret_sample)
{
	char stat[1024], statm[128], status[STATUS_CAP];
	struct proc_sample s = {.id.tgid = pid, .flags = SEEP_PROC_NO_ENTRY};
	ssize_t n;
	int err;

	n = read_entry(proc_dir, pid, "stat", stat, sizeof(stat));
	if (n < 0)
		return n == -ESRCH ? -ENOENT : n;
	err = parse_stat(stat, &s);
	if (err)
		return err;
	n = read_entry(proc_dir, pid, "status", status, sizeof(status));
	if (n < 0)
		return n == -ESRCH ? -ENOENT : n;
	if (!strstr(status, "\nVmRSS:")) /* kernel threads have no mm */
		return n < STATUS_CAP - 1 ? 1 : -EOVERFLOW;
	n = read_entry(proc_dir, pid, "statm", statm, sizeof(statm));
	if (n < 0)
		return n == -ESRCH ? -ENOENT : n;
	parse_sizes(status, statm, &s);
	*ret_sample = s;
	return 0;
}

int proc_scan__all(const char *proc_dir, proc_scan_fn fn, void *ctx, uint64_t *ret_errors)
{
	struct proc_sample s;
	struct dirent *ent;
	int err = 0, ret;
	DIR *dir;

	dir = opendir(proc_dir);
	if (!dir)
		return -errno;
	/* half a list would be the death of the other half */
	while (!err && (errno = 0, ent = readdir(dir))) {
		if (!isdigit((unsigned char)ent->d_name[0]))
			continue;
		ret = proc_scan__one(proc_dir, strtoul(ent->d_name, NULL, 10), &s);
		if (!ret)
			err = fn(ctx, &s);
		else if (ret < 0 && ret != -ENOENT)
			*ret_errors += 1;
	}
	if (!err)
		err = -errno;
	closedir(dir);
	return err;
}
