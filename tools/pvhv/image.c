// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define REGULAR	"give a regular file"

static int image_slurp(struct image *img, struct errmsg *e)
{
	size_t room = 0;
	ssize_t n;

	for (;;) {
		if (img->size == room) {
			u8 *mem;

			if (room >= IMAGE_MAX_SLURP)
				return errmsg_set(e, "has more than %llu MiB: " REGULAR,
						  IMAGE_MAX_SLURP / MIB);
			room = room ? room * 2 : 1 * MIB;
			mem = realloc(img->mem, room);
			if (!mem)
				return errmsg_set(e, "does not fit into memory: " REGULAR);
			img->mem = mem;
		}
		n = read(img->fd, img->mem + img->size, room - img->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errmsg_set(e, "cannot be read: %s", strerror(errno));
		if (n == 0)
			break;
		img->size += n;
	}
	close(img->fd);
	img->fd = -1;
	return 0;
}

int image_open(struct image *img, const char *path, struct errmsg *e)
{
	struct stat st;

	memset(img, 0, sizeof(*img));
	img->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (img->fd < 0 && errno == ENOENT)
		return errmsg_set(e, "does not exist: give the name of a file that does");
	if (img->fd < 0 && errno == EACCES)
		return errmsg_set(e, "may not be read by this user: chmod or copy it");
	if (img->fd < 0)
		return errmsg_set(e, "cannot be opened: %s", strerror(errno));
	if (fstat(img->fd, &st) < 0) {
		errmsg_set(e, "cannot be opened: %s", strerror(errno));
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		errmsg_set(e, "is a directory: give a file");
		goto fail;
	}
	if (S_ISREG(st.st_mode))
		img->size = st.st_size;
	else if (image_slurp(img, e))
		goto fail;
	/* /dev/null is meant to be empty; a file was not written completely */
	if (img->size == 0 && S_ISREG(st.st_mode)) {
		errmsg_set(e, "is empty: copy or build it again");
		goto fail;
	}
	return 0;
fail:
	image_close(img);
	return -1;
}

void image_from_memory(struct image *img, void *mem, u64 size)
{
	img->fd = -1;
	img->mem = mem;
	img->size = size;
}

int image_read(const struct image *img, u64 offset, void *buf, u64 len)
{
	char *p = buf;

	if (offset > img->size || len > img->size - offset)
		return -EIO;
	if (img->fd < 0) {
		memcpy(buf, img->mem + offset, len);
		return 0;
	}
	while (len) {
		ssize_t n = pread(img->fd, p, min(len, 1 * GIB), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)	/* it shrank since it was opened */
			return -EIO;
		p += n;
		offset += n;
		len -= n;
	}
	return 0;
}

void image_close(struct image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	free(img->mem);
	memset(img, 0, sizeof(*img));
	img->fd = -1;
}
