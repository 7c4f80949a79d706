// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_notify.c - who is told what, and when: groups, repeats, restarts, targets that fail. The
 * tracker, the history, the threads and the HTTP are real; the clock of the policy is ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "incident/tracker.h"
#include "incident_sample.h"
#include "out/notify.h"
#include "out/notify_kind.h"

#define WAIT_MS	     30000
#define REQUESTS_MAX 64

/* ---- a receiver -------------------------------------------------------------------------- */

enum manner { TAKES, FAILS, REDIRECTS, NEVER_ENDS, TALKS_NONSENSE, NEVER_ANSWERS };

static struct {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	enum manner manner;
	char *requests[REQUESTS_MAX];
	int cnt;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char *read_request(int fd)
{
	struct buf b = {0};
	char data[4096], *end, *length;
	ssize_t n;

	for (;;) {
		end = b.len ? strstr(b.data, "\r\n\r\n") : NULL;
		length = end ? strstr(b.data, "Content-Length: ") : NULL;
		if (end && b.len >= (size_t)(end + 4 - b.data) + (length ? atoi(length + 16) : 0))
			return b.data;
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			return b.data;
		buf__append(&b, data, n);
	}
}

static void put(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void answer(int fd, enum manner manner)
{
	char byte;

	switch (manner) {
	case TAKES:
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		break;
	case FAILS:
		put(fd, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
		break;
	case REDIRECTS:
		put(fd, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
		break;
	case NEVER_ENDS:
		put(fd, "HTTP/1.1 200 OK\r\n\r\n");
		while (send(fd, "endless endless endless endless ", 32, MSG_NOSIGNAL) > 0)
			;
		break;
	case TALKS_NONSENSE:
		put(fd, "\x16\x03\x01 what do you want?\r\n\r\n");
		break;
	case NEVER_ANSWERS:
		(void)!read(fd, &byte, 1); /* until the client has had enough */
		break;
	}
}

static void *serve(void *arg)
{
	enum manner manner;
	char *request;
	int fd;

	while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
		request = read_request(fd);
		pthread_mutex_lock(&server.lock);
		manner = server.manner;
		if (request && server.cnt < REQUESTS_MAX)
			server.requests[server.cnt++] = request;
		else
			free(request);
		pthread_mutex_unlock(&server.lock);
		answer(fd, manner);
		close(fd);
	}
	return NULL;
}

static void start_server(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);

	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (void *)&addr, len), 0);
	assert_int_equal(listen(server.fd, 8), 0);
	assert_int_equal(getsockname(server.fd, (void *)&addr, &len), 0);
	server.port = ntohs(addr.sin_port);
	server.manner = TAKES;
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	while (server.cnt)
		free(server.requests[--server.cnt]);
}

static int received(void)
{
	int cnt;

	pthread_mutex_lock(&server.lock);
	cnt = server.cnt;
	pthread_mutex_unlock(&server.lock);
	return cnt;
}

/* The body of request i. */
static json_t *message(int i)
{
	json_t *json;

	assert_true(i < received());
	json = json_loads(strstr(server.requests[i], "\r\n\r\n") + 4, 0, NULL);
	assert_non_null(json);
	return json;
}

static const char *str(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* ---- an agent ---------------------------------------------------------------------------- */

static char dir[64], url[64];
static struct history *history;
static struct tracker *tracker;
static struct mutes *mutes;
static struct notify *notify;
static struct notify_target target;
static double now_s;

static void on_change(void *ctx, const struct incident *in)
{
	if (notify && in->state == INCIDENT_CLOSED)
		notify__closed(notify, now_s, in);
}

static void start_agent(void)
{
	char path[128], text[200] = "";
	const char *why;
	struct notify_cfg cfg = {
		.targets = &target,
		.cnt = 1,
		.node = "n1",
		.now_s = now_s,
	};

	snprintf(path, sizeof(path), "%s/incidents.db", dir);
	assert_int_equal(history__open(path, &history, &why), 0);
	tracker = tracker__new(
		&(struct tracker_cfg){.history = history, .node = "n1", .window_s = WINDOW_S});
	assert_non_null(tracker);
	tracker__on_change(tracker, on_change, NULL);
	cfg.history = history;
	cfg.tracker = tracker;
	mutes = mutes__new(history);
	assert_non_null(mutes);
	cfg.mutes = mutes;
	if (notify_target__check(&target, text, sizeof(text)))
		fail_msg("%s", text);
	assert_int_equal(notify__new(&cfg, &notify), 0);
}

static void stop_agent(void)
{
	notify__free(notify);
	notify = NULL;
	tracker__free(tracker);
	mutes__free(mutes);
	history__close(history);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/seep-notify-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	start_server();
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/hook", server.port);
	now_s = T0;
	notify_target__init(&target, "ops");
	target.type = NOTIFY_WEBHOOK;
	target.url = url;
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(name);
}

static int teardown(void **state)
{
	stop_agent();
	stop_server();
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct notify_stats stats(void)
{
	struct notify_stats s;

	notify__stats(notify, 0, &s);
	return s;
}

/* Let that much time pass, and wait for the deliveries that this sets off. */
static void pass(double seconds)
{
	struct pollfd done = {.fd = notify__fd(notify), .events = POLLIN};

	now_s += seconds;
	notify__tick(notify, now_s);
	while (stats().busy) {
		assert_int_equal(poll(&done, 1, WAIT_MS), 1);
		notify__tick(notify, now_s);
	}
}

/* Until so many attempts are over, however slow they are. */
static void await_attempts(uint64_t cnt)
{
	struct pollfd done = {.fd = notify__fd(notify), .events = POLLIN};

	notify__tick(notify, now_s);
	while (stats().sent + stats().failed < cnt) {
		assert_int_equal(poll(&done, 1, WAIT_MS), 1);
		notify__tick(notify, now_s);
	}
}

static void report(unsigned pid, const char *workload, enum verdict_state state)
{
	struct incident_object object = sample_object();
	struct verdict v = sample_verdict();
	char key[32], pod[32];

	snprintf(key, sizeof(key), "p:%u:1", pid);
	snprintf(pod, sizeof(pod), "pod-%u", pid);
	object.pid = pid;
	object.pod = pod;
	object.workload = (char *)workload;
	object.node = NULL;
	v.state = state;
	tracker__report(tracker, now_s,
			&(struct finding){.key = key, .object = &object, .verdict = &v});
}

static void end(unsigned pid)
{
	char key[32];

	snprintf(key, sizeof(key), "p:%u:1", pid);
	tracker__ended(tracker, now_s, key, "process ended");
}

/* ---- policy ------------------------------------------------------------------------------ */

static void test_200_pods_make_one_message(void **state)
{
	json_t *m;
	unsigned i;

	start_agent();
	for (i = 0; i < 200; i++) {
		report(1000 + i, "Deployment/api", VERDICT_LEAK);
		if (i % 50 == 0)
			notify__tick(notify, now_s += 1);
	}
	report(7, "Deployment/other", VERDICT_LEAK);
	pass(10);
	assert_int_equal(received(), 0); /* news wait for others */
	pass(30);
	assert_int_equal(received(), 2);
	m = message(0);
	assert_string_equal(str(m, "schema"), "seep.notification/1");
	assert_string_equal(str(m, "title"), "warning: 200 leaks of Deployment/api on node n1");
	assert_int_equal(json_integer_value(json_object_get(m, "count")), 200);
	assert_int_equal(json_array_size(json_object_get(m, "incidents")), 50);
	json_decref(m);
	assert_int_equal(stats().pending, 0);
	pass(3600);
	assert_int_equal(received(), 2);
}

static void test_opened_repeated_resolved(void **state)
{
	const struct incident *in;
	json_t *m;

	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(31);
	pass(3600);
	assert_int_equal(received(), 1);
	in = tracker__open_of(tracker, "p:7:1");
	assert_string_equal(in->timeline[in->timeline_cnt - 1].text, "told 'ops' (webhook)");
	m = message(0);
	assert_string_equal(str(m, "state"), "open");
	assert_string_equal(str(m, "title"), "warning: api[7] in shop/pod-7 leaks: 311 MiB so far, "
					     "97.0 MiB per hour, 17h to the limit (node n1)");
	json_decref(m);
	pass(3 * 3600 + 60);
	assert_int_equal(received(), 2); /* still open */
	assert_string_equal(in->timeline[in->timeline_cnt - 1].text, "told 'ops' (webhook)");
	assert_string_not_equal(in->timeline[in->timeline_cnt - 2].text, "told 'ops' (webhook)");
	end(7);
	pass(400);
	assert_int_equal(received(), 3);
	m = message(2);
	assert_string_equal(str(m, "state"), "closed");
	assert_non_null(strstr(str(m, "title"), "process ended"));
	json_decref(m);
	pass(86400);
	assert_int_equal(received(), 3);
	assert_int_equal(stats().pending, 0);
}

static void test_nobody_asked(void **state)
{
	target.selector = "namespace=shop,workload!=Deployment/api";
	target.send_resolved = 0;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	report(8, "Deployment/db", VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(received(), 1);
	assert_non_null(strstr(server.requests[0], "api[8]"));
	end(8);
	pass(1000);
	assert_int_equal(received(), 1);
}

static void mute(const char *selector, double for_s)
{
	char why[SELECTOR_WHY_LEN];
	const struct mute *m;

	assert_int_equal(mutes__add(mutes, now_s, now_s + for_s, selector, NULL, &m, why), 0);
}

static void test_the_muted_are_told_of_later(void **state)
{
	json_t *m;

	start_agent();
	mute("pod=pod-7", 3600);
	report(7, "Deployment/api", VERDICT_LEAK);
	report(8, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(60);
	assert_int_equal(received(), 1); /* of the one that is not muted */
	m = message(0);
	assert_int_equal(json_integer_value(json_object_get(m, "count")), 1);
	json_decref(m);
	stop_agent();
	start_agent(); /* a mute outlives the agent */
	pass(60);
	assert_int_equal(received(), 1);
	pass(3600); /* it still leaks when the mute ends */
	pass(60);
	assert_int_equal(received(), 2);
}

static void test_a_leak_that_ends_muted_is_never_told(void **state)
{
	start_agent();
	mute("pod=pod-7", 3600);
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(60);
	end(7);
	pass(60);
	pass(7200);
	assert_int_equal(received(), 0);
	assert_int_equal(stats().pending, 0);
}

static void test_who_was_told_hears_the_end(void **state)
{
	json_t *m;

	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(60);
	assert_int_equal(received(), 1);
	mute("pod=*", INFINITY);
	pass(86400); /* no repeats */
	assert_int_equal(received(), 1);
	end(7);
	pass(0);
	pass(60);
	assert_int_equal(received(), 2);
	m = message(1);
	assert_string_equal(str(m, "state"), "closed");
	json_decref(m);
}

static void test_severity(void **state)
{
	target.min_severity = SEVERITY_CRITICAL;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK); /* a warning */
	pass(0);
	pass(31);
	assert_int_equal(received(), 0);
	assert_int_equal(stats().pending, 0);
}

static void test_rate(void **state)
{
	unsigned i;

	target.rate = 2;
	target.group = NOTIFY_BY_NONE;
	start_agent();
	for (i = 0; i < 9; i++)
		report(10 + i, NULL, VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(received(), 2);
	pass(1800);
	assert_int_equal(received(), 3);
	assert_int_equal(stats().pending, 6);
}

/* ---- restarts ---------------------------------------------------------------------------- */

static void test_a_restart_repeats_nothing(void **state)
{
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(received(), 1);
	stop_agent();
	start_agent();
	pass(3600);
	assert_int_equal(received(), 1);
	end(7);
	stop_agent(); /* closed, and that not told */
	start_agent();
	pass(400);
	assert_int_equal(received(), 2);
	stop_agent();
	start_agent();
	pass(400);
	assert_int_equal(received(), 2);
}

static void test_what_failed_survives_a_restart(void **state)
{
	json_t *m;

	server.manner = FAILS;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(stats().failed, 1);
	end(7); /* meanwhile */
	stop_agent();
	server.manner = TAKES;
	start_agent();
	pass(31);
	assert_int_equal(stats().sent, 1);
	m = message(received() - 1);
	assert_string_equal(str(m, "state"), "closed");
	json_decref(m);
}

/* ---- targets that misbehave -------------------------------------------------------------- */

static void test_failures_are_retried_later_and_later(void **state)
{
	server.manner = FAILS;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(stats().failed, 1);
	assert_string_equal(stats().error, "HTTP status 503");
	pass(.4);
	assert_int_equal(stats().failed, 1); /* half a second at least */
	pass(.7);
	assert_int_equal(stats().failed, 2);
	pass(.9);
	assert_int_equal(stats().failed, 2);
	server.manner = TAKES;
	pass(600);
	assert_int_equal(stats().sent, 1);
	assert_string_equal(stats().error, "");
}

static void try_manner(enum manner manner, const char *error)
{
	server.manner = manner;
	target.timeout_s = 1;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	notify__tick(notify, now_s);
	now_s += 31;
	await_attempts(1);
	assert_int_equal(received(), 1);
	assert_string_equal(stats().error, error);
	assert_int_equal(stats().failed, !!*error);
}

static void test_redirect(void **state)
{
	try_manner(REDIRECTS, "HTTP status 302, and redirects are not followed");
}

static void test_endless_answer(void **state)
{
	try_manner(NEVER_ENDS, "");
}

static void test_nonsense(void **state)
{
	try_manner(TALKS_NONSENSE, "Unsupported protocol");
}

static void test_silence(void **state)
{
	try_manner(NEVER_ANSWERS, "Timeout was reached");
}

static void test_ending_does_not_wait(void **state)
{
	server.manner = NEVER_ANSWERS;
	target.timeout_s = 120; /* the test's own limit is shorter */
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	notify__tick(notify, now_s);
	notify__tick(notify, now_s += 31);
	while (!received())
		poll(NULL, 0, 10);
}

/* ---- what is sent ------------------------------------------------------------------------ */

static const char *write_file(const char *name, const char *text)
{
	static char paths[4][128];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	assert_int_equal(fs__write_atomic(path, text, strlen(text), 0600), 0);
	return path;
}

static void test_template_and_headers(void **state)
{
	target.header_file = write_file("headers", "X-Team: storage\n# no header\nX-Key: s3cret\n");
	target.token_file = write_file("token", "t0ken\n");
	target.body_file = write_file("body", "{\"text\": \"{{title}} {{ pod }} {{nothing}}\","
					      " \"n\": {{count}}, \"limit\": {{limit_bytes}}}");
	start_agent();
	report(7, "Deployment/\"}]{{count}}\\", VERDICT_LEAK);
	pass(0);
	pass(31);
	assert_int_equal(received(), 1);
	assert_non_null(strstr(server.requests[0], "POST /hook HTTP/1.1\r\n"));
	assert_non_null(strstr(server.requests[0], "X-Team: storage\r\n"));
	assert_non_null(strstr(server.requests[0], "Authorization: Bearer t0ken\r\n"));
	json_decref(message(0)); /* parses */
	assert_non_null(
		strstr(server.requests[0], "(node n1) pod-7 \", \"n\": 1, \"limit\": 951058432}"));
	server.manner = FAILS;
	pass(5 * 3600);
	assert_int_equal(stats().failed, 1);
	assert_null(strstr(stats().error, "s3cret"));
}

static void test_expand(void **state)
{
	json_t *m = json_pack("{s:s, s:n, s:[{s:s, s:{s:s}}]}", "title", "a \"b\" \\ \n", "state",
			      "incidents", "state", "open", "object", "comm", "x");
	struct buf b = {0};

	assert_int_equal(
		notify_message__expand("{{title}}|{{state}}|{{comm}}|{{}}|{{no}}|{{x", m, &b), 0);
	assert_string_equal(b.data, "a \\\"b\\\" \\\\ \\n|open|x|||{{x");
	buf__free(&b);
	json_decref(m);
	start_agent(); /* for teardown */
}

/* Alertmanager wants each of them: as many messages as it takes. */
static void test_every_alert_arrives(void **state)
{
	json_t *m;
	int i, cnt = 0;

	target.type = NOTIFY_ALERTMANAGER;
	start_agent();
	for (i = 0; i < 150; i++)
		report(1000 + i, "Deployment/api", VERDICT_LEAK);
	pass(0);
	assert_int_equal(stats().pending, 0);
	for (i = 0; i < received(); i++) {
		m = message(i);
		cnt += json_array_size(m);
		json_decref(m);
	}
	assert_int_equal(cnt, 150);
	assert_int_equal(received(), 3);
}

static void test_alertmanager(void **state)
{
	json_t *m, *alert, *labels;

	target.type = NOTIFY_ALERTMANAGER;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	report(8, "Deployment/db", VERDICT_LEAK);
	pass(0);
	assert_int_equal(received(), 1);
	assert_non_null(strstr(server.requests[0], "POST /hook/api/v2/alerts HTTP/1.1"));
	m = message(0);
	assert_int_equal(json_array_size(m), 2);
	alert = json_array_get(m, 0);
	labels = json_object_get(alert, "labels");
	assert_string_equal(str(labels, "alertname"), "SeepMemoryLeak");
	assert_string_equal(str(labels, "severity"), "warning");
	assert_string_equal(str(labels, "pid"), "7");
	assert_string_equal(str(labels, "namespace"), "shop");
	assert_string_equal(str(labels, "node"), "n1");
	assert_string_equal(str(alert, "startsAt"), "2027-01-15T08:00:00Z");
	assert_string_equal(str(alert, "endsAt"), "2027-01-15T08:04:00Z");
	json_decref(m);
	end(7);
	pass(1);
	m = message(1);
	assert_int_equal(json_array_size(m), 1);
	assert_string_equal(str(json_array_get(m, 0), "endsAt"), "2027-01-15T08:00:00Z");
	json_decref(m);
	pass(60);
	assert_int_equal(received(), 3); /* or Alertmanager would take it for over */
}

static void try_command(const char *command, const char *error)
{
	target.type = NOTIFY_COMMAND;
	target.command = command;
	target.timeout_s = 1;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	notify__tick(notify, now_s);
	now_s += 31;
	await_attempts(1);
	assert_string_equal(stats().error, error);
}

static void test_command(void **state)
{
	char command[160], path[128], text[16384];
	json_t *m;

	snprintf(path, sizeof(path), "%s/$(id);x", dir); /* no shell sees this */
	snprintf(command, sizeof(command), "tee %s", path);
	try_command(command, "");
	assert_true(fs__read(path, text, sizeof(text)) > 0);
	m = json_loads(text, 0, NULL);
	assert_string_equal(str(m, "state"), "open");
	json_decref(m);
}

static void test_command_fails(void **state)
{
	try_command("false", "exit status 1");
}

static void test_command_hangs(void **state)
{
	try_command("sleep 1000", "not done within its time limit, killed");
}

static void test_command_is_missing(void **state)
{
	try_command("/nowhere/to be", "No such file or directory");
}

/* In a child with a /dev of its own: the machine's log is left alone. Exits with 0 when the line
 * came. */
static int log_into_own_socket(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char line[1024];
	int fd;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL))
		return 77;
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(fd, (void *)&addr, sizeof(addr)))
		return 1;
	target.type = NOTIFY_SYSLOG;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	await_attempts(1);
	line[recv(fd, line, sizeof(line) - 1, 0)] = '\0';
	/* daemon.warning */
	return strncmp(line, "<28>", 4) || !strstr(line, "api[7] in shop/pod-7 leaks");
}

static void test_syslog(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(log_into_own_socket());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	start_agent(); /* for teardown */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("a /dev of its own needs root\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_kube_event(void **state)
{
	json_t *m, *object;

	target.type = NOTIFY_KUBE_EVENT;
	start_agent();
	report(7, "Deployment/api", VERDICT_LEAK);
	pass(0);
	assert_int_equal(received(), 1);
	assert_non_null(
		strstr(server.requests[0], "POST /hook/api/v1/namespaces/shop/events HTTP/1.1"));
	m = message(0);
	assert_string_equal(str(m, "kind"), "Event");
	assert_string_equal(str(m, "reason"), "MemoryLeak");
	assert_string_equal(str(m, "type"), "Warning");
	object = json_object_get(m, "involvedObject");
	assert_string_equal(str(object, "kind"), "Pod");
	assert_string_equal(str(object, "namespace"), "shop");
	assert_string_equal(str(object, "name"), "pod-7");
	json_decref(m);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_200_pods_make_one_message),
		TEST(test_opened_repeated_resolved),
		TEST(test_nobody_asked),
		TEST(test_the_muted_are_told_of_later),
		TEST(test_a_leak_that_ends_muted_is_never_told),
		TEST(test_who_was_told_hears_the_end),
		TEST(test_severity),
		TEST(test_rate),
		TEST(test_a_restart_repeats_nothing),
		TEST(test_what_failed_survives_a_restart),
		TEST(test_failures_are_retried_later_and_later),
		TEST(test_redirect),
		TEST(test_endless_answer),
		TEST(test_nonsense),
		TEST(test_silence),
		TEST(test_ending_does_not_wait),
		TEST(test_template_and_headers),
		TEST(test_expand),
		TEST(test_every_alert_arrives),
		TEST(test_alertmanager),
		TEST(test_command),
		TEST(test_command_fails),
		TEST(test_command_hangs),
		TEST(test_command_is_missing),
		TEST(test_syslog),
		TEST(test_kube_event),
	};

	signal(SIGPIPE, SIG_IGN);
	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
