// SPDX-License-Identifier: GPL-2.0
#include "cpufeatures.h"
#include "unit.h"

static void parse(void)
{
	static const struct {
		const char *text;
		const char *again;	/* NULL: an error */
		const char *error;
	} cases[] = {
		{ "-avx", "-avx", NULL },
		{ "-avx,-avx2", "-avx,-avx2", NULL },
		{ "-avx2,-avx", "-avx2,-avx", NULL },
		{ "-avx,-avx,-rdrand,-avx", "-avx,-rdrand", NULL },
		{ "-3dnow,-avx512_vp2intersect", "-3dnow,-avx512_vp2intersect", NULL },
		{ "avx", NULL, "'avx': give -NAME[,-NAME...] or help" },
		{ "", NULL, "'': give -NAME" },
		{ "-", NULL, "'-': give -NAME" },
		{ ",", NULL, "'': give -NAME" },
		{ "-avx,", NULL, "'': give -NAME" },
		{ ",-avx", NULL, "'': give -NAME" },
		{ "-avx,,-avx2", NULL, "'': give -NAME" },
		{ "-avx -avx2", NULL, "-avx -avx2: not a name that" },
		{ "+avx", NULL, "+avx: features can only be taken away" },
		{ "-avx,+avx2", NULL, "+avx2: features can only be taken away" },
		{ "--avx", NULL, "--avx: not a name that --cpu-features help lists" },
		{ "-AVX", NULL, "-AVX: not a name that" },
		{ "-vmx", NULL, "-vmx: not a name that" },
		{ "-help", NULL, "-help: not a name that" },
		{ "-sse2", NULL, "-sse2: a guest cannot be without it" },
		{ "-hypervisor", NULL, "-hypervisor: a guest cannot be without it" },
		{ "-avx,-lm", NULL, "-lm: a guest cannot be without it" },
		{ "-a1234567890123456789012345678901234567890123456789012345678901", NULL,
		  "not a name that" },
		{ "-a12345678901234567890123456789012345678901234567890123456789012", NULL,
		  "no name is that long" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cpu_features f = { 0 };
		struct strbuf text = { 0 };
		struct errmsg e;
		int rc = cpu_features_parse(&f, cases[i].text, &e);

		CHECK(!rc == !!cases[i].again, "%s: %d", cases[i].text, rc);
		if (rc) {
			CHECK_TEXT(e.text, cases[i].error);
			continue;
		}
		cpu_features_format(&f, &text);
		CHECK(!strcmp(text.data, cases[i].again), "%s: formatted as %s", cases[i].text,
		      text.data);
		strbuf_free(&text);
	}
}

/* What help prints can be given, all at once, and asks for as many bits. */
static void all(void)
{
	static const char blanks[] = { ' ', '\n', '\0' };
	struct cpu_features f = { 0 };
	struct pvhv_mask_cpuid m[CPU_FEATURES_MAX];
	unsigned int i, j, n = 0;
	char *text, *name, *save;
	struct errmsg e;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	cpu_features_print(out);
	fclose(out);
	CHECK(len && text[len - 1] == '\n', "no line");
	for (name = strtok_r(text, blanks, &save); name; name = strtok_r(NULL, blanks, &save)) {
		char word[64];

		snprintf(word, sizeof(word), "-%s", name);
		CHECK(!cpu_features_parse(&f, word, &e), "%s", word);
		CHECK(f.nr == ++n, "%s is there twice", name);
	}
	free(text);
	for (i = 0; i < f.nr; i++) {
		CHECK(cpu_features_request(&f, i, &m[i]), "no name");
		CHECK(m[i].mask && !(m[i].mask & (m[i].mask - 1)) && m[i].reg < 4 &&
		      !m[i].reserved[0] && !m[i].reserved[1], "%u", i);
		for (j = 0; j < i; j++)
			CHECK(memcmp(&m[i], &m[j], sizeof(m[i])), "%u is %u", i, j);
	}
	CHECK(f.nr > 60, "only %u", f.nr);
}

void test_cpufeatures(void)
{
	parse();
	all();
}
