// SPDX-License-Identifier: GPL-2.0
/* A whole user space: an init that says something and exits. */
#include <stdio.h>

int main(void)
{
	printf("hello from init-exit\n");
	fflush(stdout);
	return 7;
}
