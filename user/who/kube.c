// SPDX-License-Identifier: BSD-2-Clause
/*
 * kube.c - see kube.h.
 *
 * The thread sleeps until somebody wants, or the refresh is due, but never shorter than the gap
 * since the last request. What is shared with the agent's loop is under one mutex; the request
 * itself is the thread's own.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "../base/clock.h"
#include "../base/fs.h"
#include "kube.h"

#define TOKEN_CAP	  (16 << 10)
#define CONNECT_SHARE	  4 /* of the timeout: to connect */
#define DEFAULT_REFRESH_S 60
#define DEFAULT_GAP_S	  10
#define DEFAULT_TIMEOUT_S 20

struct kube {
	char *url, *token_file, *ca_file;
	double refresh_s, gap_s, timeout_s;
	pthread_t thread;
	atomic_bool stop;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* wanted or stop */
	bool wanted;
	struct kube_list *fresh; /* not taken yet */
	struct kube_status status;
};

/* One request, while it runs. */
struct request {
	struct kube *kube;
	CURL *curl;
	struct kube_list *list;
	int list_err;
	size_t body_sz;
	char why[KUBE_WHY_CAP];
};

static __attribute__((format(printf, 2, 3))) int fail(struct request *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- the request ---- */

static long http_code(CURL *curl)
{
	long code = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	return code;
}

/* Only the body of a good answer is of interest; the text of an error is not even kept. */
static size_t on_body(char *data, size_t size, size_t cnt, void *ctx)
{
	struct request *r = ctx;

	r->body_sz += size * cnt;
	if (r->body_sz > KUBE_BODY_MAX)
		r->list_err = -EFBIG;
	else if (http_code(r->curl) == 200)
		r->list_err = kube_list__feed(r->list, data, size * cnt);
	return r->list_err ? 0 : size * cnt;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct request *r = ctx;

	return atomic_load(&r->kube->stop);
}

/* The header with the token, "" when there is none to be had. */
static int read_token(struct request *r, char *header, size_t cap)
{
	static const char bearer[] = "Authorization: Bearer ";
	size_t len = strlen(bearer);
	ssize_t n;

	memcpy(header, bearer, len);
	n = fs__read(r->kube->token_file, header + len, cap - len);
	if (n < 0)
		return fail(r,
			    "the token '%.100s' cannot be read: %s; mount the service account's "
			    "token or give --kubelet-token-file",
			    r->kube->token_file, strerror(-n));
	/* a line break would begin another header */
	header[len + strcspn(header + len, "\r\n ")] = '\0';
	if (!header[len])
		return fail(r, "the token '%.100s' is empty", r->kube->token_file);
	return 0;
}

static void set_options(struct request *r, const char *url, struct curl_slist *headers, char *error)
{
	const struct kube *k = r->kube;
	bool check = strcmp(k->ca_file, "none");

	curl_easy_setopt(r->curl, CURLOPT_URL, url);
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(r->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->curl, CURLOPT_FOLLOWLOCATION, 0L); /* the token goes nowhere else */
	curl_easy_setopt(r->curl, CURLOPT_SSL_VERIFYPEER, (long)check);
	curl_easy_setopt(r->curl, CURLOPT_SSL_VERIFYHOST, check ? 2L : 0L);
	if (check)
		curl_easy_setopt(r->curl, CURLOPT_CAINFO, k->ca_file);
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)(k->timeout_s * 1000));
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(k->timeout_s * 1000 / CONNECT_SHARE));
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFODATA, r);
}

static int explain_transfer(struct request *r, CURLcode code, const char *error)
{
	const char *text = *error ? error : curl_easy_strerror(code);

	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return fail(r,
			    "its certificate is not trusted: %.120s; give the authority that "
			    "signed it by --kubelet-ca",
			    text);
	case CURLE_SSL_CACERT_BADFILE:
		return fail(r,
			    "the authority's certificate '%.100s' cannot be read; give "
			    "--kubelet-ca",
			    r->kube->ca_file);
	case CURLE_OPERATION_TIMEDOUT:
		return fail(r, "no whole answer in time: %.150s", text);
	default:
		return fail(r, "%.200s", text);
	}
}

static int explain_code(struct request *r, long code)
{
	switch (code) {
	case 401:
		return fail(r,
			    "401: it does not accept the token '%.100s'; is it a service "
			    "account's of this cluster?",
			    r->kube->token_file);
	case 403:
		return fail(r, "403: the token's account may not read pods; grant it `get` on "
			       "nodes/pods");
	default:
		return fail(r, "it answers %ld to /pods", code);
	}
}

static int explain_list(struct request *r, int err)
{
	if (err == -EFBIG)
		return fail(r, "its answer is larger than %d MiB, or one pod than %d MiB",
			    KUBE_BODY_MAX >> 20, KUBE_ITEM_MAX >> 20);
	return fail(r, err == -EBADMSG ? "its answer is not a list of pods" : "out of memory");
}

static int perform(struct request *r, struct curl_slist *headers)
{
	char url[1024], error[CURL_ERROR_SIZE] = "";
	CURLcode code;

	snprintf(url, sizeof(url), "%s/pods", r->kube->url);
	set_options(r, url, headers, error);
	code = curl_easy_perform(r->curl);
	if (r->list_err)
		return explain_list(r, r->list_err);
	if (code)
		return explain_transfer(r, code, error);
	if (http_code(r->curl) != 200)
		return explain_code(r, http_code(r->curl));
	r->list_err = kube_list__end(r->list);
	return r->list_err ? explain_list(r, r->list_err) : 0;
}

/* 0 with r->list filled, or -1 with r->why. */
static int ask(struct request *r)
{
	struct curl_slist *headers;
	char header[TOKEN_CAP];
	int err;

	if (read_token(r, header, sizeof(header)))
		return -1;
	headers = curl_slist_append(NULL, header);
	r->curl = curl_easy_init();
	r->list = kube_list__new();
	if (headers && r->curl && r->list)
		err = perform(r, headers);
	else
		err = fail(r, "out of memory");
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(headers);
	explicit_bzero(header, sizeof(header));
	return err;
}

/* ---- the thread ---- */

static void publish(struct kube *k, struct request *r, int err)
{
	pthread_mutex_lock(&k->lock);
	k->status.requests++;
	k->status.failures += !!err;
	memcpy(k->status.why, r->why, sizeof(r->why));
	if (!err) {
		k->status.answered_s = clock__boot_ns() / 1e9;
		k->status.pods = kube_list__pods(r->list);
		k->status.garbled = kube_list__garbled(r->list);
		kube_list__free(k->fresh);
		k->fresh = r->list;
		r->list = NULL;
	}
	pthread_mutex_unlock(&k->lock);
	kube_list__free(r->list);
}

static struct timespec after(struct timespec t, double s)
{
	t.tv_sec += (time_t)s;
	t.tv_nsec += (s - (time_t)s) * 1e9;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Until the time has come; with `or_wanted`, or until somebody wants. Called locked. */
static void sleep_until(struct kube *k, struct timespec until, bool or_wanted)
{
	int err = 0;

	while (!err && !atomic_load(&k->stop) && !(or_wanted && k->wanted))
		err = pthread_cond_timedwait(&k->changed, &k->lock, &until);
}

/* A kubelet that fails is asked again sooner, but ever later. */
static double pause_s(const struct kube *k, unsigned failed_in_row)
{
	double retry_s = k->gap_s * (1u << (failed_in_row < 8 ? failed_in_row : 8));

	return failed_in_row && retry_s < k->refresh_s ? retry_s : k->refresh_s;
}

static void *work(void *ctx)
{
	unsigned failed_in_row = 0;
	struct timespec began;
	struct kube *k = ctx;
	int err;

	while (!atomic_load(&k->stop)) {
		struct request r = {.kube = k};

		pthread_mutex_lock(&k->lock);
		k->wanted = false;
		pthread_mutex_unlock(&k->lock);
		clock_gettime(CLOCK_MONOTONIC, &began);
		err = ask(&r);
		failed_in_row = err ? failed_in_row + 1 : 0;
		publish(k, &r, err);
		pthread_mutex_lock(&k->lock);
		sleep_until(k, after(began, k->gap_s), false);
		sleep_until(k, after(began, pause_s(k, failed_in_row)), true);
		pthread_mutex_unlock(&k->lock);
	}
	return NULL;
}

/* ---- the whole ---- */

void kube__want(struct kube *k)
{
	pthread_mutex_lock(&k->lock);
	k->wanted = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

struct kube_list *kube__take(struct kube *k)
{
	struct kube_list *fresh;

	pthread_mutex_lock(&k->lock);
	fresh = k->fresh;
	k->fresh = NULL;
	pthread_mutex_unlock(&k->lock);
	return fresh;
}

void kube__status(struct kube *k, struct kube_status *ret_status)
{
	pthread_mutex_lock(&k->lock);
	*ret_status = k->status;
	pthread_mutex_unlock(&k->lock);
}

static double or_default(double value, double fallback)
{
	return value > 0 ? value : fallback;
}

static int copy_cfg(struct kube *k, const struct kube_cfg *cfg)
{
	size_t len = strlen(cfg->url);

	while (len && cfg->url[len - 1] == '/')
		len--;
	k->url = strndup(cfg->url, len);
	k->token_file = strdup(cfg->token_file ? cfg->token_file : KUBE_TOKEN_FILE);
	k->ca_file = strdup(cfg->ca_file ? cfg->ca_file : KUBE_CA_FILE);
	k->refresh_s = or_default(cfg->refresh_s, DEFAULT_REFRESH_S);
	k->gap_s = or_default(cfg->gap_s, DEFAULT_GAP_S);
	k->timeout_s = or_default(cfg->timeout_s, DEFAULT_TIMEOUT_S);
	k->status.answered_s = NAN;
	return k->url && k->token_file && k->ca_file ? 0 : -ENOMEM;
}

static void unmake(struct kube *k)
{
	kube_list__free(k->fresh);
	free(k->url);
	free(k->token_file);
	free(k->ca_file);
	free(k);
}

/* Signals are for the agent's loop. */
static int start(struct kube *k)
{
	pthread_condattr_t attr;
	sigset_t all, before;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&k->thread, NULL, work, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int kube__new(const struct kube_cfg *cfg, struct kube **ret_kube)
{
	struct kube *k;
	int err;

	if (strncmp(cfg->url, "https://", strlen("https://")))
		return -EINVAL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	err = copy_cfg(k, cfg);
	if (!err && curl_global_init(CURL_GLOBAL_DEFAULT))
		err = -ENOMEM;
	if (!err)
		err = start(k);
	if (err) {
		unmake(k);
		return err;
	}
	*ret_kube = k;
	return 0;
}

void kube__free(struct kube *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	atomic_store(&k->stop, true);
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	unmake(k);
}
