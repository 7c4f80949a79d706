/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - the bytes of a file, read on demand and kept.
 *
 * Never mapped: a mapping of a file that its owner truncates kills its reader with SIGBUS, and
 * these files belong to the programs that are watched. What is read once stays readable.
 */
#ifndef SEEP_SYM_IMAGE_H
#define SEEP_SYM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct image;

/* Takes over fd in any case; regular files only. 0, -EFBIG, -EINVAL, -errno. */
int image__from_fd(int fd, struct image **ret_image);
/* Takes over data (malloc) in any case. */
int image__from_memory(void *data, size_t len, struct image **ret_image);
void image__free(struct image *img);

uint64_t image__size(const struct image *img);
int image__fd(const struct image *img); /* -1: not a file */
/* Memory held. */
size_t image__held(const struct image *img);

/* len bytes at offset, or NULL: not all inside the file, or no memory. Stay until image__trim. */
const void *image__bytes(struct image *img, uint64_t offset, size_t len);
/* The same as a copy with a NUL behind it that is the caller's to free. */
char *image__copy(struct image *img, uint64_t offset, size_t len);
/* Forget what was read; it is read again when it is wanted. */
void image__trim(struct image *img);

#endif /* SEEP_SYM_IMAGE_H */
