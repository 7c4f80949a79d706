// SPDX-License-Identifier: BSD-2-Clause
/*
 * census.c - who is there: turns a poll into points of processes and cgroups.
 *
 * Three passes: every process tells its numbers and is counted into its cgroup; every cgroup with
 * processes reads its files; then everybody's point is stored, because what a process may still
 * grow depends on its cgroup. Whoever was not seen has ended. An ended process that had grown waits
 * in limbo for a moment: if one with the same command line starts in the same cgroup, it carries
 * the series on, so that a leak masked by restarts is still one leak. A container that is restarted
 * in its pod gets another id, hence another cgroup: it is known by the pod's uid and its name, and
 * its series and processes are carried on alike.
 *
 * When there are more processes than series, those of the least interest are left out: they count
 * into their cgroups, and are taken in as soon as they are worth more than another.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "base/log.h"

#define GRACE_POLLS       6
#define GRACE_SHARE       120       /* of the window */
#define SHMEM_OWNER_BYTES (1u << 20)
#define CGROUP_MOVED_BYTES (64u << 10) /* its processes moved this far: read its files */
#define CGROUP_READ_SHARE 360          /* ...or this share of the window passed */
#define BACK_OFF_SHARE    12           /* of the window: a pod's container may take to restart */
#define FNV_BASIS         0xcbf29ce484222325ULL

double census__grace_s(const struct agent *a)
{
	return fmax(GRACE_POLLS * a->cfg.interval_s, a->cfg.window_s / GRACE_SHARE);
}

/* ---- identity ---------------------------------------------------------------------------- */

static uint64_t fnv1a(uint64_t hash, const char *s)
{
	for (; s && *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3ULL;
	return hash * 0x100000001b3ULL;
}

/* The same container of the same pod, whatever its id; 0 when its name is not known. */
static uint64_t container_identity(const struct cgroup_info *cg)
{
	if (!cg || !cg->container_cgroup || !cg->pod_uid || !cg->is_named)
		return 0;
	return fnv1a(fnv1a(FNV_BASIS, cg->pod_uid), cg->container);
}

/* The cgroup as its successor will have it: below a container, only the path from there counts. */
static uint64_t place_of(uint64_t hash, const struct cgroup_info *cg)
{
	uint64_t container = container_identity(cg);

	if (!cg)
		return fnv1a(hash, NULL);
	if (!container)
		return fnv1a(hash, cg->path);
	return fnv1a(hash ^ container, cg->path + strlen(cg->container_cgroup->path));
}

/* Same program with the same arguments in the same place. */
static uint64_t identity_of(const struct proc_info *proc)
{
	uint64_t hash = FNV_BASIS;

	hash = fnv1a(hash, proc->comm);
	hash = fnv1a(hash, proc->cmdline);
	hash = fnv1a(hash, proc->exe);
	return place_of(hash, proc->cgroup);
}

static void proc_name(const struct proc_info *proc, char buf[SERIES_NAME_LEN])
{
	snprintf(buf, SERIES_NAME_LEN, "%s[%u]", proc->comm, proc->id.tgid);
}

/* ---- limbo ------------------------------------------------------------------------------- */

static void limbo_remove(struct agent *a, const struct watch *w)
{
	unsigned i;

	for (i = 0; i < a->limbo_cnt; i++) {
		if (a->limbo[i] == w) {
			a->limbo[i] = a->limbo[--a->limbo_cnt];
			return;
		}
	}
}

static void forget(struct agent *a, struct watch *w)
{
	struct series *s = w->series;

	limbo_remove(a, w);
	if (watch__is_proc(w))
		who__forget(a->who, &w->id);
	watch__free(w);
	store__remove(a->store, s);
}

static void end_now(struct agent *a, struct watch *w)
{
	court__ended(a, w, w->end_reason ? w->end_reason : "process ended");
	forget(a, w);
}

static void to_limbo(struct agent *a, struct watch *w)
{
	if (a->limbo_cnt == LIMBO_MAX) {
		a->limbo_dropped++;
		end_now(a, w);
		return;
	}
	if (w->proc)
		w->identity = identity_of(w->proc); /* by now more may be known of its container */
	a->limbo[a->limbo_cnt++] = w;
}

/* While its pod is there, a container is started again, after up to five minutes of back-off. */
static double grace_of(const struct agent *a, const struct watch *w)
{
	const struct cgroup_info *cg = w->proc ? w->proc->cgroup : NULL;
	double grace_s = census__grace_s(a);

	if (a->now_s - w->ended_s <= grace_s || !cg || !cg->pod_cgroup ||
	    !who__cgroup_exists(a->who, cg->pod_cgroup->path))
		return grace_s;
	return fmax(grace_s, a->cfg.window_s / BACK_OFF_SHARE);
}

static void expire_limbo(struct agent *a)
{
	unsigned i = 0;

	while (i < a->limbo_cnt) {
		if (a->now_s - a->limbo[i]->ended_s > grace_of(a, a->limbo[i]))
			end_now(a, a->limbo[i]); /* takes it out of the list */
		else
			i++;
	}
}

/* It was missing from a poll, but lives: nobody may carry its series on. */
static void come_back(struct agent *a, struct watch *w)
{
	limbo_remove(a, w);
	w->ended_s = NAN;
	w->end_reason = NULL;
}

/* An ended process that the new one carries on, or NULL. */
static struct watch *find_predecessor(struct agent *a, uint64_t identity)
{
	unsigned i;

	for (i = 0; i < a->limbo_cnt; i++)
		if (a->limbo[i]->identity == identity)
			return a->limbo[i];
	return NULL;
}

static struct watch *carry_on(struct agent *a, struct watch *old, const struct proc_sample *s,
			      const struct proc_info *proc)
{
	struct series_key key = series_key__proc(&s->id);
	struct seep_task_id old_id = old->id;
	char old_key[WATCH_KEY_LEN], name[SERIES_NAME_LEN];

	watch__key(old, old_key);
	proc_name(proc, name);
	if (store__rekey(a->store, old->series, &key, name))
		return NULL;
	limbo_remove(a, old);
	old->id = s->id;
	old->proc = proc;
	old->cgroup = proc->cgroup;
	old->ended_s = NAN;
	old->end_reason = NULL;
	old->cpu_ns = 0;
	old->restarts++;
	old->drill_slices = 0; /* the sites found so far stay: it is the same program */
	court__rekey(a, old_key, old);
	who__forget(a->who, &old_id);
	return old;
}

/* ---- processes --------------------------------------------------------------------------- */

/* The series is there without a watch: the journal restored it. */
static struct watch *take_up(struct agent *a, struct series *s)
{
	struct watch *w = watch__new(s, a->now_s);
	struct store_point first;
	double low[24];
	size_t i;

	if (!w)
		return NULL;
	if (series__points(a->store, s, a->now_s, &first, 1) == 1)
		w->first_s = first.t_s;
	series__resample(a->store, s, a->now_s, low, sizeof(low) / sizeof(low[0]));
	for (i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		if (low[i] < w->low_bytes)
			w->low_bytes = low[i];
	return w;
}

static struct watch *enroll(struct agent *a, const struct series_key *key, const char *name,
			    unsigned interest)
{
	struct series *s = store__find(a->store, key);

	if (s)
		return take_up(a, s);
	if (!store__has_room(a->store, interest))
		return NULL;
	s = store__touch(a->store, key, name);
	if (!s)
		return NULL;
	series__set_interest(a->store, s, interest);
	return watch__new(s, a->now_s);
}

static void remember(struct agent *a, struct left_out *l, const struct seep_task_id *id)
{
	size_t cap = l->cap ? 2 * l->cap : 256;
	struct seep_task_id *grown;

	if (l->cnt == l->cap) {
		grown = reallocarray(l->ids, cap, sizeof(*grown));
		if (!grown) {
			who__forget(a->who, id);
			return;
		}
		l->ids = grown;
		l->cap = cap;
	}
	l->ids[l->cnt++] = *id;
}

/* Polls are in the order of pids: who was left out in the last one and is not in this one has ended,
 * or has a series now. */
static void forget_left_out(struct agent *a)
{
	struct left_out *now = &a->left_out, *before = &a->left_out_before, spare = *before;
	struct series_key key;
	size_t i, j = 0;

	for (i = 0; i < before->cnt; i++) {
		while (j < now->cnt && now->ids[j].tgid < before->ids[i].tgid)
			j++;
		if (j < now->cnt && now->ids[j].tgid == before->ids[i].tgid &&
		    now->ids[j].start_ns == before->ids[i].start_ns)
			continue;
		key = series_key__proc(&before->ids[i]);
		if (!store__find(a->store, &key))
			who__forget(a->who, &before->ids[i]);
	}
	*before = *now;
	*now = spare;
	now->cnt = 0;
}

void census__free(struct agent *a)
{
	free(a->left_out.ids);
	free(a->left_out_before.ids);
	a->left_out = a->left_out_before = (struct left_out){0};
}

/* Somebody new, restored, or the successor of one that ended. */
static struct watch *admit(struct agent *a, const struct proc_sample *s,
			   const struct proc_info *proc, int *ret_start)
{
	struct series_key key = series_key__proc(&s->id);
	int is_restored = !!store__find(a->store, &key);
	uint64_t identity = identity_of(proc);
	struct watch *w = is_restored ? NULL : find_predecessor(a, identity);
	char name[SERIES_NAME_LEN];

	if (w && carry_on(a, w, s, proc)) {
		*ret_start = 1;
		return w;
	}
	*ret_start = !is_restored && (s->flags & SEEP_PROC_FORKED);
	proc_name(proc, name);
	w = enroll(a, &key, name, watch__interest_in(1, s->anon_bytes + s->swap_bytes));
	if (!w)
		return NULL;
	w->id = s->id;
	w->proc = proc;
	w->identity = identity;
	return w;
}

/* By exec it may become what ended before: shells and runtimes become the program they start. */
static struct watch *succeed(struct agent *a, struct watch *w, const struct proc_sample *s,
			     const struct proc_info *proc)
{
	struct watch *old = w->detector ? NULL : find_predecessor(a, w->identity);
	struct series *dropped = w->series;

	if (!old)
		return w;
	watch__free(w);
	store__remove(a->store, dropped);
	return carry_on(a, old, s, proc);
}

/* NULL: too many have names. */
static const struct proc_info *name_proc(struct agent *a, const struct proc_sample *s)
{
	if (s->flags & SEEP_PROC_EXECED)
		who__refresh(a->who, &s->id);
	return who__process(a->who, &s->id, s->cgroup_id, s->comm);
}

/*
 * *ret_start: a new process, or the first point after exec or a joined restart. NULL: others are of
 * more interest.
 */
static struct watch *find_proc(struct agent *a, const struct proc_sample *s,
			       const struct proc_info *proc, int *ret_start)
{
	struct series_key key = series_key__proc(&s->id);
	struct series *series = store__find(a->store, &key);
	struct watch *w = series ? series__user(series) : NULL;
	char name[SERIES_NAME_LEN];

	*ret_start = !!(s->flags & SEEP_PROC_EXECED);
	if (!w)
		return admit(a, s, proc, ret_start);
	if (!isnan(w->ended_s))
		come_back(a, w);
	if (*ret_start) {
		proc_name(proc, name);
		store__rekey(a->store, series, &key, name);
		w->identity = identity_of(proc);
		w = succeed(a, w, s, proc);
	}
	if (w)
		w->proc = proc;
	return w;
}

static double cpu_share(const struct agent *a, const struct watch *w, const struct proc_sample *s)
{
	double span_s = a->now_s - w->last_s;

	if (!w->cpu_ns || s->cpu_ns < w->cpu_ns || span_s <= 0)
		return NAN;
	return (s->cpu_ns - w->cpu_ns) / 1e9 / span_s;
}

static void take_numbers(const struct agent *a, struct watch *w, const struct proc_sample *s)
{
	w->seen_seq = a->seq;
	w->cgroup = w->proc->cgroup;
	w->file_bytes = s->file_bytes;
	w->anon_bytes = s->anon_bytes;
	w->swap_bytes = s->swap_bytes;
	w->shmem_bytes = s->shmem_bytes;
	w->rss_bytes = proc_sample__rss_bytes(s);
	w->load = cpu_share(a, w, s);
	w->cpu_ns = s->cpu_ns;
	w->uid = s->uid;
	w->ppid = s->ppid;
	w->threads = s->threads;
}

/* ---- cgroups ----------------------------------------------------------------------------- */

struct succession {
	struct agent *a;
	uint64_t identity;
	struct watch *found;
};

/* It is gone when its directory is, or when it had no process in the last poll. */
static void match_container(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct succession *q = ctx;

	if (!w || watch__is_proc(w) || w->identity != q->identity || !w->path ||
	    w->seen_seq == q->a->seq)
		return;
	if (w->seen_seq + 1 < q->a->seq || !who__cgroup_exists(q->a->who, w->path))
		q->found = w;
}

static struct watch *watch_of_cgroup(struct agent *a, const struct cgroup_info *cg)
{
	struct series_key key;
	struct series *s;

	if (!cg)
		return NULL;
	key = series_key__cgroup(cg->path);
	s = store__find(a->store, &key);
	return s ? series__user(s) : NULL;
}

/* The container goes on in another cgroup; what `fresh` saw of its first moments is dropped. */
static struct watch *carry_container_on(struct agent *a, struct watch *old, struct watch *fresh,
					const struct cgroup_info *cg)
{
	struct series_key key = series_key__cgroup(cg->path);
	struct series *dropped = fresh->series;
	struct watch *pod = watch_of_cgroup(a, cg->pod_cgroup);
	char *path = strdup(cg->path), old_key[WATCH_KEY_LEN];

	if (!path)
		return fresh;
	if (pod)
		pod->restarts++;
	watch__key(old, old_key);
	watch__free(fresh);
	store__remove(a->store, dropped);
	if (store__rekey(a->store, old->series, &key, cg->path)) {
		free(path);
		return NULL;
	}
	free(old->path);
	old->path = path;
	old->cgroup = cg;
	old->cgroup_id = cg->id;
	old->start = 1;
	old->restarts++;
	court__rekey(a, old_key, old);
	return old;
}

/* As soon as its name is known, a container may turn out to be the successor of one that is gone. */
static struct watch *join_container(struct agent *a, struct watch *w, const struct cgroup_info *cg)
{
	struct succession q = {.a = a};

	if (w->identity || cg->container_cgroup != cg)
		return w;
	q.identity = container_identity(cg);
	if (q.identity)
		store__foreach(a->store, match_container, &q);
	if (q.found)
		return carry_container_on(a, q.found, w, cg);
	w->identity = q.identity;
	return w;
}

/* A cgroup that was made anew under its old name: a service or container restarted in place. */
static void notice_restart(struct watch *w, const struct cgroup_info *cg)
{
	if (w->cgroup_id && cg->id && w->cgroup_id != cg->id) {
		w->start = 1;
		w->restarts++;
	}
	w->cgroup_id = cg->id;
}

static struct watch *find_cgroup(struct agent *a, const struct cgroup_info *cg)
{
	struct series_key key = series_key__cgroup(cg->path);
	struct series *series = store__find(a->store, &key);
	struct watch *w = series ? series__user(series) : NULL;

	if (!w) {
		w = enroll(a, &key, cg->path, watch__interest_in(0, 0));
		if (w)
			w->path = strdup(cg->path);
	}
	if (!w)
		return NULL;
	w->cgroup = cg;
	notice_restart(w, cg);
	return join_container(a, w, cg);
}

/* Count a process into its cgroup; the first of a poll starts the sums anew. */
static void count_into(const struct agent *a, struct watch *cg, const struct proc_sample *s,
		       double load)
{
	if (cg->seen_seq != a->seq) {
		cg->seen_seq = a->seq;
		cg->procs = 0;
		cg->shmem_holders = 0;
		cg->rss_bytes = 0;
		cg->load = NAN;
	}
	cg->procs++;
	cg->rss_bytes += proc_sample__rss_bytes(s);
	if (!isnan(load))
		cg->load = isnan(cg->load) ? load : cg->load + load;
	if (s->shmem_bytes >= SHMEM_OWNER_BYTES)
		cg->shmem_holders++;
}

/* The files of a cgroup cost some ten system calls: idle ones are read now and then only. */
static int is_due(const struct agent *a, const struct watch *w)
{
	uint64_t moved = w->rss_bytes > w->read_rss_bytes ? w->rss_bytes - w->read_rss_bytes :
							    w->read_rss_bytes - w->rss_bytes;

	return isnan(w->judged_s) || w->start || moved >= CGROUP_MOVED_BYTES ||
	       a->now_s - w->read_s >= a->cfg.window_s / CGROUP_READ_SHARE;
}

/* Those that were first seen together fall due one after another, not all in one tick. */
static double head_start(const struct agent *a, const struct watch *w)
{
	double share = series__key(w->series)->value / 0x1p64;

	return w->read_s > 0 ? 0 : share * a->cfg.window_s / CGROUP_READ_SHARE;
}

static void read_cgroup(struct agent *a, struct watch *w)
{
	struct cgroup_usage u;

	if (!is_due(a, w) || who__cgroup_usage(a->who, w->cgroup, a->seq, &u))
		return;
	w->read_s = a->now_s - head_start(a, w);
	w->read_rss_bytes = w->rss_bytes;
	w->anon_bytes = u.anon_bytes;
	w->swap_bytes = u.swap_bytes;
	w->shmem_bytes = u.shmem_bytes;
	w->file_bytes = u.file_bytes;
	w->signal_bytes = cgroup_usage__signal_bytes(&u);
	w->limit_bytes = u.nearest_limit_bytes;
	w->limit_path = u.nearest_limit_path;
	w->own_limit_bytes = u.limit_bytes;
	w->headroom_bytes = u.headroom_bytes < a->node_available_bytes ? u.headroom_bytes :
									 a->node_available_bytes;
	coroner__limit(a, w, &u);
}

/* ---- the passes -------------------------------------------------------------------------- */

/* Its own cgroup, its container and its pod, each once: all three are watched. At the bound, the
 * process's own watch may have to make room for them. */
static void count_upwards(struct agent *a, const struct cgroup_info *cg,
			  const struct proc_sample *s, double load)
{
	const struct cgroup_info *all[] = {cg, cg->container_cgroup, cg->pod_cgroup};
	struct watch *w;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i] || (i && all[i] == cg))
			continue;
		w = find_cgroup(a, all[i]);
		if (w)
			count_into(a, w, s, load);
	}
}

/* Its names are kept for as long as it is there: they are read once, and not at each poll. */
static void leave_out(struct agent *a, const struct proc_sample *s, const struct proc_info *proc)
{
	a->unwatched++;
	if (!proc)
		return;
	remember(a, &a->left_out, &s->id);
	if (proc->cgroup)
		count_upwards(a, proc->cgroup, s, NAN);
}

static void count_proc(struct agent *a, const struct proc_sample *s)
{
	const struct proc_info *proc;
	struct watch *w;
	int start;

	if (s->flags & SEEP_PROC_SHARED_MM)
		return; /* its memory is another's, and counted there */
	proc = name_proc(a, s);
	w = proc ? find_proc(a, s, proc, &start) : NULL;
	if (!w) {
		leave_out(a, s, proc);
		return;
	}
	take_numbers(a, w, s);
	w->start = start;
	a->procs++;
	if (w->cgroup)
		count_upwards(a, w->cgroup, s, w->load);
}

static void cgroup_pass(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct agent *a = ctx;

	if (!w || watch__is_proc(w) || w->seen_seq != a->seq || !w->cgroup)
		return;
	a->cgroups++;
	read_cgroup(a, w);
	if (w->read_s > 0) { /* never read is unknown, not empty */
		watch__observe(w, a->store, a->now_s);
		w->start = 0;
	}
}

/* Shared memory is the process's own when nobody else in its cgroup has any to speak of. */
static void settle_signal(struct agent *a, struct watch *w)
{
	struct watch *cg = watch_of_cgroup(a, w->cgroup);

	w->signal_bytes = w->anon_bytes + w->swap_bytes;
	w->limit_bytes = UINT64_MAX;
	w->limit_path = NULL;
	w->headroom_bytes = a->node_available_bytes;
	if (!cg)
		return;
	if (cg->shmem_holders == 1 && w->shmem_bytes >= SHMEM_OWNER_BYTES)
		w->signal_bytes += w->shmem_bytes;
	w->limit_bytes = cg->limit_bytes;
	w->limit_path = cg->limit_path;
	if (cg->headroom_bytes < w->headroom_bytes)
		w->headroom_bytes = cg->headroom_bytes;
}

static void proc_pass(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct agent *a = ctx;

	if (!w || !watch__is_proc(w) || w->seen_seq != a->seq)
		return;
	settle_signal(a, w);
	watch__observe(w, a->store, a->now_s);
}

static void mark_present(struct agent *a, const struct proc_sample *sample)
{
	struct series_key key = series_key__proc(&sample->id);
	struct series *s = store__find(a->store, &key);
	struct watch *w = s ? series__user(s) : NULL;

	if (w)
		w->seen_seq = a->seq;
}

/* Processes that are not in this poll have ended; newcomers of the poll may carry them on. */
static void ended_pass(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct agent *a = ctx;

	if (!w || !watch__is_proc(w) || w->seen_seq == a->seq || !isnan(w->ended_s))
		return;
	w->ended_s = a->now_s;
	if (w->detector)
		to_limbo(a, w);
	else
		end_now(a, w);
}

/* No poll has been stored for so long that the cgroup counts as gone. */
static int is_long_gone(const struct agent *a, double last_s)
{
	return !(a->now_s - last_s <= a->cfg.window_s / 4);
}

/* Restored series whose process did not come back, and cgroups without processes. */
static void absent_pass(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct agent *a = ctx;

	if (!w) {
		/* restored, and not there any more: its incident is closed by tracker__sweep */
		if (series__key(s)->kind == SERIES_PROC || is_long_gone(a, series__last_s(s)))
			store__remove(a->store, s);
		return;
	}
	a->detectors += !!w->detector;
	if (watch__is_proc(w) || w->seen_seq == a->seq)
		return;
	w->cgroup = NULL;
	w->limit_path = NULL;
	if (is_long_gone(a, w->last_s)) {
		court__ended(a, w, "cgroup is empty or gone");
		forget(a, w);
	}
}

void census__take(struct agent *a, const struct proc_sample *samples, size_t cnt)
{
	size_t i;

	a->procs = 0;
	a->unwatched = 0;
	a->cgroups = 0;
	a->detectors = 0;
	if (who__node_memory(a->who, &a->node_total_bytes, &a->node_available_bytes))
		a->node_total_bytes = a->node_available_bytes = UINT64_MAX; /* not known */
	for (i = 0; i < cnt; i++)
		mark_present(a, &samples[i]);
	store__foreach(a->store, ended_pass, a);
	for (i = 0; i < cnt; i++)
		count_proc(a, &samples[i]);
	forget_left_out(a);
	store__foreach(a->store, cgroup_pass, a);
	store__foreach(a->store, proc_pass, a);
	store__foreach(a->store, absent_pass, a);
	expire_limbo(a);
}

/* ---- events ------------------------------------------------------------------------------ */

/* Below 6.9 the OOM event has a pid only. */
struct by_pid {
	uint32_t pid;
	struct watch *found;
};

static void match_pid(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct by_pid *q = ctx;

	if (w && watch__is_proc(w) && w->id.tgid == q->pid && isnan(w->ended_s))
		q->found = w;
}

static struct watch *watch_of(struct agent *a, const struct seep_task_id *id)
{
	struct by_pid q = {.pid = id->tgid};
	struct series_key key = series_key__proc(id);
	struct series *s = store__find(a->store, &key);

	if (s)
		return series__user(s);
	if (!id->start_ns)
		store__foreach(a->store, match_pid, &q);
	return q.found;
}

void census__event(struct agent *a, const struct proc_event *ev)
{
	struct watch *w = watch_of(a, &ev->id);

	if (ev->kind == SEEP_EVENT_OOM) {
		coroner__oom(a, ev, w);
		if (w)
			w->end_reason = "OOM-killed";
		return;
	}
	if (!w) {
		a->short_lived++;
		return;
	}
	if (!w->end_reason)
		w->end_reason = ev->flags & SEEP_PROC_OOM_KILLED ? "OOM-killed" : "process ended";
}

void census__evicted(struct agent *a, struct series *s)
{
	struct watch *w = series__user(s);

	if (!w)
		return;
	court__ended(a, w, "no longer tracked: evicted at the bound");
	limbo_remove(a, w);
	if (watch__is_proc(w))
		who__forget(a->who, &w->id);
	watch__free(w);
}
