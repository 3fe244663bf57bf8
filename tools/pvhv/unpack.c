// SPDX-License-Identifier: GPL-2.0
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "unpack.h"

#define SIZE_TRAILER	4
#define LZ4_MAGIC	0x184c2102	/* the "legacy" frame that lz4 -l writes */
#define LZ4_CHUNK	(8 * MIB)
#define LZMA_MEMLIMIT	(512 * MIB)

static u32 get_le32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

/*
 * Each of these unpacks all of @in into @out and returns the number of bytes
 * or -1. One that would need more than @room fails.
 */
static ssize_t unpack_gzip(const u8 *in, size_t len, u8 *out, size_t room)
{
	z_stream z = { .next_in = (u8 *)in, .avail_in = len, .next_out = out, .avail_out = room };
	int rc;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -1;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return rc == Z_STREAM_END ? (ssize_t)z.total_out : -1;
}

static ssize_t run_lzma(lzma_stream *s, const u8 *in, size_t len, u8 *out, size_t room)
{
	lzma_ret rc;

	s->next_in = in;
	s->avail_in = len;
	s->next_out = out;
	s->avail_out = room;
	rc = lzma_code(s, LZMA_FINISH);
	lzma_end(s);
	return rc == LZMA_STREAM_END ? (ssize_t)s->total_out : -1;
}

static ssize_t unpack_xz(const u8 *in, size_t len, u8 *out, size_t room)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&s, LZMA_MEMLIMIT, 0) != LZMA_OK)
		return -1;
	return run_lzma(&s, in, len, out, room);
}

static ssize_t unpack_lzma(const u8 *in, size_t len, u8 *out, size_t room)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&s, LZMA_MEMLIMIT) != LZMA_OK)
		return -1;
	return run_lzma(&s, in, len, out, room);
}

static ssize_t unpack_bzip2(const u8 *in, size_t len, u8 *out, size_t room)
{
	bz_stream z = {
		.next_in = (char *)in, .avail_in = len,
		.next_out = (char *)out, .avail_out = room,
	};
	int rc;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return -1;
	/* stops by itself when either side is used up */
	rc = BZ2_bzDecompress(&z);
	BZ2_bzDecompressEnd(&z);
	return rc == BZ_STREAM_END ? (ssize_t)(room - z.avail_out) : -1;
}

static ssize_t unpack_zstd(const u8 *in, size_t len, u8 *out, size_t room)
{
	size_t frame, n;

	/* ZSTD_decompress() insists that nothing follows the frame. */
	frame = ZSTD_findFrameCompressedSize(in, len);
	if (ZSTD_isError(frame))
		return -1;
	n = ZSTD_decompress(out, room, in, frame);
	return ZSTD_isError(n) ? -1 : (ssize_t)n;
}

static ssize_t unpack_lz4(const u8 *in, size_t len, u8 *out, size_t room)
{
	size_t done = 0;

	/* Chunks follow each other up to the end, so the trailer must be cut off. */
	in += 4;
	len -= 4 + SIZE_TRAILER;
	while (len) {
		u32 chunk;
		int n;

		if (len < 4)
			return -1;
		chunk = get_le32(in);
		in += 4;
		len -= 4;
		if (chunk == LZ4_MAGIC)		/* streams may be concatenated */
			continue;
		if (chunk == 0 || chunk > len)
			return -1;
		n = LZ4_decompress_safe((const char *)in, (char *)out + done, chunk,
					min(room - done, LZ4_CHUNK));
		if (n < 0)
			return -1;
		done += n;
		in += chunk;
		len -= chunk;
	}
	return done;
}

static const struct {
	const char *name;
	const char *magic;
	size_t magic_len;
	ssize_t (*unpack)(const u8 *in, size_t len, u8 *out, size_t room);
} formats[] = {
	{ "gzip",  "\x1f\x8b\x08", 3, unpack_gzip },
	{ "xz",    "\3757zXZ\0", 6, unpack_xz },
	{ "lzma",  "\x5d\0\0", 3, unpack_lzma },
	{ "bzip2", "BZh", 3, unpack_bzip2 },
	{ "zstd",  "\x28\xb5\x2f\xfd", 4, unpack_zstd },
	{ "lz4",   "\x02\x21\x4c\x18", 4, unpack_lz4 },
	{ "lzo",   "\x89LZO", 4, NULL },
};

static int find_format(const u8 *in, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (len >= formats[i].magic_len &&
		    !memcmp(in, formats[i].magic, formats[i].magic_len))
			return i;
	return -1;
}

const char *unpack_format(const u8 *in, size_t len)
{
	int i = find_format(in, len);

	return i < 0 ? NULL : formats[i].name;
}

u8 *unpack_payload(const u8 *in, size_t len, size_t *out_len, struct errmsg *e)
{
	int i = find_format(in, len);
	ssize_t n;
	u32 size;
	u8 *out;

	if (i < 0) {
		errmsg_set(e, "is compressed in a way that is not known: give the vmlinux");
		return NULL;
	}
	if (!formats[i].unpack) {
		errmsg_set(e, "is compressed with %s, which is not supported: give the vmlinux",
			   formats[i].name);
		return NULL;
	}
	if (len < 4 + SIZE_TRAILER) {
		errmsg_set(e, "is truncated: copy or build it again");
		return NULL;
	}
	size = get_le32(in + len - SIZE_TRAILER);
	if (size == 0 || size > UNPACK_MAX) {
		errmsg_set(e, "is damaged (%u bytes when unpacked): copy or build it again", size);
		return NULL;
	}
	out = malloc(size);
	if (!out) {
		errmsg_set(e, "takes %llu MiB to unpack: free some memory",
			   size / MIB);
		return NULL;
	}
	n = formats[i].unpack(in, len, out, size);
	if (n != (ssize_t)size) {
		errmsg_set(e, "is damaged (in its %s data): copy or build it again",
			   formats[i].name);
		free(out);
		return NULL;
	}
	*out_len = size;
	return out;
}
