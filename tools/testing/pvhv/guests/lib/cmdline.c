// SPDX-License-Identifier: GPL-2.0
/* Test guests: what the start info said. */
#include "guest.h"

struct pvhv_start_info start_info;
char cmdline[256];

void start_init(u64 start_gpa)
{
	const struct pvhv_start_info *si = va_of(start_gpa);

	start_info = *si;
	memcpy(cmdline, va_of(si->cmdline), si->cmdline_len < sizeof(cmdline) ?
	       si->cmdline_len : sizeof(cmdline) - 1);
}

const char *cmdline_value(const char *key)
{
	static char value[128];
	size_t n = strlen(key), i;
	const char *p = cmdline;

	while (*p) {
		if (!memcmp(p, key, n) && p[n] == '=') {
			for (p += n + 1, i = 0; *p && *p != ' ' && i < sizeof(value) - 1; i++)
				value[i] = *p++;
			value[i] = 0;
			return value;
		}
		while (*p && *p++ != ' ')
			;
	}
	return NULL;
}
