// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/elf.h>

#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>

#include "kernel.h"
#include "unpack.h"

#define MAX_PROGRAM_HEADERS	128
#define MAX_NOTES		(1 * MIB)

#define BUILD_AGAIN	"copy or build it again"
#define BUILD_GUEST	"build it with CONFIG_PVHV_GUEST=y"
#define GIVE_VMLINUX	"give a kernel (vmlinux, bzImage)"

/* Offsets in the setup header of a bzImage: Documentation/x86/boot.rst */
#define SETUP_SECTS		0x1f1
#define SETUP_MAGIC		0x202
#define SETUP_VERSION		0x206
#define SETUP_PAYLOAD_OFFSET	0x248
#define SETUP_PAYLOAD_LENGTH	0x24c
#define SETUP_HEADER_END	0x250
#define SETUP_VERSION_PAYLOAD	0x0208	/* the first one to tell where the payload is */
#define BZIMAGE_MAX_PAYLOAD	(512 * MIB)

static int read_error(int err, struct errmsg *e)
{
	if (err == -EIO)
		return errmsg_set(e, "is truncated: " BUILD_AGAIN);
	return errmsg_set(e, "cannot be read: %s", strerror(-err));
}

static bool range_in(u64 start, u64 len, u64 outer, u64 outer_len)
{
	return start >= outer && len <= outer_len && start - outer <= outer_len - len;
}

static int note_value(const char *what, const u8 *desc, u32 len, u64 *value, bool *seen,
		      struct errmsg *e)
{
	if (len != sizeof(*value))
		return errmsg_set(e, "has a pvhv note %s of %u bytes instead of 8: " BUILD_AGAIN,
				  what, len);
	if (*seen)
		return errmsg_set(e, "has two pvhv notes %s: " BUILD_AGAIN, what);
	memcpy(value, desc, sizeof(*value));
	*seen = true;
	return 0;
}

struct seen_notes {
	bool entry, root, abi;
};

static int parse_notes(struct kernel *k, const u8 *p, u64 len, u64 align,
		       struct seen_notes *seen, struct errmsg *e)
{
	while (len >= sizeof(struct elf64_note)) {
		u64 desc_at, next_at;
		const u8 *name, *desc;
		struct elf64_note note;
		int rc = 0;

		memcpy(&note, p, sizeof(note));
		/* offsets in the note are aligned: matters when 8 is the alignment */
		desc_at = (sizeof(note) + note.n_namesz + align - 1) & ~(align - 1);
		next_at = (desc_at + note.n_descsz + align - 1) & ~(align - 1);
		/* The padding of the last one may be missing. */
		if (sizeof(note) + note.n_namesz > len ||
		    (note.n_descsz && desc_at + note.n_descsz > len))
			return errmsg_set(e, "has a broken ELF note: " BUILD_AGAIN);
		name = p + sizeof(note);
		desc = p + desc_at;

		if (note.n_namesz == sizeof(PVHV_NOTE_NAME) &&
		    !memcmp(name, PVHV_NOTE_NAME, sizeof(PVHV_NOTE_NAME))) {
			if (note.n_type == PVHV_NOTE_ENTRY)
				rc = note_value("ENTRY", desc, note.n_descsz, &k->entry,
						&seen->entry, e);
			else if (note.n_type == PVHV_NOTE_ROOT)
				rc = note_value("ROOT", desc, note.n_descsz, &k->root,
						&seen->root, e);
			else if (note.n_type == PVHV_NOTE_ABI)
				rc = note_value("ABI", desc, note.n_descsz, &k->abi,
						&seen->abi, e);
			if (rc)
				return rc;
		}
		if (next_at >= len)
			break;
		p += next_at;
		len -= next_at;
	}
	return 0;
}

static int read_notes(struct kernel *k, const struct elf64_phdr *ph, struct seen_notes *seen,
		      struct errmsg *e)
{
	u8 *buf;
	int rc;

	if (ph->p_filesz > MAX_NOTES)
		return errmsg_set(e, "has %llu bytes of ELF notes, more than any kernel: "
				  BUILD_AGAIN, (u64)ph->p_filesz);
	buf = xmalloc(ph->p_filesz);
	rc = image_read(&k->elf, ph->p_offset, buf, ph->p_filesz);
	if (rc)
		rc = read_error(rc, e);
	else
		rc = parse_notes(k, buf, ph->p_filesz, ph->p_align == 8 ? 8 : 4, seen, e);
	free(buf);
	return rc;
}

static int add_segment(struct kernel *k, const struct elf64_phdr *ph, struct errmsg *e)
{
	struct kernel_segment *s;
	unsigned int i;

	if (ph->p_memsz == 0)
		return 0;
	if (ph->p_filesz > ph->p_memsz)
		return errmsg_set(e, "has a segment with more bytes in the file than in memory: "
				  BUILD_AGAIN);
	if (!range_in(ph->p_offset, ph->p_filesz, 0, k->elf.size))
		return errmsg_set(e, "is truncated (%llu bytes of %llu): " BUILD_AGAIN,
				  k->elf.size, (u64)(ph->p_offset + ph->p_filesz));
	if (ph->p_paddr + ph->p_memsz < ph->p_paddr ||
	    ph->p_vaddr + ph->p_memsz - 1 < ph->p_vaddr)
		return errmsg_set(e, "has a segment that wraps around the address space: "
				  BUILD_AGAIN);
	if (k->nr_segments == KERNEL_MAX_SEGMENTS)
		return errmsg_set(e, "has more than %d segments: link it with fewer",
				  KERNEL_MAX_SEGMENTS);

	/* insert, sorted */
	for (i = k->nr_segments; i > 0 && k->segment[i - 1].gpa > ph->p_paddr; i--)
		k->segment[i] = k->segment[i - 1];
	s = &k->segment[i];
	s->gpa = ph->p_paddr;
	s->gva = ph->p_vaddr;
	s->offset = ph->p_offset;
	s->file_size = ph->p_filesz;
	s->mem_size = ph->p_memsz;
	k->nr_segments++;
	return 0;
}

static int check_segments(struct kernel *k, struct errmsg *e)
{
	const struct kernel_segment *s = k->segment;
	bool entry_found = false, root_found = false;
	unsigned int i;

	if (k->nr_segments == 0)
		return errmsg_set(e, "has nothing to load: " GIVE_VMLINUX);
	for (i = 0; i < k->nr_segments; i++) {
		if (i && s[i - 1].gpa + s[i - 1].mem_size > s[i].gpa)
			return errmsg_set(e, "has segments that overlap at 0x%llx: " BUILD_AGAIN,
					  s[i].gpa);
		if (range_in(k->entry, 1, s[i].gva, s[i].mem_size))
			entry_found = true;
		if (range_in(k->root, GUEST_PAGE_SIZE, s[i].gpa, s[i].mem_size))
			root_found = true;
	}
	k->end = s[i - 1].gpa + s[i - 1].mem_size;
	if (!entry_found)
		return errmsg_set(e, "has its pvhv entry point 0x%llx outside its segments: "
				  BUILD_AGAIN, k->entry);
	if (!root_found || k->root % GUEST_PAGE_SIZE)
		return errmsg_set(e, "has its pvhv page-table root 0x%llx %s: " BUILD_AGAIN,
				  k->root,
				  root_found ? "not at a page's start" : "outside its segments");
	return 0;
}

static int parse_elf(struct kernel *k, struct errmsg *e)
{
	struct seen_notes seen = { 0 };
	struct elf64_phdr ph[MAX_PROGRAM_HEADERS];
	struct elf64_hdr eh;
	unsigned int i;
	int rc;

	rc = image_read(&k->elf, 0, &eh, sizeof(eh));
	if (rc)
		return read_error(rc, e);
	if (eh.e_ident[EI_CLASS] != ELFCLASS64)
		return errmsg_set(e, "is a 32-bit ELF file: give an x86-64 kernel");
	if (eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
		return errmsg_set(e, "is for another machine (%u): give an x86-64 kernel",
				  eh.e_machine);
	if (eh.e_ident[EI_VERSION] != EV_CURRENT || eh.e_version != EV_CURRENT)
		return errmsg_set(e, "has an unknown ELF version: " BUILD_AGAIN);
	if (eh.e_type != ET_EXEC)
		return errmsg_set(e, "is no kernel (ELF type %u): " GIVE_VMLINUX, eh.e_type);
	if (eh.e_phnum == 0)
		return errmsg_set(e, "has no program headers: " GIVE_VMLINUX);
	if (eh.e_phentsize != sizeof(struct elf64_phdr) || eh.e_phnum > MAX_PROGRAM_HEADERS)
		return errmsg_set(e, "has broken ELF program headers: " BUILD_AGAIN);
	rc = image_read(&k->elf, eh.e_phoff, ph, eh.e_phnum * sizeof(*ph));
	if (rc)
		return read_error(rc, e);

	for (i = 0; i < eh.e_phnum; i++) {
		rc = 0;
		if (ph[i].p_type == PT_LOAD)
			rc = add_segment(k, &ph[i], e);
		else if (ph[i].p_type == PT_NOTE)
			rc = read_notes(k, &ph[i], &seen, e);
		if (rc)
			return rc;
	}

	if (!seen.entry && !seen.root && !seen.abi)
		return errmsg_set(e, "cannot run under pvhv (it has no pvhv notes): " BUILD_GUEST);
	if (!seen.entry || !seen.root || !seen.abi)
		return errmsg_set(e, "lacks the pvhv note %s: build it from a complete pvhv tree",
				  !seen.entry ? "ENTRY" : !seen.root ? "ROOT" : "ABI");
	if (k->abi != PVHV_ABI_VERSION)
		return errmsg_set(e, "is for guest ABI %llu, not %u: build it with this pvhv tree",
				  k->abi, PVHV_ABI_VERSION);
	return check_segments(k, e);
}

static u32 get_le(const u8 *p, unsigned int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

/* Find the kernel in a bzImage and unpack it into k->elf. */
static int unpack_bzimage(struct kernel *k, const struct image *file, struct errmsg *e)
{
	u8 header[SETUP_HEADER_END];
	u64 offset, length;
	const char *format;
	size_t elf_size;
	u8 *in, *elf;
	int rc;

	rc = image_read(file, 0, header, sizeof(header));
	if (rc)
		return read_error(rc, e);
	if (get_le(header + SETUP_VERSION, 2) < SETUP_VERSION_PAYLOAD)
		return errmsg_set(e, "is older than Linux 2.6.26: give a newer kernel");
	/* the boot sector and the setup sectors come first; 0 means 4, for old ones */
	offset = header[SETUP_SECTS] ? header[SETUP_SECTS] : 4;
	offset = (offset + 1) * 512 + get_le(header + SETUP_PAYLOAD_OFFSET, 4);
	length = get_le(header + SETUP_PAYLOAD_LENGTH, 4);
	if (length < 8 || length > BZIMAGE_MAX_PAYLOAD)
		return errmsg_set(e, "is a damaged bzImage (payload of %llu bytes): " BUILD_AGAIN,
				  length);
	if (!range_in(offset, length, 0, file->size))
		return errmsg_set(e, "is truncated (%llu bytes of %llu): " BUILD_AGAIN,
				  file->size, offset + length);

	in = xmalloc(length);
	rc = image_read(file, offset, in, length);
	if (rc) {
		free(in);
		return read_error(rc, e);
	}
	if (!memcmp(in, ELFMAG, SELFMAG)) {	/* CONFIG_KERNEL_UNCOMPRESSED */
		strcpy(k->format, "bzImage");
		image_from_memory(&k->elf, in, length);
		return 0;
	}
	format = unpack_format(in, length);
	elf = unpack_payload(in, length, &elf_size, e);
	free(in);
	if (!elf)
		return -1;
	snprintf(k->format, sizeof(k->format), "bzImage (%s)", format);
	image_from_memory(&k->elf, elf, elf_size);
	if (elf_size < SELFMAG || memcmp(elf, ELFMAG, SELFMAG)) {
		kernel_close(k);
		return errmsg_set(e, "is a bzImage without a vmlinux inside: " GIVE_VMLINUX);
	}
	return 0;
}

int kernel_open(struct kernel *k, const struct image *file, struct errmsg *e)
{
	u8 magic[SETUP_VERSION] = { 0 };

	memset(k, 0, sizeof(*k));
	k->elf.fd = -1;
	if (image_read(file, 0, magic, min_t(u64, file->size, sizeof(magic))))
		return errmsg_set(e, "cannot be read");
	if (!memcmp(magic, ELFMAG, SELFMAG)) {
		strcpy(k->format, "vmlinux");
		k->elf = *file;
		k->elf_is_file = true;
	} else if (!memcmp(magic + SETUP_MAGIC, "HdrS", 4)) {
		if (unpack_bzimage(k, file, e))
			return -1;
	} else if (file->size == 0) {
		return errmsg_set(e, "is empty: " GIVE_VMLINUX);
	} else {
		return errmsg_set(e, "is neither an ELF file nor a bzImage: " GIVE_VMLINUX);
	}
	if (parse_elf(k, e)) {
		kernel_close(k);
		return -1;
	}
	return 0;
}

int kernel_load(const struct kernel *k, u8 *ram, struct errmsg *e)
{
	const struct kernel_segment *s;
	int rc;

	for (s = k->segment; s < k->segment + k->nr_segments; s++) {
		rc = image_read(&k->elf, s->offset, ram + s->gpa, s->file_size);
		if (rc)
			return read_error(rc, e);
	}
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k->elf_is_file)
		image_close(&k->elf);
	memset(&k->elf, 0, sizeof(k->elf));
	k->elf.fd = -1;
}
