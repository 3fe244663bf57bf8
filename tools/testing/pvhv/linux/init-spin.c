// SPDX-License-Identifier: GPL-2.0
/* A whole user space: an init that never stops computing. */
#include <stdio.h>

int main(void)
{
	volatile unsigned long n = 0;

	printf("spinning\n");
	fflush(stdout);
	for (;;)
		n++;
}
