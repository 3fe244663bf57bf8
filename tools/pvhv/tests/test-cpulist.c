// SPDX-License-Identifier: GPL-2.0
#include "cpulist.h"
#include "unit.h"

void test_cpulist(void)
{
	static const struct {
		const char *text;
		const char *again;	/* as taskset -c prints it; NULL: an error */
	} cases[] = {
		{ "0", "0" },
		{ "6", "6" },
		{ "0-3,6", "0-3,6" },
		{ "0-1", "0,1" },
		{ "0,1", "0,1" },
		{ "0,1,2", "0-2" },
		{ "6,0-3", "0-3,6" },
		{ "1,1,1-1", "1" },
		{ "2-5,4-7", "2-7" },
		{ "007", "7" },
		{ "1022-1025", "1022-1025" },
		{ "8191", "8191" },
		{ "0-8191", "0-8191" },
		{ "", NULL },
		{ ",", NULL },
		{ "0,", NULL },
		{ ",0", NULL },
		{ "0,,1", NULL },
		{ "-", NULL },
		{ "-1", NULL },
		{ "1-", NULL },
		{ "3-1", NULL },
		{ "1-2-3", NULL },
		{ "0-6:2", NULL },
		{ "a", NULL },
		{ "0x1", NULL },
		{ " 0", NULL },
		{ "0 ", NULL },
		{ "+1", NULL },
		{ "all", NULL },
		{ "8192", NULL },
		{ "0-8192", NULL },
		{ "99999999999999999999", NULL },
	};
	struct strbuf text = { 0 };
	struct cpu_list list;
	struct errmsg e;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc = cpu_list_parse(&list, cases[i].text, &e);

		CHECK(!rc == !!cases[i].again, "%s: %d", cases[i].text, rc);
		if (rc) {
			CHECK_TEXT(e.text, "is not a list of CPUs, such as 0-3,6");
			continue;
		}
		text.len = 0;
		cpu_list_format(&list, &text);
		CHECK(!strcmp(text.data, cases[i].again), "%s: formatted as %s", cases[i].text,
		      text.data);
	}
	strbuf_free(&text);

	CHECK(!cpu_list_get_affinity(&list, 0), "no affinity");
	CHECK(!cpu_list_check_host(&list, &e), "where we may run: %s", e.text);
	CHECK(!cpu_list_parse(&list, "8191", &e) && cpu_list_check_host(&list, &e),
	      "this machine has a CPU 8191");
	CHECK_TEXT(e.text, "CPU 8191 of the host does not exist: give some of ");
}
