// SPDX-License-Identifier: GPL-2.0
/*
 * The ring engine in user space.
 *
 *	ring-test peers
 *	ring-test race [ITEMS [WATCHDOG-SECONDS [CASE]]]
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("failed: ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_Exit(1);	/* the other thread may be anywhere */
}

uint64_t random64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "peers")) {
		test_peers();
	} else if (argc > 1 && !strcmp(argv[1], "race")) {
		if (argc > 2)
			race_items = strtoul(argv[2], NULL, 0);
		if (argc > 3)
			race_watchdog = strtoul(argv[3], NULL, 0);
		if (argc > 4)
			race_only = argv[4];
		test_race();
	} else {
		fprintf(stderr, "usage: ring-test peers | race [ITEMS [SECONDS [CASE]]]\n");
		return 2;
	}
	return 0;
}
