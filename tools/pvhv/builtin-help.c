// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "builtin.h"

int print_command_help(const char *name)
{
	const struct command *c = find_command(name);

	printf("usage: pvhv %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage, c->summary);
	if (*c->help)
		printf("\n%s", c->help);
	return STATUS_OK;
}

int cmd_help(int argc, char **argv)
{
	const struct command *c;

	if (argc > 2)
		return bad_usage(argv, "give one COMMAND only");
	if (argc == 2 && strcmp(argv[1], "-h") && strcmp(argv[1], "--help")) {
		if (!find_command(argv[1])) {
			say("'%s' is not a command; pvhv help lists them", argv[1]);
			return STATUS_USAGE;
		}
		return print_command_help(argv[1]);
	}
	printf("usage: pvhv COMMAND [options]\n\n");
	for (c = commands; c->name; c++)
		printf("  %-8s  %s\n", c->name, c->summary);
	printf("\n'pvhv help COMMAND' shows a command's options, man pvhv all of it.\n");
	return STATUS_OK;
}
