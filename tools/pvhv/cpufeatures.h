/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Features of a CPU that a guest is not to see, by their names in /proc/cpuinfo:
 * "-avx2,-rdrand".
 */
#ifndef PVHV_TOOL_CPUFEATURES_H
#define PVHV_TOOL_CPUFEATURES_H

#include <linux/pvhv.h>

#include "util.h"

#define CPU_FEATURES_MAX	96

/* Indices of names, in the order given, each once */
struct cpu_features {
	unsigned int nr;
	u8 index[CPU_FEATURES_MAX];
};

/* Add what @text says; an option may be given several times. */
int cpu_features_parse(struct cpu_features *f, const char *text, struct errmsg *e);
/* "-avx,-rdrand" */
void cpu_features_format(const struct cpu_features *f, struct strbuf *out);
/* The @i-th one for the module; returns its name */
const char *cpu_features_request(const struct cpu_features *f, unsigned int i,
				 struct pvhv_mask_cpuid *m);
/* All names that can be given, some a line */
void cpu_features_print(FILE *out);

#endif
