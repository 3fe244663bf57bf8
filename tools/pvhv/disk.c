// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "disk.h"

static int lock_file(int fd, bool readonly, struct errmsg *e)
{
	struct flock lock = {
		.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET,
	};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return errmsg_set(e, readonly ? "is in use: another guest writes to it" :
				  "is in use by another guest");
	return errmsg_set(e, "cannot be locked: %s", strerror(errno));
}

int disk_open(const char *path, bool readonly, struct errmsg *e)
{
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	struct stat st;
	u64 size;
	int fd;

	/* first, because opening may do something: a tape rewinds, a pipe waits */
	if (stat(path, &st))
		return errmsg_set(e, errno == ENOENT ? "does not exist" : "%s", strerror(errno));
	if (S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	else if (S_ISDIR(st.st_mode))
		return errmsg_set(e, "is a directory");
	else if (!S_ISREG(st.st_mode))
		return errmsg_set(e, "is neither a file nor a block device");
	fd = open(path, flags);
	if (fd < 0) {
		switch (errno) {
		case EBUSY:
			return errmsg_set(e, "is in use: mounted, part of something, or a guest's");
		case EROFS:
			return errmsg_set(e, "cannot be written to: give ro");
		case EACCES:
			if (!readonly && !access(path, R_OK))
				return errmsg_set(e, "must not be written to: give ro");
			return errmsg_set(e, "permission denied");
		default:
			return errmsg_set(e, "cannot be opened: %s", strerror(errno));
		}
	}
	if ((S_ISREG(st.st_mode) && lock_file(fd, readonly, e)) || disk_size(fd, &size, e)) {
		close(fd);
		return -1;
	}
	return fd;
}

int disk_size(int fd, u64 *size, struct errmsg *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return errmsg_set(e, "its size cannot be had: %s", strerror(errno));
	*size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, size))
		return errmsg_set(e, "its size cannot be had: %s", strerror(errno));
	if (!*size)
		return errmsg_set(e, "is empty");
	if (*size % DISK_SECTOR)
		return errmsg_set(e, "has %llu bytes, which is no multiple of %u", *size,
				  DISK_SECTOR);
	return 0;
}

int disk_grow(int fd, u64 size, struct errmsg *e)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return errmsg_set(e, "is not a file: resize it first, then give no size");
	if ((u64)st.st_size > size)
		return errmsg_set(e, "has %llu bytes and is not made smaller", (u64)st.st_size);
	if (size % DISK_SECTOR)
		return errmsg_set(e, "%llu bytes are no multiple of %u", size, DISK_SECTOR);
	if (ftruncate(fd, size))
		return errmsg_set(e, "cannot be made larger: %s", strerror(errno));
	return 0;
}
