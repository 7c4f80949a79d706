// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_sandbox.c - what a sandbox cannot do, how its end is told, and that one that was taken over
 * does its client no harm.
 *
 * What is tried inside is told by what the function answers over its socket. Under ASan sandboxes
 * are wider (confine.c), so what only the filter forbids is tried without.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/confine.h"
#include "base/message.h"
#include "base/sandbox.h"
#include "sym/session.h"
#include "sym/wire.h"

#ifdef __SANITIZE_ADDRESS__
#define IS_NARROW 0
#else
#define IS_NARROW 1
#endif

#define LIMIT_MS 60000

/* ---- what cannot be done inside ---------------------------------------------------------- */

/* errno of what was tried, or 0: it went well. */
static void answer_errno(int sock, int failed)
{
	int32_t err = failed ? errno : 0;

	message__send(sock, 0, &err, sizeof(err), -1, NULL);
}

static int32_t answer_of(sandbox_fn fn)
{
	int patience_ms = LIMIT_MS;
	struct buf data = {};
	struct sandbox *s;
	uint32_t type;
	int32_t err;

	assert_int_equal(sandbox__new(fn, &s), 0);
	assert_int_equal(message__recv(sandbox__sock(s), sizeof(err), &type, &data, NULL,
				       &patience_ms), 0);
	assert_int_equal(data.len, sizeof(err));
	memcpy(&err, data.data, sizeof(err));
	buf__free(&data);
	sandbox__free(s);
	return err;
}

static void open_file(int sock)
{
	answer_errno(sock, open("/proc/self/maps", O_RDONLY) < 0);
}

/* Of a file that the reader was given: its owner would wait for it. */
static void lock_file(int sock)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	answer_errno(sock, fcntl(STDIN_FILENO, F_SETLK, &lock) < 0);
}

static void make_code(int sock)
{
	answer_errno(sock, mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void have_child(int sock)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	answer_errno(sock, pid < 0);
}

static void take_memory(int sock)
{
	errno = 0;
	answer_errno(sock, mmap(NULL, 2ULL << 30, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED);
}

static void use_memory(int sock)
{
	char *block = malloc(64 << 20);

	if (block)
		memset(block, 1, 64 << 20);
	answer_errno(sock, !block || block[12345] != 1);
}

static void count_files(int sock)
{
	int fd, cnt = 0;

	for (fd = 0; fd < 256; fd++)
		cnt += fcntl(fd, F_GETFD) >= 0;
	errno = cnt;
	answer_errno(sock, 1);
}

static void test_cannot(void **state)
{
	if (IS_NARROW) {
		assert_int_equal(answer_of(open_file), ENOSYS);
		assert_int_equal(answer_of(make_code), ENOSYS);
		assert_int_equal(answer_of(lock_file), ENOSYS);
		assert_int_equal(answer_of(have_child), ENOSYS);
		assert_int_equal(answer_of(take_memory), ENOMEM);
	}
	assert_int_equal(answer_of(use_memory), 0);
	/* the socket, and /dev/null three times */
	assert_int_equal(answer_of(count_files), 4);
}

/* ---- how it ends ------------------------------------------------------------------------- */

static void open_socket(int sock)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void execute(int sock)
{
	char *const argv[] = {"/bin/true", NULL};

	execv(argv[0], argv);
}

static void kill_parent(int sock)
{
	kill(getppid(), SIGKILL);
}

static void crash(int sock)
{
	raise(SIGSEGV);
}

static void give_up(int sock)
{
	_exit(7);
}

static void stay(int sock)
{
	for (;;)
		(void)!read(sock, &(char){0}, 1);
}

static void end_well(int sock)
{
}

static void expect_end(sandbox_fn fn, const char *expected)
{
	int patience_ms = LIMIT_MS;
	char how[SANDBOX_HOW_LEN];
	struct buf data = {};
	struct sandbox *s;
	uint32_t type;

	assert_int_equal(sandbox__new(fn, &s), 0);
	assert_int_equal(message__recv(sandbox__sock(s), 0, &type, &data, NULL, &patience_ms),
			 -EPIPE);
	sandbox__fail(s, how);
	assert_string_equal(how, expected);
}

static void test_ends(void **state)
{
	char sys[SANDBOX_HOW_LEN];
	struct sandbox_stats before, after;

	snprintf(sys, sizeof(sys), "signal %d", SIGSYS);
	sandbox__stats(&before);
	expect_end(open_socket, sys);
	expect_end(execute, sys);
	expect_end(kill_parent, sys);
	expect_end(crash, "signal 11");
	expect_end(give_up, "exit status 7");
	expect_end(end_well, "");
	sandbox__stats(&after);
	assert_int_equal(after.started - before.started, 6);
	assert_int_equal(after.failed - before.failed, 6);
	assert_int_equal(after.running, before.running);
}

/* One that is at work is ended all the same, and is no zombie afterwards. */
static void test_ended_by_us(void **state)
{
	char how[SANDBOX_HOW_LEN];
	struct sandbox *s;
	pid_t pid;

	assert_int_equal(sandbox__new(stay, &s), 0);
	pid = sandbox__pid(s);
	assert_int_equal(kill(pid, 0), 0);
	sandbox__fail(s, how);
	assert_string_equal(how, "");
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* Someone who has it killed from outside. */
static void test_killed(void **state)
{
	int patience_ms = LIMIT_MS;
	char how[SANDBOX_HOW_LEN];
	struct buf data = {};
	struct sandbox *s;
	uint32_t type;

	if (getuid())
		skip();
	assert_int_equal(sandbox__new(stay, &s), 0);
	kill(sandbox__pid(s), SIGSEGV);
	assert_int_equal(message__recv(sandbox__sock(s), 0, &type, &data, NULL, &patience_ms),
			 -EPIPE);
	sandbox__fail(s, how);
	assert_string_equal(how, "signal 11");
}

/* ---- who it is --------------------------------------------------------------------------- */

static void read_status(pid_t pid, char text[8192])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, 8191);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
}

static void test_identity(void **state)
{
	char status[8192], ours[256], theirs[256], path[64];
	struct sandbox *s;

	assert_int_equal(sandbox__new(stay, &s), 0);
	read_status(sandbox__pid(s), status);
	assert_non_null(strstr(status, "\nCapEff:\t0000000000000000\n"));
	assert_non_null(strstr(status, "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(status, "\nCapInh:\t0000000000000000\n"));
	assert_non_null(strstr(status, "\nCapAmb:\t0000000000000000\n"));
	assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
	assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
	assert_int_equal(sandbox__confined(s) & CONFINED_CAPS, CONFINED_CAPS);
	assert_int_equal(sandbox__confined(s) & CONFINED_SECCOMP, CONFINED_SECCOMP);
	if (sandbox__confined(s) & CONFINED_USER)
		assert_non_null(strstr(status, "\nUid:\t65534\t65534\t65534\t65534\n"));
	if (sandbox__confined(s) & CONFINED_NETWORK && !getuid()) {
		memset(ours, 0, sizeof(ours));
		memset(theirs, 0, sizeof(theirs));
		assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/net", sandbox__pid(s));
		assert_true(readlink(path, theirs, sizeof(theirs) - 1) > 0);
		assert_string_not_equal(ours, theirs);
	}
	sandbox__free(s);
}

static void test_in_words(void **state)
{
	char text[128];

	confine__describe(CONFINED_ALL, text, sizeof(text));
	assert_string_equal(text, "user nobody, no network, no capabilities, seccomp, limits");
	confine__missing(CONFINED_ALL, text, sizeof(text));
	assert_string_equal(text, "");
	confine__missing(CONFINED_ALL & ~CONFINED_NETWORK, text, sizeof(text));
	assert_string_equal(text, "a network of its own");
}

/* ---- one that was taken over ------------------------------------------------------------- */

static int asks;

static int give_null(void *ctx, uint32_t target, enum opener_kind kind, uint64_t start,
		     const char *name)
{
	asks++;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int ask_it(sandbox_fn fn, struct buf *ret_answer)
{
	struct buf question = {};
	struct sandbox *s;
	int err;

	asks = 0;
	assert_int_equal(sandbox__new(fn, &s), 0);
	buf__puts(&question, "?");
	err = session__ask(sandbox__sock(s), SESSION_FIRST_TYPE, &question, give_null, NULL,
			   ret_answer);
	sandbox__free(s);
	buf__free(&question);
	return err;
}

static void await_question(int sock)
{
	struct buf question = {};
	uint32_t type;

	session__next(sock, &type, &question);
}

/* More than anybody may say; only the claim is needed. */
static void claim_much(int sock)
{
	const uint32_t header[] = {SESSION_FIRST_TYPE, UINT32_MAX};

	await_question(sock);
	(void)!write(sock, header, sizeof(header));
	stay(sock);
}

static void say_half(int sock)
{
	const uint32_t header[] = {SESSION_FIRST_TYPE, 1000};

	await_question(sock);
	(void)!write(sock, header, sizeof(header));
	(void)!write(sock, "half", 4);
}

static void answer_another(int sock)
{
	struct buf answer = {};

	await_question(sock);
	buf__puts(&answer, "...");
	session__answer(sock, SESSION_FIRST_TYPE + 1, &answer);
	stay(sock);
}

static void ask_nonsense(int sock)
{
	struct buf ask = {};

	await_question(sock);
	wire__put_uint(&ask, OPEN_KINDS, 4); /* one beyond the last */
	wire__put_uint(&ask, 1, 4);
	wire__put_uint(&ask, 0, 8);
	wire__put_text(&ask, "name");
	session__answer(sock, 1, &ask);
	stay(sock);
}

static void ask_too_long(int sock)
{
	struct buf ask = {};
	int i;

	await_question(sock);
	wire__put_uint(&ask, OPEN_BUILD_ID, 4);
	wire__put_uint(&ask, 1, 4);
	wire__put_uint(&ask, 0, 8);
	wire__put_uint(&ask, 1, 1);
	for (i = 0; i < OPENER_NAME_MAX + 1; i++)
		wire__put_uint(&ask, 'a', 1);
	wire__put_uint(&ask, 0, 1);
	session__answer(sock, 1, &ask);
	stay(sock);
}

/* For ever: there is an end to what is opened for one answer. */
static void ask_on_and_on(int sock)
{
	struct session_asker asker = {.sock = sock, .target = 1};
	struct opener opener = session__opener(&asker);
	int fd;

	await_question(sock);
	for (;;) {
		fd = opener__open(&opener, OPEN_MAPS, 0, NULL);
		if (fd < 0)
			return;
		close(fd);
	}
}

/* Nobody wants descriptors from it. */
static void send_files(int sock)
{
	await_question(sock);
	message__send(sock, SESSION_FIRST_TYPE, "ok", 2, STDIN_FILENO, NULL);
	stay(sock);
}

static int open_cnt(void)
{
	int fd, cnt = 0;

	for (fd = 0; fd < 1024; fd++)
		cnt += fcntl(fd, F_GETFD) >= 0;
	return cnt;
}

static void test_taken_over(void **state)
{
	struct buf answer = {};
	int before;

	assert_int_equal(ask_it(end_well, &answer), -EPIPE); /* before there is anything to be done */
	before = open_cnt();
	assert_int_equal(ask_it(claim_much, &answer), -EMSGSIZE);
	assert_int_equal(ask_it(say_half, &answer), -EPIPE);
	assert_int_equal(ask_it(answer_another, &answer), -EPROTO);
	assert_int_equal(ask_it(ask_nonsense, &answer), -EPROTO);
	assert_int_equal(ask_it(ask_too_long, &answer), -EPROTO);
	assert_int_equal(asks, 0);
	assert_int_equal(ask_it(ask_on_and_on, &answer), -EPROTO);
	assert_true(asks > 1000);
	assert_int_equal(ask_it(send_files, &answer), 0);
	assert_int_equal(answer.len, 2);
	assert_int_equal(open_cnt(), before);
	buf__free(&answer);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void test_patience(void **state)
{
	int ends[2], patience_ms = 50;
	struct buf data = {};
	uint32_t type;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(message__recv(ends[0], 10, &type, &data, NULL, &patience_ms), -ETIMEDOUT);
	assert_int_equal(patience_ms, 0);
	/* who does not read does not keep a writer for ever either */
	patience_ms = 50;
	data.len = 0;
	while (data.len < 8 << 20)
		buf__append(&data, "0123456789abcdef", 16);
	assert_int_equal(message__send(ends[0], 1, data.data, data.len, -1, &patience_ms),
			 -ETIMEDOUT);
	buf__free(&data);
	close(ends[0]);
	close(ends[1]);
}

static void test_descriptor_arrives(void **state)
{
	struct buf data = {};
	int ends[2], fd;
	struct stat a, b;
	uint32_t type;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(message__send(ends[0], 5, "hello", 5, STDIN_FILENO, NULL), 0);
	assert_int_equal(message__recv(ends[1], 5, &type, &data, &fd, NULL), 0);
	assert_int_equal(type, 5);
	assert_int_equal(data.len, 5);
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(fstat(STDIN_FILENO, &a), 0);
	assert_int_equal(fstat(fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	buf__free(&data);
	close(ends[0]);
	close(ends[1]);
}

/* ---- the agent's own filter -------------------------------------------------------------- */

#define REFUSED(call) (errno = 0, (call) < 0 && errno == EPERM)

/* In a child: there is no way back. 0: as expected; else the line that was not. */
static int guarded(int may_exec)
{
	char *const argv[] = {"/bin/true", NULL};
	int status;
	pid_t pid;

	if (confine__guard(may_exec))
		return __LINE__;
	if (!REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
		return __LINE__;
	if (!REFUSED(unshare(0)) || !REFUSED(setuid(getuid())))
		return __LINE__;
	if (may_exec ? kill(getpid(), 0) : !REFUSED(kill(getpid(), 0)))
		return __LINE__;
	if (!REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0)))
		return __LINE__;
	if (syscall(SYS_tgkill, getpid(), getpid(), 0)) /* abort */
		return __LINE__;
	pid = fork();
	if (!pid) {
		execv(argv[0], argv);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return __LINE__;
	return WEXITSTATUS(status) == (may_exec ? 0 : EPERM) ? 0 : __LINE__;
}

static void expect_guarded(int may_exec)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		/* without privileges only who cannot gain any may filter */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		status = guarded(may_exec);
		if (status)
			fprintf(stderr, "line %d is not so\n", status);
		_exit(!!status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_guard(void **state)
{
	expect_guarded(0);
	expect_guarded(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cannot),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_ended_by_us),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_in_words),
		cmocka_unit_test(test_taken_over),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_descriptor_arrives),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
