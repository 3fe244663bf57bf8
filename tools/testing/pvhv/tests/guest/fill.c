// SPDX-License-Identifier: GPL-2.0
/*
 * fill MIB ROUNDS: fill memory with a pattern and check it again and again,
 * while the host takes the pages away and brings them back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE	4096

static uint64_t pattern(size_t page, int round)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL + round;
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 0) * 256 : 256;
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	char *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	for (int round = 0; round <= rounds; round++) {
		for (size_t i = 0; i < pages; i++) {
			volatile uint64_t *first = (void *)(mem + i * PAGE);
			volatile uint64_t *last = first + PAGE / 8 - 1;

			if (round && (*first != pattern(i, round - 1) || *last != ~*first)) {
				printf("page %zu of round %d: %#llx, not %#llx\n", i, round,
				       (unsigned long long)*first,
				       (unsigned long long)pattern(i, round - 1));
				return 1;
			}
			*first = pattern(i, round);
			*last = ~*first;
		}
		printf("round %d\n", round);
		fflush(stdout);
	}
	return 0;
}
