// SPDX-License-Identifier: GPL-2.0
/*
 * burner: a host process that keeps its vector registers busy and complains
 * when they change. Runs beside the fpu guest.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	uint64_t seed = 0x5eed0000b0b00000ull;

	for (;;) {
		uint64_t out[32];
		uint64_t loops = 2000000;
		unsigned int i;

		seed += 0x100000001ull;
		asm volatile("movq %1, %%xmm0; punpcklqdq %%xmm0, %%xmm0\n"
			     "movdqa %%xmm0, %%xmm1; movdqa %%xmm0, %%xmm2; movdqa %%xmm0, %%xmm3\n"
			     "movdqa %%xmm0, %%xmm4; movdqa %%xmm0, %%xmm5; movdqa %%xmm0, %%xmm6\n"
			     "movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm8; movdqa %%xmm0, %%xmm9\n"
			     "movdqa %%xmm0, %%xmm10; movdqa %%xmm0, %%xmm11; movdqa %%xmm0, %%xmm12\n"
			     "movdqa %%xmm0, %%xmm13; movdqa %%xmm0, %%xmm14; movdqa %%xmm0, %%xmm15\n"
			     "1: dec %0; jnz 1b\n"
			     "movups %%xmm0, (%2); movups %%xmm1, 16(%2); movups %%xmm2, 32(%2)\n"
			     "movups %%xmm3, 48(%2); movups %%xmm4, 64(%2); movups %%xmm5, 80(%2)\n"
			     "movups %%xmm6, 96(%2); movups %%xmm7, 112(%2); movups %%xmm8, 128(%2)\n"
			     "movups %%xmm9, 144(%2); movups %%xmm10, 160(%2); movups %%xmm11, 176(%2)\n"
			     "movups %%xmm12, 192(%2); movups %%xmm13, 208(%2); movups %%xmm14, 224(%2)\n"
			     "movups %%xmm15, 240(%2)\n"
			     : "+r"(loops) : "r"(seed), "r"(out)
			     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			       "xmm15");
		for (i = 0; i < 32; i++) {
			if (out[i] == seed)
				continue;
			printf("a host process's xmm%u is %#llx, not %#llx\n", i / 2,
			       (unsigned long long)out[i], (unsigned long long)seed);
			fflush(stdout);
			return 1;
		}
	}
}
