// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <string.h>

#include "cpufeatures.h"

enum { EAX, EBX, ECX, EDX };

/* Of those that the module lets a domain's owner hide, the ones that Linux has names for */
static const struct feature {
	const char *name;
	u32 leaf, subleaf;
	u8 reg, bit;
} features[] = {
	{ "pni", 1, 0, ECX, 0 },
	{ "pclmulqdq", 1, 0, ECX, 1 },
	{ "ssse3", 1, 0, ECX, 9 },
	{ "fma", 1, 0, ECX, 12 },
	{ "sse4_1", 1, 0, ECX, 19 },
	{ "sse4_2", 1, 0, ECX, 20 },
	{ "movbe", 1, 0, ECX, 22 },
	{ "popcnt", 1, 0, ECX, 23 },
	{ "aes", 1, 0, ECX, 25 },
	{ "xsave", 1, 0, ECX, 26 },
	{ "avx", 1, 0, ECX, 28 },
	{ "f16c", 1, 0, ECX, 29 },
	{ "rdrand", 1, 0, ECX, 30 },
	{ "bmi1", 7, 0, EBX, 3 },
	{ "hle", 7, 0, EBX, 4 },
	{ "avx2", 7, 0, EBX, 5 },
	{ "bmi2", 7, 0, EBX, 8 },
	{ "erms", 7, 0, EBX, 9 },
	{ "rtm", 7, 0, EBX, 11 },
	{ "avx512f", 7, 0, EBX, 16 },
	{ "avx512dq", 7, 0, EBX, 17 },
	{ "rdseed", 7, 0, EBX, 18 },
	{ "adx", 7, 0, EBX, 19 },
	{ "avx512ifma", 7, 0, EBX, 21 },
	{ "clflushopt", 7, 0, EBX, 23 },
	{ "clwb", 7, 0, EBX, 24 },
	{ "avx512pf", 7, 0, EBX, 26 },
	{ "avx512er", 7, 0, EBX, 27 },
	{ "avx512cd", 7, 0, EBX, 28 },
	{ "sha_ni", 7, 0, EBX, 29 },
	{ "avx512bw", 7, 0, EBX, 30 },
	{ "avx512vl", 7, 0, EBX, 31 },
	{ "avx512vbmi", 7, 0, ECX, 1 },
	{ "avx512_vbmi2", 7, 0, ECX, 6 },
	{ "gfni", 7, 0, ECX, 8 },
	{ "vaes", 7, 0, ECX, 9 },
	{ "vpclmulqdq", 7, 0, ECX, 10 },
	{ "avx512_vnni", 7, 0, ECX, 11 },
	{ "avx512_bitalg", 7, 0, ECX, 12 },
	{ "avx512_vpopcntdq", 7, 0, ECX, 14 },
	{ "rdpid", 7, 0, ECX, 22 },
	{ "cldemote", 7, 0, ECX, 25 },
	{ "movdiri", 7, 0, ECX, 27 },
	{ "avx512_4vnniw", 7, 0, EDX, 2 },
	{ "avx512_4fmaps", 7, 0, EDX, 3 },
	{ "fsrm", 7, 0, EDX, 4 },
	{ "avx512_vp2intersect", 7, 0, EDX, 8 },
	{ "serialize", 7, 0, EDX, 14 },
	{ "avx512_fp16", 7, 0, EDX, 23 },
	{ "avx_vnni", 7, 1, EAX, 4 },
	{ "avx512_bf16", 7, 1, EAX, 5 },
	{ "avx_ifma", 7, 1, EAX, 23 },
	{ "xsaveopt", 0xd, 1, EAX, 0 },
	{ "xsavec", 0xd, 1, EAX, 1 },
	{ "xgetbv1", 0xd, 1, EAX, 2 },
	{ "lahf_lm", 0x80000001, 0, ECX, 0 },
	{ "abm", 0x80000001, 0, ECX, 5 },
	{ "sse4a", 0x80000001, 0, ECX, 6 },
	{ "misalignsse", 0x80000001, 0, ECX, 7 },
	{ "xop", 0x80000001, 0, ECX, 11 },
	{ "fma4", 0x80000001, 0, ECX, 16 },
	{ "tbm", 0x80000001, 0, ECX, 21 },
	{ "mmxext", 0x80000001, 0, EDX, 22 },
	{ "fxsr_opt", 0x80000001, 0, EDX, 25 },
	{ "pdpe1gb", 0x80000001, 0, EDX, 26 },
	{ "rdtscp", 0x80000001, 0, EDX, 27 },
	{ "3dnowext", 0x80000001, 0, EDX, 30 },
	{ "3dnow", 0x80000001, 0, EDX, 31 },
	{ "clzero", 0x80000008, 0, EBX, 0 },
	{ "xsaveerptr", 0x80000008, 0, EBX, 2 },
};

/* What guests have, but cannot do without or is not theirs to choose */
static const char * const needed[] = {
	"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "cx8", "apic", "pge", "cmov", "pat",
	"pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "ss", "syscall", "nx", "lm", "cx16",
	"hypervisor", "fsgsbase", "umip", "constant_tsc", "nonstop_tsc", "rep_good", "nopl",
	"cpuid", "3dnowprefetch",
};

static bool is_needed(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (!strcmp(needed[i], name))
			return true;
	return false;
}

static void add(struct cpu_features *f, u8 index)
{
	if (!memchr(f->index, index, f->nr))
		f->index[f->nr++] = index;
}

static int add_word(struct cpu_features *f, const char *word, struct errmsg *e)
{
	size_t i;

	static_assert(ARRAY_SIZE(features) <= CPU_FEATURES_MAX, "all fit");
	if (*word == '+')
		return errmsg_set(e, "%s: features can only be taken away", word);
	if (*word != '-' || !word[1])
		return errmsg_set(e, "'%s': give -NAME[,-NAME...] or help", word);
	word++;
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!strcmp(features[i].name, word)) {
			add(f, i);
			return 0;
		}
	}
	if (is_needed(word))
		return errmsg_set(e, "-%s: a guest cannot be without it", word);
	return errmsg_set(e, "-%s: not a name that --cpu-features help lists", word);
}

int cpu_features_parse(struct cpu_features *f, const char *text, struct errmsg *e)
{
	char word[64];
	size_t len;

	for (;;) {
		len = strcspn(text, ",");
		if (len >= sizeof(word))
			return errmsg_set(e, "'%.*s...': no name is that long",
					  (int)sizeof(word) - 1, text);
		memcpy(word, text, len);
		word[len] = '\0';
		if (add_word(f, word, e))
			return -1;
		text += len;
		if (!*text)
			return 0;
		text++;
	}
}

void cpu_features_format(const struct cpu_features *f, struct strbuf *out)
{
	unsigned int i;

	for (i = 0; i < f->nr; i++)
		strbuf_addf(out, "%s-%s", i ? "," : "", features[f->index[i]].name);
}

const char *cpu_features_request(const struct cpu_features *f, unsigned int i,
				 struct pvhv_mask_cpuid *m)
{
	const struct feature *feature = &features[f->index[i]];

	*m = (struct pvhv_mask_cpuid) {
		.leaf = feature->leaf, .subleaf = feature->subleaf, .reg = feature->reg,
		.mask = 1U << feature->bit,
	};
	return feature->name;
}

void cpu_features_print(FILE *out)
{
	size_t i, column = 0, len;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		len = strlen(features[i].name);
		if (column && column + 1 + len > 78) {
			putc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s%s", column ? " " : "", features[i].name);
	}
	putc('\n', out);
}
