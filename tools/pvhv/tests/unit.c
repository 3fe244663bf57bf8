// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>

#include "unit.h"

static unsigned long passed, failed;
static unsigned long group_failed;

void check_case(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	if (good) {
		passed++;
		return;
	}
	failed++;
	group_failed++;
	printf("# %s:%d: ", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

void check_text(const char *text, const char *part, const char *file, int line)
{
	check_case(text && strstr(text, part), file, line, "'%s' does not have '%s' in it",
		   text ? text : "(nothing)", part);
}

u32 test_random(void)
{
	static u64 state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

int main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} groups[] = {
		{ "util", test_util },
		{ "kernel", test_kernel },
		{ "guest", test_guest },
		{ "protocol", test_protocol },
		{ "term", test_term },
		{ "host", test_host },
		{ "spec", test_spec },
		{ "cpulist", test_cpulist },
		{ "cpufeatures", test_cpufeatures },
	};
	unsigned long bad_groups = 0;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		unsigned long before = passed;

		group_failed = 0;
		groups[i].fn();
		printf("%s unit %s (%lu cases)\n", group_failed ? "not ok" : "ok",
		       groups[i].name, passed - before + group_failed);
		bad_groups += group_failed != 0;
	}
	return bad_groups ? 1 : 0;
}
