// SPDX-License-Identifier: GPL-2.0
/*
 * A whole user space: an init that says hello, with its arguments and
 * environment, reads a line if it is told to, and powers off or reboots.
 */
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp)
{
	char line[256] = "nothing\n";
	int how = RB_POWER_OFF;

	printf("hello from init-off, pid %d\n", getpid());
	for (int i = 1; i < argc; i++) {
		printf("argument %s\n", argv[i]);
		if (!strcmp(argv[i], "reboot"))
			how = RB_AUTOBOOT;
		if (!strcmp(argv[i], "halt"))
			how = RB_HALT_SYSTEM;
		if (!strcmp(argv[i], "read")) {
			fflush(stdout);
			if (!fgets(line, sizeof(line), stdin))
				strcpy(line, "the end\n");
			printf("read %s", line);
		}
	}
	for (; *envp; envp++)
		printf("environment %s\n", *envp);
	fflush(stdout);
	reboot(how);
	return 1;
}
