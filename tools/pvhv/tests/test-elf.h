/* SPDX-License-Identifier: GPL-2.0 */
/* A small kernel that is right, for tests to spoil. */
#ifndef PVHV_TEST_ELF_H
#define PVHV_TEST_ELF_H

#include <linux/elf.h>

#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>

#include "util.h"

#define TEST_GPA	0x200000ULL
#define TEST_GVA	0xffffffff80200000ULL

struct test_note {
	struct elf64_note header;
	char name[8];
	u8 value[8];	/* u64, at a multiple of 4 */
};

struct test_elf {
	struct elf64_hdr eh;
	struct elf64_phdr ph[4];	/* text, data with bss, notes, nothing of interest */
	struct test_note note[3];
	u8 text[4096];
	u8 data[512];
};

static inline void test_elf_init(struct test_elf *t)
{
	static const u32 types[] = { PVHV_NOTE_ENTRY, PVHV_NOTE_ROOT, PVHV_NOTE_ABI };
	static const u64 values[] = { TEST_GVA + 0x40, TEST_GPA + 0x3000, PVHV_ABI_VERSION };
	int i;

	*t = (struct test_elf){
		.eh = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = TEST_GPA,
			.e_phoff = offsetof(struct test_elf, ph),
			.e_ehsize = sizeof(struct elf64_hdr),
			.e_phentsize = sizeof(struct elf64_phdr),
			.e_phnum = 4,
		},
		.ph = {
			{
				.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 0x1000,
				.p_offset = offsetof(struct test_elf, text),
				.p_vaddr = TEST_GVA, .p_paddr = TEST_GPA,
				.p_filesz = 4096, .p_memsz = 4096,
			}, {
				.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_align = 0x1000,
				.p_offset = offsetof(struct test_elf, data),
				.p_vaddr = TEST_GVA + 0x2000, .p_paddr = TEST_GPA + 0x2000,
				.p_filesz = 512, .p_memsz = 0x4000,
			}, {
				.p_type = PT_NOTE, .p_align = 4,
				.p_offset = offsetof(struct test_elf, note),
				.p_filesz = sizeof(t->note), .p_memsz = sizeof(t->note),
			}, {
				.p_type = PT_GNU_STACK,
			},
		},
	};
	for (i = 0; i < 3; i++) {
		t->note[i].header = (struct elf64_note){
			.n_namesz = 5, .n_descsz = 8, .n_type = types[i],
		};
		__builtin_memcpy(t->note[i].name, "pvhv\0\0\0", 8);
		__builtin_memcpy(t->note[i].value, &values[i], 8);
	}
	__builtin_memset(t->text, 0x90, sizeof(t->text));
	__builtin_memset(t->data, 0xda, sizeof(t->data));
}

#endif
