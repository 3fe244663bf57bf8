// SPDX-License-Identifier: GPL-2.0
/* Something to compile inside a guest, and to run there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int main(void)
{
	static int n[10000];
	char text[64];
	long sum = 0;

	for (int i = 0; i < 10000; i++)
		n[i] = i * 7919 % 10007;
	qsort(n, 10000, sizeof(n[0]), compare);
	for (int i = 0; i < 10000; i++)
		sum += (long)i * n[i];
	snprintf(text, sizeof(text), "sum %ld %.3f", sum, sum / 3.0);
	puts(text);
	return strcmp(text, "sum 333554144626 111184714875.333") != 0;
}
