/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - shared by the fuzz targets: input as a file, as parsers get it.
 *
 * A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput; seeds are in seeds/NAME. What a
 * parser makes of its input is used as its callers do, so that a wrong length is read.
 */
#ifndef SEEP_TESTS_FUZZ_H
#define SEEP_TESTS_FUZZ_H

#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as an open file, which the caller closes. */
static inline int fuzz__fd(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

/* Its path, good while it is open. */
static inline const char *fuzz__path(int fd, char buf[32])
{
	snprintf(buf, 32, "/proc/self/fd/%d", fd);
	return buf;
}

/* The input as a string in memory of its own, so that a read beyond it is seen. */
static inline char *fuzz__text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static inline int fuzz__remove_one(const char *path, const struct stat *st, int type,
				   struct FTW *ftw)
{
	return remove(path);
}

/* What is left of it after a crash goes with $FUZZ_TMP, which tests/run.sh makes and removes. */
static inline const char *fuzz__dir(void);

static inline void fuzz__remove_dir(void)
{
	nftw(fuzz__dir(), fuzz__remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A directory in memory for parsers that find their files by name; made once. */
static inline const char *fuzz__dir(void)
{
	static char dir[128];

	if (*dir)
		return dir;
	snprintf(dir, sizeof(dir), "%s/seep-fuzz-XXXXXX", getenv("FUZZ_TMP") ?: "/dev/shm");
	if (!mkdtemp(dir) || atexit(fuzz__remove_dir))
		abort();
	return dir;
}

/* Put the input where a parser will look for it; parents are made. */
static inline void fuzz__put(const char *rel, const uint8_t *data, size_t size)
{
	char path[256], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fuzz__dir(), rel);
	for (slash = strchr(path + 10, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		abort();
}

#endif /* SEEP_TESTS_FUZZ_H */
