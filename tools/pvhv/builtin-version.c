// SPDX-License-Identifier: GPL-2.0
#include <pvhv/hypercall.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "host.h"

int cmd_version(int argc, char **argv)
{
	struct host h;
	int fd;

	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return print_command_help(argv[0]);
	if (argc > 1)
		return bad_usage(argv, "it takes no arguments");
	printf("pvhv %s, API version %u, guest ABI version %u\n", PVHV_TOOL_VERSION,
	       PVHV_API_VERSION, PVHV_ABI_VERSION);
	host_init(&h);
	fd = host_open_device(&h);
	if (fd >= 0)
		close(fd);
	if (h.have_info)
		printf("module: API version %u, guest ABI version %u\n", h.info.api_version,
		       h.info.abi_version);
	else
		printf("module: %s\n", h.problem[0].text);
	return STATUS_OK;
}
