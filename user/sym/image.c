/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.c - file contents in chunks on the heap.
 *
 * A handful of large chunks (sections) and of small ones (headers, a function's first bytes) is
 * usual, so a list is searched. Small reads are widened to whole blocks to make them few.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define IMAGE_BLOCK_BYTES 16384
#define IMAGE_MAX_HELD	  (128ULL << 20) /* no file makes us hold more: tables of the largest programs
					  * take a third */

struct chunk {
	struct chunk *next;
	uint64_t offset;
	size_t len;
	unsigned char data[];
};

struct image {
	int fd;
	uint64_t size;
	unsigned char *memory; /* instead of fd */
	struct chunk *chunks;
	size_t held;
};

int image__from_fd(int fd, struct image **ret_image)
{
	struct image *img;
	struct stat st;
	int err = 0;

	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	img = err ? NULL : calloc(1, sizeof(*img));
	if (!img) {
		close(fd);
		return err ? err : -ENOMEM;
	}
	img->fd = fd;
	img->size = st.st_size;
	*ret_image = img;
	return 0;
}

int image__from_memory(void *data, size_t len, struct image **ret_image)
{
	struct image *img;

	img = calloc(1, sizeof(*img));
	if (!img) {
		free(data);
		return -ENOMEM;
	}
	img->fd = -1;
	img->size = len;
	img->memory = data;
	*ret_image = img;
	return 0;
}

void image__trim(struct image *img)
{
	struct chunk *c;

	while ((c = img->chunks)) {
		img->chunks = c->next;
		free(c);
	}
	img->held = 0;
}

void image__free(struct image *img)
{
	if (!img)
		return;
	image__trim(img);
	free(img->memory);
	if (img->fd >= 0)
		close(img->fd);
	free(img);
}

uint64_t image__size(const struct image *img)
{
	return img->size;
}

int image__fd(const struct image *img)
{
	return img->fd;
}

size_t image__held(const struct image *img)
{
	return img->held + (img->memory ? img->size : 0);
}

static int is_inside(const struct image *img, uint64_t offset, size_t len)
{
	return offset <= img->size && len <= img->size - offset;
}

static int read_fully(int fd, unsigned char *data, size_t len, uint64_t offset)
{
	ssize_t n;

	while (len) {
		n = pread(fd, data, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		data += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static struct chunk *find_chunk(const struct image *img, uint64_t offset, size_t len)
{
	struct chunk *c;

	for (c = img->chunks; c; c = c->next) {
		if (offset >= c->offset && offset - c->offset <= c->len &&
		    len <= c->len - (offset - c->offset))
			return c;
	}
	return NULL;
}

static struct chunk *add_chunk(struct image *img, uint64_t offset, size_t len)
{
	uint64_t start = offset - offset % IMAGE_BLOCK_BYTES;
	uint64_t end = offset + len;
	struct chunk *c;

	end += (IMAGE_BLOCK_BYTES - end % IMAGE_BLOCK_BYTES) % IMAGE_BLOCK_BYTES;
	if (end > img->size)
		end = img->size;
	if (img->held + (end - start) > IMAGE_MAX_HELD)
		return NULL;
	c = malloc(sizeof(*c) + (end - start));
	if (!c)
		return NULL;
	if (read_fully(img->fd, c->data, end - start, start)) {
		free(c);
		return NULL;
	}
	c->offset = start;
	c->len = end - start;
	c->next = img->chunks;
	img->chunks = c;
	img->held += c->len;
	return c;
}

const void *image__bytes(struct image *img, uint64_t offset, size_t len)
{
	struct chunk *c;

	if (!is_inside(img, offset, len))
		return NULL;
	if (img->memory)
		return img->memory + offset;
	c = find_chunk(img, offset, len);
	if (!c)
		c = add_chunk(img, offset, len);
	return c ? c->data + (offset - c->offset) : NULL;
}

char *image__copy(struct image *img, uint64_t offset, size_t len)
{
	unsigned char *copy;

	if (!is_inside(img, offset, len) || len > IMAGE_MAX_HELD)
		return NULL;
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	if (img->memory) {
		memcpy(copy, img->memory + offset, len);
	} else if (read_fully(img->fd, copy, len, offset)) {
		free(copy);
		return NULL;
	}
	copy[len] = '\0';
	return (char *)copy;
}
