/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.h - the files of the web page, which are part of the binary.
 *
 * They lie in page/ as they are written: nothing is generated, and nothing is fetched from
 * elsewhere, so that the page works on a machine without a network.
 */
#ifndef SEEP_OUT_PAGE_H
#define SEEP_OUT_PAGE_H

struct page_file {
	const char *name; /* served as /page/NAME */
	const char *type;
	const char *data, *end;
};

/*
 * The file behind a path, or NULL. Every view of the page has a path of its own (/incidents,
 * /incident/ID, ...) behind which the same document stands: it shows what its address says.
 */
const struct page_file *page__find(const char *path);

#endif /* SEEP_OUT_PAGE_H */
