// SPDX-License-Identifier: BSD-2-Clause
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/fs.h"
#include "post.h"

#define CONNECT_TIMEOUT_S 5L
#define FILE_MAX	  8192

struct transfer {
	const struct post *post;
	CURL *curl;
	struct curl_slist *headers;
	size_t received;
};

static void init_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Headers and body alike: counted and forgotten; more than the bound ends the transfer. */
static size_t forget(char *data, size_t size, size_t cnt, void *ctx)
{
	struct transfer *t = ctx;

	(void)data;
	t->received += size * cnt;
	return t->received > POST_ANSWER_MAX ? 0 : size * cnt;
}

static int on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
		       curl_off_t ulnow)
{
	const struct post *p = ((struct transfer *)ctx)->post;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	return p->stopping && p->stopping(p->ctx);
}

/* ---- headers ----------------------------------------------------------------------------- */

static int add_header(struct transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (!list)
		return -ENOMEM;
	t->headers = list;
	return 0;
}

static int read_secret(const char *path, char *buf, size_t cap, char ret_why[POST_WHY_LEN])
{
	ssize_t n = fs__read(path, buf, cap);

	if (n < 0)
		snprintf(ret_why, POST_WHY_LEN, "'%.100s': %s", path, strerror(-n));
	return n < 0 ? (int)n : 0;
}

static int add_header_file(struct transfer *t, char ret_why[POST_WHY_LEN])
{
	char text[FILE_MAX], *line, *rest = text;
	int err = 0;

	if (!t->post->header_file)
		return 0;
	err = read_secret(t->post->header_file, text, sizeof(text), ret_why);
	while (!err && (line = strsep(&rest, "\r\n")))
		if (*line && *line != '#')
			err = add_header(t, line);
	explicit_bzero(text, sizeof(text));
	return err;
}

static int add_token(struct transfer *t, char ret_why[POST_WHY_LEN])
{
	char token[FILE_MAX], line[FILE_MAX + 32];
	int err;

	if (!t->post->token_file)
		return 0;
	err = read_secret(t->post->token_file, token, sizeof(token), ret_why);
	if (err)
		return err;
	token[strcspn(token, "\r\n")] = '\0';
	snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
	err = add_header(t, line);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(line, sizeof(line));
	return err;
}

static int add_headers(struct transfer *t, char ret_why[POST_WHY_LEN])
{
	int err = add_header(t, "Content-Type: application/json");

	if (!err)
		err = add_header(t, "Expect:"); /* no waiting for 100 Continue */
	if (!err)
		err = add_header_file(t, ret_why);
	if (!err)
		err = add_token(t, ret_why);
	return err;
}

/* ---- the transfer ------------------------------------------------------------------------ */

static void set_up(struct transfer *t)
{
	const struct post *p = t->post;
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_URL, p->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "seep/" SEEP_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(p->body));
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(p->timeout_s * 1000));
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, forget);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, forget);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	if (p->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, p->ca_file);
}

static int to_errno(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -ENOENT;
	case CURLE_ABORTED_BY_CALLBACK:
		return -ECANCELED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* An answer that never ends was an answer all the same. */
static int judge(const struct transfer *t, CURLcode code, char ret_why[POST_WHY_LEN])
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status)) {
		snprintf(ret_why, POST_WHY_LEN, "%s", curl_easy_strerror(code));
		return to_errno(code);
	}
	if (status >= 200 && status < 300)
		return 0;
	snprintf(ret_why, POST_WHY_LEN, "HTTP status %ld%s", status,
		 status >= 300 && status < 400 ? ", and redirects are not followed" : "");
	return -EPROTO;
}

int post__send(const struct post *p, char ret_why[POST_WHY_LEN])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct transfer t = {.post = p};
	int err = -ENOMEM;

	pthread_once(&once, init_library);
	snprintf(ret_why, POST_WHY_LEN, "out of memory");
	t.curl = curl_easy_init();
	if (t.curl)
		err = add_headers(&t, ret_why);
	if (!err) {
		set_up(&t);
		err = judge(&t, curl_easy_perform(t.curl), ret_why);
	}
	curl_slist_free_all(t.headers);
	curl_easy_cleanup(t.curl);
	return err;
}
