// SPDX-License-Identifier: BSD-2-Clause
/*
 * sandbox.c - see sandbox.h.
 *
 * The parent of sandboxes ("nursery") is forked and never executes anything, so it and we agree on
 * where functions are: an order is the address of what is to be run. It reads nothing but orders, and
 * a sandbox has no descriptor that leads to it. It also ends sandboxes and says how they ended,
 * because we may signal nobody, and its children are not ours to wait for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "message.h"
#include "sandbox.h"

#define ANSWER_MS 60000 /* of the nursery, and of a sandbox that begins: the machine may be busy */
#define FDS_MAX	  65536 /* closed one by one, where there is no close_range */
#define KILLED_MAX 64

struct sandbox {
	int sock;
	pid_t pid;
	unsigned confined;
	int is_counted; /* as running */
};

enum order_kind {
	ORDER_NEW,
	ORDER_KILL, /* and see to the rest later */
	ORDER_END,  /* and say how it ended */
};

struct order {
	uint32_t kind;
	int32_t pid; /* to end */
	sandbox_fn fn;
};

struct answer {
	int32_t pid;	/* or -errno */
	int32_t status; /* as of waitpid; -1: it was there until it was ended */
	uint64_t cpu_ns, max_rss_bytes; /* of all that are gone */
};

static struct {
	pthread_mutex_t lock;
	int sock;
	pid_t pid, owner; /* owner: who made it; a copy of that process makes its own */
	unsigned confined;
	struct sandbox_stats stats;
} nursery = {.lock = PTHREAD_MUTEX_INITIALIZER, .sock = -1};

/* ---- inside ------------------------------------------------------------------------------ */

static void close_others(int keep)
{
	int fd;

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 3, keep - 1, 0) && !syscall(SYS_close_range, keep + 1, ~0U, 0))
		return;
#endif
	for (fd = 3; fd < FDS_MAX; fd++)
		if (fd != keep)
			close(fd);
}

#ifdef __SANITIZE_ADDRESS__ /* what it has to say is for the tests */
#define LAST_NULL STDOUT_FILENO
#else
#define LAST_NULL STDERR_FILENO
#endif

/* Nothing of the terminal and of files is kept but the socket. */
static int leave_all(int sock)
{
	int null, kept = fcntl(sock, F_DUPFD_CLOEXEC, 3 + 1), i;

	if (kept < 0)
		return -errno;
	close_others(kept);
	null = open("/dev/null", O_RDWR);
	for (i = 0; null >= 0 && i <= LAST_NULL; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
	return kept;
}

/* Ctrl-C and the end of a service are for our parent: it may still need names for what it has. */
static void leave_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
				      SIGTSTP, SIGALRM};
	sigset_t none;
	int signo;
	size_t i;

	for (signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL); /* handlers of ours mean nothing there */
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_sandbox(int nursery_sock, int sock, sandbox_fn fn, unsigned confined)
{
	int kept;

	prctl(PR_SET_NAME, "seep-reader");
	close(nursery_sock);
	kept = leave_all(sock);
	if (kept < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	confined |= confine__reader();
	if (message__send(kept, 0, &confined, sizeof(confined), -1, NULL))
		_exit(1);
	fn(kept);
	_exit(0);
}

static void begin_one(int sock, const struct order *o, int fd, unsigned confined,
		      struct answer *ret_answer)
{
	pid_t pid = fd < 0 ? -1 : fork();

	if (!pid)
		run_sandbox(sock, fd, o->fn, confined);
	ret_answer->pid = fd < 0 ? -EINVAL : pid < 0 ? -errno : pid;
}

static uint64_t ns_of(const struct timeval *t)
{
	return t->tv_sec * 1000000000ULL + t->tv_usec * 1000ULL;
}

static void count_used(const struct rusage *used, struct answer *all)
{
	uint64_t rss_bytes = used->ru_maxrss * 1024ULL;

	all->cpu_ns += ns_of(&used->ru_utime) + ns_of(&used->ru_stime);
	if (rss_bytes > all->max_rss_bytes)
		all->max_rss_bytes = rss_bytes;
}

/* One that has closed its socket is about to end by itself, and how is of interest. */
static void end_one(pid_t pid, struct answer *all)
{
	struct rusage used = {};
	int status = 0, was_there;
	pid_t found;

	found = wait4(pid, &status, WNOHANG, &used);
	was_there = !found;
	if (was_there) {
		kill(pid, SIGKILL);
		found = wait4(pid, &status, 0, &used);
	}
	all->pid = found < 0 ? -errno : found;
	all->status = was_there ? -1 : status;
	count_used(&used, all);
}

/* Those that were killed and have gone meanwhile; one that ended by itself waits to be asked about. */
static void reap_killed(pid_t *killed, size_t *cnt, struct answer *all)
{
	struct rusage used = {};
	size_t i, left = 0;

	for (i = 0; i < *cnt; i++) {
		if (!wait4(killed[i], NULL, WNOHANG, &used))
			killed[left++] = killed[i];
		else
			count_used(&used, all);
	}
	*cnt = left;
}

/* Dying takes its time on a busy machine, and nobody waits for it. */
static void kill_one(pid_t pid, pid_t *killed, size_t *cnt, struct answer *all)
{
	if (*cnt == KILLED_MAX) {
		end_one(pid, all);
		return;
	}
	kill(pid, SIGKILL);
	killed[(*cnt)++] = pid;
	all->status = -1;
	all->pid = pid;
}

static void obey(int sock, const struct order *order, int fd, unsigned confined,
		 struct answer *answer)
{
	static pid_t killed[KILLED_MAX];
	static size_t killed_cnt;

	reap_killed(killed, &killed_cnt, answer);
	if (order->kind == ORDER_NEW)
		begin_one(sock, order, fd, confined, answer);
	else if (order->kind == ORDER_KILL)
		kill_one(order->pid, killed, &killed_cnt, answer);
	else
		end_one(order->pid, answer);
}

/* Until the other end is closed. */
static void serve_orders(int sock, unsigned confined)
{
	struct answer answer = {};
	struct buf text = {};
	struct order order;
	uint32_t type;
	int fd;

	while (!message__recv(sock, sizeof(order), &type, &text, &fd, NULL)) {
		answer.pid = -EINVAL;
		if (text.len == sizeof(order)) {
			memcpy(&order, text.data, sizeof(order));
			obey(sock, &order, fd, confined, &answer);
		}
		if (fd >= 0)
			close(fd);
		if (message__send(sock, 0, &answer, sizeof(answer), -1, NULL))
			break;
	}
}

static void run_nursery(int sock)
{
	unsigned confined;
	int kept;

	prctl(PR_SET_NAME, "seep-nursery");
	kept = leave_all(sock);
	if (kept < 0)
		_exit(1);
	leave_signals();
	confined = confine__identity();
	if (!message__send(kept, 0, &confined, sizeof(confined), -1, NULL))
		serve_orders(kept, confined);
	_exit(0);
}

/* ---- outside, under the lock ------------------------------------------------------------- */

static int recv_exactly(int sock, void *data, size_t len)
{
	int patience_ms = ANSWER_MS, err;
	struct buf text = {};
	uint32_t type;

	err = message__recv(sock, len, &type, &text, NULL, &patience_ms);
	if (!err && text.len != len)
		err = -EPROTO;
	if (!err)
		memcpy(data, text.data, len);
	buf__free(&text);
	return err;
}

static void drop_nursery(void)
{
	close(nursery.sock);
	nursery.sock = -1;
	if (nursery.owner == getpid())
		waitpid(nursery.pid, NULL, WNOHANG);
}

static int start_nursery(void)
{
	int ends[2], err;

	if (nursery.sock >= 0 && nursery.owner == getpid())
		return 0;
	if (nursery.owner && nursery.owner == getpid())
		return -ESRCH; /* it is gone: another one could not give up what we do not have */
	if (nursery.sock >= 0)
		drop_nursery();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	nursery.pid = fork();
	if (!nursery.pid)
		run_nursery(ends[1]);
	err = nursery.pid < 0 ? -errno : 0;
	close(ends[1]);
	nursery.sock = ends[0];
	nursery.owner = getpid();
	memset(&nursery.stats, 0, sizeof(nursery.stats));
	if (!err)
		err = recv_exactly(nursery.sock, &nursery.confined, sizeof(nursery.confined));
	if (err)
		drop_nursery();
	return err;
}

/* 0 or -errno; then there is no nursery any more. */
static int give_order(const struct order *o, int fd, struct answer *ret_answer)
{
	int patience_ms = ANSWER_MS, err;

	err = message__send(nursery.sock, 0, o, sizeof(*o), fd, &patience_ms);
	if (!err)
		err = recv_exactly(nursery.sock, ret_answer, sizeof(*ret_answer));
	if (err) {
		drop_nursery();
		return err;
	}
	nursery.stats.cpu_ns = ret_answer->cpu_ns;
	nursery.stats.max_rss_bytes = ret_answer->max_rss_bytes;
	return 0;
}

static int begin(struct sandbox *s, sandbox_fn fn)
{
	struct order order = {.kind = ORDER_NEW, .fn = fn};
	struct answer answer;
	int ends[2], err;

	err = start_nursery();
	if (!err && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		err = -errno;
	if (err)
		return err;
	err = give_order(&order, ends[1], &answer);
	if (!err && answer.pid < 0)
		err = answer.pid;
	close(ends[1]);
	if (err) {
		close(ends[0]);
		return err;
	}
	s->sock = ends[0];
	s->pid = answer.pid;
	return 0;
}

/* ---- outside ----------------------------------------------------------------------------- */

static void count_started(int err, unsigned confined)
{
	struct sandbox_stats *st = &nursery.stats;

	if (err) {
		st->refused++;
		st->last_err = err;
		return;
	}
	st->confined = st->confined ? st->confined & confined : confined;
	st->started++;
	st->running++;
}

/* Its socket is closed by the end of the process, some time before it can be waited for. */
static void await_end(const struct sandbox *s)
{
	struct pollfd p = {.fd = s->sock, .events = POLLRDHUP};
	int pidfd;

	if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLRDHUP | POLLHUP)))
		return;
	pidfd = syscall(SYS_pidfd_open, s->pid, 0);
	p = (struct pollfd){.fd = pidfd, .events = POLLIN};
	if (pidfd >= 0) {
		poll(&p, 1, ANSWER_MS);
		close(pidfd);
	}
}

/* Its wait status, or -1: it was there until now. */
static int end(struct sandbox *s, enum order_kind kind)
{
	struct order order = {.kind = kind, .pid = s->pid};
	struct answer answer = {.status = -1};

	if (kind == ORDER_END)
		await_end(s);
	close(s->sock);
	pthread_mutex_lock(&nursery.lock);
	if (nursery.sock >= 0 && nursery.owner == getpid())
		(void)give_order(&order, -1, &answer);
	nursery.stats.failed += kind == ORDER_END;
	nursery.stats.running -= s->is_counted;
	pthread_mutex_unlock(&nursery.lock);
	free(s);
	return answer.status;
}

int sandbox__new(sandbox_fn fn, struct sandbox **ret_sandbox)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	pthread_mutex_lock(&nursery.lock);
	err = begin(s, fn);
	pthread_mutex_unlock(&nursery.lock);
	if (!err)
		err = recv_exactly(s->sock, &s->confined, sizeof(s->confined));
	pthread_mutex_lock(&nursery.lock);
	count_started(err, s->confined);
	s->is_counted = !err;
	pthread_mutex_unlock(&nursery.lock);
	if (!err)
		*ret_sandbox = s;
	else if (s->pid)
		end(s, ORDER_KILL);
	else
		free(s);
	return err;
}

int sandbox__sock(const struct sandbox *s)
{
	return s->sock;
}

int sandbox__pid(const struct sandbox *s)
{
	return s->pid;
}

unsigned sandbox__confined(const struct sandbox *s)
{
	return s->confined;
}

static void describe_end(int status, char ret_how[SANDBOX_HOW_LEN])
{
	ret_how[0] = '\0';
	if (status < 0)
		return;
	if (WIFSIGNALED(status))
		snprintf(ret_how, SANDBOX_HOW_LEN, "signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(ret_how, SANDBOX_HOW_LEN, "exit status %d", WEXITSTATUS(status));
}

void sandbox__free(struct sandbox *s)
{
	if (s)
		end(s, ORDER_KILL);
}

void sandbox__fail(struct sandbox *s, char ret_how[SANDBOX_HOW_LEN])
{
	describe_end(end(s, ORDER_END), ret_how);
}

static void do_nothing(int sock)
{
}

/* What it can give up is known then. It does not count. */
int sandbox__prepare(void)
{
	struct sandbox *trial;
	int err;

	err = sandbox__new(do_nothing, &trial);
	if (err)
		return err;
	sandbox__free(trial);
	pthread_mutex_lock(&nursery.lock);
	nursery.stats = (struct sandbox_stats){.confined = nursery.stats.confined};
	pthread_mutex_unlock(&nursery.lock);
	return 0;
}

void sandbox__stats(struct sandbox_stats *ret_stats)
{
	pthread_mutex_lock(&nursery.lock);
	*ret_stats = nursery.stats;
	pthread_mutex_unlock(&nursery.lock);
}
