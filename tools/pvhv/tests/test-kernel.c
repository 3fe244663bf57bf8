// SPDX-License-Identifier: GPL-2.0
#include <bzlib.h>
#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "kernel.h"
#include "test-elf.h"
#include "unit.h"

/* Open @size bytes of @data as a kernel: the error, or NULL; closes it again. */
static const char *try_open(const void *data, size_t size, struct kernel *k)
{
	static struct errmsg e;
	struct image file;
	u8 *ram;
	int rc;

	image_from_memory(&file, memcpy(xmalloc(size), data, size), size);
	memset(&e, 0, sizeof(e));
	rc = kernel_open(k, &file, &e);
	if (!rc) {
		/* whatever is accepted must be loadable into exactly that much RAM */
		if (k->end <= 4 * MIB) {
			ram = xmalloc(k->end);
			rc = kernel_load(k, ram, &e);
			free(ram);
		}
		kernel_close(k);
	}
	image_close(&file);
	if (rc && !e.text[0])
		strcpy(e.text, "(no reason given)");
	return rc ? e.text : NULL;
}

/*
 * Each case writes @value at @offset of the good kernel, twice if need be.
 */
#define AT(field)	offsetof(struct test_elf, field)

static const struct {
	const char *name;
	struct { size_t offset, size; u64 value; } set[2];
	const char *reason;	/* NULL: is fine */
} spoiled[] = {
	{ "untouched", {}, NULL },
	{ "not ELF", { { AT(eh.e_ident[0]), 1, 0 } }, "neither an ELF file nor a bzImage" },
	{ "32-bit", { { AT(eh.e_ident[EI_CLASS]), 1, ELFCLASS32 } }, "32-bit" },
	{ "big-endian", { { AT(eh.e_ident[EI_DATA]), 1, ELFDATA2MSB } }, "another machine" },
	{ "arm64", { { AT(eh.e_machine), 2, EM_AARCH64 } }, "another machine" },
	{ "i386", { { AT(eh.e_machine), 2, EM_386 } }, "another machine" },
	{ "version", { { AT(eh.e_version), 4, 9 } }, "unknown ELF version" },
	{ "object file", { { AT(eh.e_type), 2, ET_REL } }, "give a kernel" },
	{ "shared object", { { AT(eh.e_type), 2, ET_DYN } }, "give a kernel" },
	{ "no program headers", { { AT(eh.e_phnum), 2, 0 } }, "no program headers" },
	{ "too many program headers", { { AT(eh.e_phnum), 2, 0xffff } },
	  "broken ELF program headers" },
	{ "size of program headers", { { AT(eh.e_phentsize), 2, 32 } },
	  "broken ELF program headers" },
	{ "program headers beyond the end", { { AT(eh.e_phoff), 8, 1 << 20 } }, "truncated" },
	{ "program headers wrap", { { AT(eh.e_phoff), 8, ~0ULL - 8 } }, "truncated" },
	{ "segment beyond the end", { { AT(ph[0].p_offset), 8, 1 << 20 } }, "truncated" },
	{ "segment offset wraps", { { AT(ph[0].p_offset), 8, ~0ULL - 16 } }, "truncated" },
	{ "segment too long", { { AT(ph[0].p_filesz), 8, 1 << 20 },
				{ AT(ph[0].p_memsz), 8, 1 << 20 } }, "truncated" },
	{ "file larger than memory", { { AT(ph[0].p_memsz), 8, 100 } }, "more bytes in the file" },
	{ "paddr wraps", { { AT(ph[1].p_paddr), 8, ~0ULL - 0x1fff } }, "wraps" },
	{ "vaddr wraps", { { AT(ph[1].p_vaddr), 8, ~0ULL - 0x1fff } }, "wraps" },
	{ "memsz wraps", { { AT(ph[1].p_memsz), 8, ~0ULL } }, "wraps" },
	{ "same place twice", { { AT(ph[1].p_paddr), 8, TEST_GPA } }, "overlap" },
	{ "overlap by a byte", { { AT(ph[0].p_memsz), 8, 0x2001 } }, "overlap" },
	{ "touching", { { AT(ph[0].p_memsz), 8, 0x2000 } }, NULL },
	{ "other order", { { AT(ph[1].p_paddr), 8, TEST_GPA - 0x4000 },
			   { AT(note[1].value), 8, TEST_GPA - 0x1000 } }, NULL },
	{ "no segments", { { AT(ph[0].p_type), 4, PT_NULL }, { AT(ph[1].p_type), 4, PT_NULL } },
	  "nothing to load" },
	{ "empty segment", { { AT(ph[0].p_filesz), 8, 0 }, { AT(ph[0].p_memsz), 8, 0 } },
	  "entry point" },
	{ "no notes", { { AT(ph[2].p_type), 4, PT_NULL } }, "CONFIG_PVHV_GUEST" },
	{ "note of Xen", { { AT(note[0].name), 8, 0x6e6558 /* "Xen" */ } }, "note ENTRY" },
	{ "name not terminated", { { AT(note[1].header.n_namesz), 4, 4 } }, "broken ELF note" },
	{ "no ABI", { { AT(note[2].header.n_type), 4, 77 } }, "note ABI" },
	{ "ABI 2", { { AT(note[2].value), 8, PVHV_ABI_VERSION + 1 } }, "ABI" },
	{ "ABI 0", { { AT(note[2].value), 8, 0 } }, "ABI" },
	{ "short note", { { AT(note[0].header.n_descsz), 4, 4 } }, "4 bytes instead of 8" },
	{ "double note", { { AT(note[1].header.n_type), 4, PVHV_NOTE_ENTRY } },
	  "two pvhv notes ENTRY" },
	{ "note name too long", { { AT(note[2].header.n_namesz), 4, 0xffffffff } },
	  "broken ELF note" },
	{ "note too long", { { AT(note[2].header.n_descsz), 4, 0xffffffff } },
	  "broken ELF note" },
	{ "note longer by one", { { AT(note[2].header.n_descsz), 4, 9 } }, "broken ELF note" },
	{ "notes beyond the end", { { AT(ph[2].p_offset), 8, 1 << 20 } }, "truncated" },
	{ "notes wrap", { { AT(ph[2].p_offset), 8, ~0ULL } }, "truncated" },
	{ "huge notes", { { AT(ph[2].p_filesz), 8, 1ULL << 60 } }, "ELF notes" },
	{ "entry outside", { { AT(note[0].value), 8, TEST_GVA + 0x1000 } }, "entry point" },
	{ "entry 0", { { AT(note[0].value), 8, 0 } }, "entry point" },
	{ "entry is the last byte", { { AT(note[0].value), 8, TEST_GVA + 0xfff } }, NULL },
	{ "root outside", { { AT(note[1].value), 8, TEST_GPA + 0x6000 } }, "outside its segments" },
	{ "root half outside", { { AT(note[1].value), 8, TEST_GPA + 0x5800 } },
	  "outside its segments" },
	{ "root unaligned", { { AT(note[1].value), 8, TEST_GPA + 0x3008 } }, "page's start" },
	{ "root is the last page", { { AT(note[1].value), 8, TEST_GPA + 0x5000 } }, NULL },
	{ "root wraps", { { AT(note[1].value), 8, ~0ULL - 0xfff } }, "outside its segments" },
};

static void test_spoiled(void)
{
	struct kernel k;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(spoiled); i++) {
		struct test_elf elf;
		const char *reason;

		test_elf_init(&elf);
		for (j = 0; j < 2 && spoiled[i].set[j].size; j++)
			memcpy((char *)&elf + spoiled[i].set[j].offset, &spoiled[i].set[j].value,
			       spoiled[i].set[j].size);
		reason = try_open(&elf, sizeof(elf), &k);
		CHECK(!reason == !spoiled[i].reason, "%s: %s", spoiled[i].name,
		      reason ? reason : "accepted");
		if (reason && spoiled[i].reason) {
			CHECK_TEXT(reason, spoiled[i].reason);
			CHECK(strstr(reason, ": "), "'%s' does not tell what to do", reason);
		}
	}
}

static void test_good(void)
{
	struct test_elf elf;
	struct image file;
	struct errmsg e;
	struct kernel k;
	u8 *ram;

	test_elf_init(&elf);
	image_from_memory(&file, memcpy(xmalloc(sizeof(elf)), &elf, sizeof(elf)), sizeof(elf));
	CHECK(!kernel_open(&k, &file, &e), "%s", e.text);
	CHECK(k.nr_segments == 2 && k.entry == TEST_GVA + 0x40 && k.root == TEST_GPA + 0x3000 &&
	      k.end == TEST_GPA + 0x6000 && !strcmp(k.format, "vmlinux"), "contents");
	ram = xzalloc(k.end);
	CHECK(!kernel_load(&k, ram, &e), "%s", e.text);
	CHECK(ram[TEST_GPA - 1] == 0 && ram[TEST_GPA] == 0x90 && ram[TEST_GPA + 0xfff] == 0x90 &&
	      ram[TEST_GPA + 0x1000] == 0, "text");
	CHECK(ram[TEST_GPA + 0x2000] == 0xda && ram[TEST_GPA + 0x21ff] == 0xda &&
	      ram[TEST_GPA + 0x2200] == 0, "data and bss");
	free(ram);
	kernel_close(&k);
	image_close(&file);
}

/* Notes in a segment that is aligned to 8: offsets within a note are, too */
static void test_notes_of_8(void)
{
	static const u32 types[] = { PVHV_NOTE_ENTRY, PVHV_NOTE_ROOT, PVHV_NOTE_ABI };
	static const u64 values[] = { TEST_GVA, TEST_GPA + 0x2000, PVHV_ABI_VERSION };
	struct test_elf elf;
	const char *reason;
	struct kernel k;
	u8 *p;
	int i;

	test_elf_init(&elf);
	p = elf.text;
	/* one with a name of 4, as .note.gnu.property has it */
	memcpy(p, "\4\0\0\0\20\0\0\0\5\0\0\0GNU", 16);
	p += 32;
	for (i = 0; i < 3; i++, p += 32) {
		struct elf64_note note = { .n_namesz = 5, .n_descsz = 8, .n_type = types[i] };

		memcpy(p, &note, sizeof(note));
		memcpy(p + 12, "pvhv", 5);
		memcpy(p + 24, &values[i], 8);
	}
	elf.ph[2].p_offset = offsetof(struct test_elf, text);
	elf.ph[2].p_filesz = p - elf.text;
	elf.ph[2].p_align = 8;
	reason = try_open(&elf, sizeof(elf), &k);
	CHECK(!reason, "notes aligned to 8: %s", reason);
	elf.ph[2].p_align = 4;
	CHECK(try_open(&elf, sizeof(elf), &k), "they are no notes aligned to 4");
}

/* Shorter by any number of bytes, it must be refused as truncated. */
static void test_truncated(void)
{
	struct test_elf elf;
	struct kernel k;
	size_t len;

	test_elf_init(&elf);
	for (len = 1; len < offsetof(struct test_elf, data) + sizeof(elf.data); len++) {
		const char *reason = try_open(&elf, len, &k);

		CHECK(reason, "%zu bytes are accepted", len);
		if (reason && len >= 4)
			CHECK_TEXT(reason, "truncated");
	}
}

static void test_random_bytes(void)
{
	struct test_elf elf;
	struct kernel k;
	int i, j, flips;

	for (i = 0; i < ROUNDS(20000); i++) {
		test_elf_init(&elf);
		flips = 1 + test_random() % 4;
		for (j = 0; j < flips; j++)
			((u8 *)&elf)[test_random() % offsetof(struct test_elf, text)] =
				test_random() % 2 ? test_random() : (test_random() % 2 ? 0xff : 0);
		try_open(&elf, sizeof(elf), &k);
	}
	CHECK(true, "survived");
}

/*
 * bzImage
 */

#define SETUP_SECTORS	2
#define PAYLOAD_OFFSET	64

static void put_le32(u8 *p, u32 v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

/* Wrap @payload; returns the size of *image, malloc'ed. */
static size_t make_bzimage(const void *payload, size_t len, u8 **image)
{
	size_t start = (SETUP_SECTORS + 1) * 512 + PAYLOAD_OFFSET;
	u8 *p = xzalloc(start + len);

	p[0x1f1] = SETUP_SECTORS;
	memcpy(p + 0x202, "HdrS", 4);
	p[0x206] = 0x0f;
	p[0x207] = 0x02;
	put_le32(p + 0x248, PAYLOAD_OFFSET);
	put_le32(p + 0x24c, len);
	memcpy(p + start, payload, len);
	*image = p;
	return start + len;
}

static size_t pack_gzip(const void *in, size_t len, u8 *out, size_t room)
{
	z_stream z = { .next_in = (void *)in, .avail_in = len, .next_out = out, .avail_out = room };

	deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static size_t pack_xz(const void *in, size_t len, u8 *out, size_t room)
{
	size_t n = 0;

	/* as the kernel's xz_wrap.sh does */
	lzma_options_lzma lzma;
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_X86 }, { .id = LZMA_FILTER_LZMA2, .options = &lzma },
		{ .id = LZMA_VLI_UNKNOWN },
	};

	lzma_lzma_preset(&lzma, 6);
	lzma.dict_size = 65536;		/* or most time goes into clearing it */
	if (lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, len, out, &n, room))
		abort();
	return n;
}

static size_t pack_lzma(const void *in, size_t len, u8 *out, size_t room)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma lzma;
	size_t n;

	lzma_lzma_preset(&lzma, 9);
	lzma.dict_size = 65536;
	if (lzma_alone_encoder(&s, &lzma) != LZMA_OK)
		abort();
	s.next_in = in;
	s.avail_in = len;
	s.next_out = out;
	s.avail_out = room;
	if (lzma_code(&s, LZMA_FINISH) != LZMA_STREAM_END)
		abort();
	n = s.total_out;
	lzma_end(&s);
	return n;
}

static size_t pack_bzip2(const void *in, size_t len, u8 *out, size_t room)
{
	unsigned int n = room;

	BZ2_bzBuffToBuffCompress((char *)out, &n, (void *)in, len, 1, 0, 0);
	return n;
}

static size_t pack_zstd(const void *in, size_t len, u8 *out, size_t room)
{
	return ZSTD_compress(out, room, in, len, 19);
}

static size_t pack_lz4(const void *in, size_t len, u8 *out, size_t room)
{
	int n = LZ4_compress_HC(in, (char *)out + 8, len, room - 8, 9);

	put_le32(out, 0x184c2102);
	put_le32(out + 4, n);
	return n + 8;
}

static const struct {
	const char *format;
	size_t (*pack)(const void *in, size_t len, u8 *out, size_t room);
	bool has_size;
} packers[] = {
	{ "bzImage (gzip)", pack_gzip, true },
	{ "bzImage (xz)", pack_xz, false },
	{ "bzImage (lzma)", pack_lzma, false },
	{ "bzImage (bzip2)", pack_bzip2, false },
	{ "bzImage (zstd)", pack_zstd, false },
	{ "bzImage (lz4)", pack_lz4, false },
};

static size_t pack_elf(size_t i, u8 *out, size_t room)
{
	struct test_elf elf;
	size_t len, n;
	u8 *plain;

	/* something follows the ELF file, as relocations do in a real one */
	test_elf_init(&elf);
	len = sizeof(elf) + 100;
	plain = xzalloc(len);
	memcpy(plain, &elf, sizeof(elf));
	n = packers[i].pack(plain, len, out, room - 4);
	if (!packers[i].has_size) {
		put_le32(out + n, len);
		n += 4;
	}
	free(plain);
	return n;
}

static void test_bzimage(void)
{
	static u8 packed[65536];
	size_t i, j, len, size;
	const char *reason;
	struct kernel k;
	u8 *image;

	for (i = 0; i < ARRAY_SIZE(packers); i++) {
		len = pack_elf(i, packed, sizeof(packed));
		size = make_bzimage(packed, len, &image);
		reason = try_open(image, size, &k);
		CHECK(!reason, "%s: %s", packers[i].format, reason);
		CHECK(!strcmp(k.format, packers[i].format), "format '%s'", k.format);

		/* cut off anywhere, it is truncated or no kernel at all */
		for (j = 1; j < size; j += 7) {
			reason = try_open(image, j, &k);
			CHECK(reason, "%s: %zu of %zu bytes are accepted", packers[i].format, j,
			      size);
			if (reason && j >= 0x250)
				CHECK_TEXT(reason, "truncated");
		}
		/* damaged anywhere: refused, or at least survived */
		for (j = 0; j < ROUNDS(3000); j++) {
			size_t at = test_random() % size;
			u8 old = image[at];

			image[at] ^= 1 << test_random() % 8;
			try_open(image, size, &k);
			image[at] = old;
		}
		/* a wrong size at the end */
		put_le32(image + size - 4, sizeof(struct test_elf) + 99);
		CHECK(try_open(image, size, &k), "%s: size too small", packers[i].format);
		put_le32(image + size - 4, sizeof(struct test_elf) + 101);
		CHECK(try_open(image, size, &k), "%s: size too large", packers[i].format);
		put_le32(image + size - 4, 0xffffffff);
		CHECK(try_open(image, size, &k), "%s: huge size", packers[i].format);
		put_le32(image + size - 4, 0);
		CHECK(try_open(image, size, &k), "%s: size 0", packers[i].format);
		free(image);
	}
}

static void test_bzimage_header(void)
{
	static u8 packed[65536];
	struct test_elf elf;
	const char *reason;
	struct kernel k;
	size_t len, size;
	u8 *image;

	len = pack_elf(0, packed, sizeof(packed));
	size = make_bzimage(packed, len, &image);
	image[0x206] = 0x07;
	CHECK_TEXT(try_open(image, size, &k), "older than");
	image[0x206] = 0x08;
	CHECK(!try_open(image, size, &k), "boot protocol 2.08");
	put_le32(image + 0x248, 0xffffffff);
	CHECK_TEXT(try_open(image, size, &k), "truncated");
	put_le32(image + 0x248, PAYLOAD_OFFSET);
	put_le32(image + 0x24c, 0xffffffff);
	CHECK_TEXT(try_open(image, size, &k), "damaged");
	put_le32(image + 0x24c, 0);
	CHECK_TEXT(try_open(image, size, &k), "damaged");
	put_le32(image + 0x24c, len + 1);
	CHECK_TEXT(try_open(image, size, &k), "truncated");
	put_le32(image + 0x24c, len);
	image[0x1f1] = 255;
	CHECK_TEXT(try_open(image, size, &k), "truncated");
	free(image);

	/* no compression */
	test_elf_init(&elf);
	size = make_bzimage(&elf, sizeof(elf), &image);
	reason = try_open(image, size, &k);
	CHECK(!reason && !strcmp(k.format, "bzImage"), "not compressed: %s", reason);
	free(image);

	/* compressions that are not known */
	size = make_bzimage("\x89LZO\0\0\0\0\0\0\0\1", 12, &image);
	CHECK_TEXT(try_open(image, size, &k), "lzo");
	free(image);
	size = make_bzimage("MYZIP...\0\0\0\1", 12, &image);
	CHECK_TEXT(try_open(image, size, &k), "not known");
	free(image);

	/* something else inside */
	len = pack_gzip("not a kernel at all", 19, packed, sizeof(packed));
	size = make_bzimage(packed, len, &image);
	reason = try_open(image, size, &k);
	CHECK(reason, "text inside a bzImage is accepted");
	CHECK_TEXT(reason, "without a vmlinux");
	free(image);
}

void test_kernel(void)
{
	test_good();
	test_spoiled();
	test_notes_of_8();
	test_truncated();
	test_random_bytes();
	test_bzimage();
	test_bzimage_header();
}
