// SPDX-License-Identifier: GPL-2.0
/* Test guests: run the tests of one guest. */
#include "guest.h"

extern const struct test tests_start[], tests_end[];
void guest_start(u64 start_gpa);

static char first[512];		/* the failure that goes into the test's line */
static char skipped[256];
static int failures;

void fail(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!failures++)
		memcpy(first, text, sizeof(first));
	else if (failures < 20)
		printf("# %s\n", text);
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(skipped, sizeof(skipped), fmt, args);
	va_end(args);
}

void guest_start(u64 start_gpa)
{
	const struct test *t;
	const char *only;
	int n = 0;

	start_init(start_gpa);
	mm_init();
	vcpu_setup();
	only = cmdline_value("test");
	for (t = tests_start; t < tests_end; t++) {
		if (only && strcmp(only, t->name))
			continue;
		failures = 0;
		skipped[0] = 0;
		t->run();
		n++;
		event_hook = NULL;
		irq_disable();
		if (failures)
			printf("not ok %s - %s\n", t->name, first);
		else if (skipped[0])
			printf("ok %s # skip %s\n", t->name, skipped);
		else
			printf("ok %s\n", t->name);
	}
	printf("done %d\n", n);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}
