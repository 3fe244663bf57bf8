// SPDX-License-Identifier: GPL-2.0
/* Something to single-step and to watch. */
int total;

static __attribute__((noinline)) void count_up(int n)
{
	for (int i = 0; i < n; i++)
		total++;
}

int main(void)
{
	count_up(100);
	return total;
}
