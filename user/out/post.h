/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * post.h - one HTTP POST through libcurl, bounded in every direction.
 *
 * Blocks: for worker threads only. http and https alone, no redirects, no more than the given
 * time, at most POST_ANSWER_MAX bytes of an answer that nobody reads. URL and headers may hold
 * secrets and never appear in what is told about a failure.
 */
#ifndef SEEP_OUT_POST_H
#define SEEP_OUT_POST_H

#include <stddef.h>

#define POST_ANSWER_MAX (64 << 10)
#define POST_URL_MAX	2048
#define POST_WHY_LEN	160

struct post {
	const char *url;
	const char *body;	 /* JSON */
	const char *header_file; /* lines "Name: value", read each time; or NULL */
	const char *token_file;	 /* its content is the bearer token; or NULL */
	const char *ca_file;	 /* or NULL: the system's */
	double timeout_s;
	int (*stopping)(void *ctx); /* asked several times a second: non-zero gives up */
	void *ctx;
};

/*
 * 0 when the answer was 2xx. -EPROTO: another answer; -ETIMEDOUT, -ECONNREFUSED, -ENOENT (host or
 * file), -ECANCELED, -EIO; ret_why says it in words.
 */
int post__send(const struct post *p, char ret_why[POST_WHY_LEN]);

#endif /* SEEP_OUT_POST_H */
