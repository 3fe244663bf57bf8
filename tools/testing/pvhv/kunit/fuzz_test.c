// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: a guest and a host at random, against the rules.
 *
 * Three address spaces with a common kernel half on two vCPUs with modelled
 * hardware TLBs. The guest changes entries, flushes late, in ranges, by
 * generation or not at all while an address space is loaded nowhere; the host
 * takes pages, protects them, and runs short of tables. For each address the
 * history of its translations is kept, and at any time
 *
 *  - a shadow entry permits nothing that no translation permitted since the
 *    address was last flushed in that address space;
 *  - neither does a TLB entry, since that vCPU has flushed it or has loaded the
 *    address space, provided that it is emptied when tlb_gen has changed;
 *  - when the host takes a page, no TLB holds it after those whose tlb_gen is
 *    old were emptied;
 *  - an access works exactly if the guest's tables permit it now, or a TLB
 *    entry that may still be there does.
 *
 * Changes above the leaf tables are flushed at once, since what is cached of
 * upper levels combines with the leaves in more ways than are modelled here.
 */
#include <linux/slab.h>

#include "testvm.h"

#define NR_MM		3
#define NR_SPACE	(NR_MM + 2)	/* those by name, and each vCPU's anonymous one */
#define NR_USER		24
#define NR_KERNEL	12
#define NR_VA		(NR_USER + NR_KERNEL)
#define HIST		256
#define NR_DATA		16

struct xl {
	u32 gfn;
	u8 ok, w, u, x, a, ram;
};

struct space {
	int mm;
	u64 ctx;
	u64 root_id;		/* that the TLBs know */
	unsigned int since[NR_VA];	/* of the shadow */
};

struct pending {
	bool yes, freed;
	u64 start, end, gen;
	unsigned int upto[NR_VA];
};

struct tlb_entry {
	u64 spte;
	u32 gfn;
};

struct cpu {
	int space;
	u64 hw_gen;
	struct pending pending;
	unsigned int since[NR_SPACE][NR_VA];
	unsigned int ksince[NR_VA];
	struct tlb_entry tlb[NR_SPACE][2][NR_VA];
};

struct fuzz {
	struct kunit *test;
	struct testvm *vm;
	u64 seed;
	u64 state;
	unsigned int op;
	const char *what;
	u64 va[NR_VA];
	u64 cr3[NR_MM];
	u64 gen[NR_MM];
	u64 next_ctx;
	u64 table[NR_MM];		/* the L1 table that comes and goes */
	unsigned int commit[NR_MM][NR_VA];
	unsigned int n[NR_MM][NR_VA];	/* kernel addresses: only [0] */
	struct xl hist[NR_MM][NR_VA][HIST];
	struct space space[NR_SPACE];
	unsigned int ksince[NR_VA];
	struct cpu cpu[2];
	bool failed;
};

static struct fuzz *the_fuzz;

static u32 rnd(struct fuzz *f, u32 below)
{
	f->state = f->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (f->state >> 33) % below;
}

static void fail(struct fuzz *f, const char *why, int va)
{
	if (!f->failed)
		KUNIT_FAIL(f->test, "seed %llu op %u (%s): %s, address %d = %#llx", f->seed, f->op,
			   f->what, why, va, va >= 0 ? f->va[va] : 0);
	f->failed = true;
}

static bool is_kernel(int va)
{
	return va >= NR_USER;
}

static unsigned int last_of(struct fuzz *f, int mm, int va)
{
	return f->n[is_kernel(va) ? 0 : mm][va] - 1;
}

/* ---- histories ---- */

static void record(struct fuzz *f)
{
	int mm, va;

	for (mm = 0; mm < NR_MM; mm++) {
		for (va = 0; va < NR_VA; va++) {
			struct testxlat x;
			struct xl now, *h = f->hist[mm][va];
			unsigned int n = f->n[mm][va];

			if (is_kernel(va) && mm)
				continue;
			x = testvm_model(f->vm, f->cr3[mm], f->va[va]);
			memset(&now, 0, sizeof(now));
			if (x.ok)
				now = (struct xl){ x.gfn, 1, x.w && x.d, x.u, x.x, x.a,
						   !!testvm_gfn(f->vm, x.gfn) };
			if (n && !memcmp(&h[(n - 1) % HIST], &now, sizeof(now)))
				continue;
			h[n % HIST] = now;
			f->n[mm][va]++;
		}
	}
}

static bool allowed(struct fuzz *f, int mm, int va, unsigned int since, u64 spte, u32 gfn,
		    bool need_u, bool kuser)
{
	bool here = false, w = false, x = false;
	unsigned int i, n;

	if (is_kernel(va))
		mm = 0;
	n = f->n[mm][va];
	if (n - since >= HIST)
		return true;
	for (i = since; i < n; i++) {
		struct xl *h = &f->hist[mm][va][i % HIST];

		if (!h->ok || !h->a || h->gfn != gfn || (need_u && !h->u))
			continue;
		here = true;
		w |= h->w;
		x |= h->x && (!kuser || !h->u);
	}
	return here && (w || !(spte & PT_W)) && (x || (spte & PT_NX));
}

static void check_tree_va(struct fuzz *f, struct pvhv_mmu_tree *tree, int mm, int va,
			  unsigned int since, const char *why)
{
	struct pvhv_mmu_table *t = pvhv_tree_leaf(tree, f->va[va]);
	unsigned int i = pvhv_index(f->va[va], 1);

	if (t && t->spt[i] &&
	    !allowed(f, mm, va, since, t->spt[i], t->gfn[i], tree->root && !tree->kuser,
		     tree->kuser))
		fail(f, why, va);
}

static struct pvhv_root *root_of(struct fuzz *f, int s)
{
	struct pvhv_root *root;

	if (s >= NR_MM)
		return f->vm->mv[s - NR_MM].anon;
	list_for_each_entry(root, &f->vm->mmu.all, all) {
		if (root->ctx_id == f->space[s].ctx && !root->dead)
			return root;
	}
	return NULL;
}

static void check(struct fuzz *f)
{
	int s, va, c, mode;

	for (va = NR_USER; va < NR_VA; va++)
		check_tree_va(f, &f->vm->mmu.kernel, 0, va, f->ksince[va], "kernel half too wide");
	for (s = 0; s < NR_SPACE; s++) {
		struct space *sp = &f->space[s];
		struct pvhv_root *root = root_of(f, s);

		for (va = 0; va < NR_USER && root; va++) {
			check_tree_va(f, &root->user, sp->mm, va, sp->since[va], "user too wide");
			if (root->kuser)
				check_tree_va(f, root->kuser, sp->mm, va, sp->since[va],
					      "kuser too wide");
		}
		for (c = 0; c < 2; c++) {
			struct cpu *cpu = &f->cpu[c];

			/* one that has not seen tlb_gen empties itself before it counts */
			if (cpu->hw_gen != atomic64_read(&f->vm->mmu.tlb_gen))
				continue;
			for (mode = 0; mode < 2; mode++) {
				for (va = 0; va < NR_VA; va++) {
					struct tlb_entry *e = &cpu->tlb[s][mode][va];
					unsigned int since = is_kernel(va) ? cpu->ksince[va] :
							     cpu->since[s][va];

					if (e->spte && !allowed(f, sp->mm, va, since, e->spte,
								e->gfn, mode, false))
						fail(f, "TLB too wide", va);
				}
			}
		}
	}
}

/* ---- vCPUs and their TLBs ---- */

static void tlb_empty(struct fuzz *f, struct cpu *cpu)
{
	memset(cpu->tlb, 0, sizeof(cpu->tlb));
	cpu->hw_gen = atomic64_read(&f->vm->mmu.tlb_gen);
}

static void enter(struct fuzz *f, int c)
{
	struct cpu *cpu = &f->cpu[c];
	struct space *sp = &f->space[cpu->space];
	u64 id = pvhv_mmu_root_id(&f->vm->mv[c]);
	int k;

	if (cpu->hw_gen != atomic64_read(&f->vm->mmu.tlb_gen))
		tlb_empty(f, cpu);
	if (sp->root_id == id)
		return;
	/* TLBs are tagged by the root's id: what is there is another one's */
	for (k = 0; k < 2; k++)
		memset(f->cpu[k].tlb[cpu->space], 0, sizeof(f->cpu[k].tlb[0]));
	sp->root_id = id;
}

static void do_access(struct fuzz *f, int c)
{
	static const u32 accesses[] = { KR, KW, KX, UR, UW, UX, UR, UW };
	u32 access = accesses[rnd(f, 8)], got;
	int va = rnd(f, NR_VA);
	struct cpu *cpu = &f->cpu[c];
	int mm = f->space[cpu->space].mm;
	int mode = !!(access & PVHV_ACC_USER);
	struct tlb_entry *e = &cpu->tlb[cpu->space][mode][va];
	struct testxlat x;
	bool permitted;

	f->what = "access";
	enter(f, c);
	if (e->spte && testvm_hw_permits(e->spte, access))
		return;
	memset(e, 0, sizeof(*e));
	f->vm->v = &f->vm->mv[c];
	x = testvm_model(f->vm, f->cr3[mm], f->va[va]);
	permitted = testvm_model_permits(&x, f->va[va], access) && testvm_gfn(f->vm, x.gfn);
	got = testvm_access(f->vm, f->va[va], access);
	record(f);
	enter(f, c);
	if (got == ACCESS_OK) {
		struct pvhv_mmu_tree *tree = is_kernel(va) ? &f->vm->mmu.kernel :
			!mode && f->vm->v->root->kuser ? f->vm->v->root->kuser :
			&f->vm->v->root->user;

		e->spte = testvm_hw_pte(f->vm, f->vm->v, f->va[va], mode);
		e->gfn = pvhv_tree_leaf(tree, f->va[va])->gfn[pvhv_index(f->va[va], 1)];
	} else if (permitted) {
		fail(f, "fault without reason", va);
	}
	if (got == ACCESS_OK && !permitted) {
		/* only by a shadow entry that is still good */
		unsigned int since = is_kernel(va) ? f->ksince[va] :
			f->space[cpu->space].since[va];

		if (!allowed(f, mm, va, since, e->spte, e->gfn, mode, false))
			fail(f, "access should fault", va);
	}
}

static void since_max(unsigned int *since, unsigned int to)
{
	if ((int)(to - *since) > 0)
		*since = to;
}

/* What a flush by @c of what has been changed until @upto promises */
static void flushed(struct fuzz *f, int c, int va, unsigned int upto)
{
	struct cpu *cpu = &f->cpu[c];

	if (is_kernel(va)) {
		since_max(&f->ksince[va], upto);
		since_max(&cpu->ksince[va], upto);
	} else {
		since_max(&f->space[cpu->space].since[va], upto);
		since_max(&cpu->since[cpu->space][va], upto);
	}
}

static void hw_flush(struct fuzz *f, int c, const struct pvhv_mmu_flush *fl)
{
	struct cpu *cpu = &f->cpu[c];
	int va;

	if (!fl->any || !fl->single || cpu->hw_gen != fl->gen - 1)
		return;		/* the next entry sees tlb_gen */
	for (va = 0; va < NR_VA; va++) {
		if (f->va[va] == fl->gva) {
			memset(&cpu->tlb[cpu->space][0][va], 0, sizeof(struct tlb_entry));
			memset(&cpu->tlb[cpu->space][1][va], 0, sizeof(struct tlb_entry));
		}
	}
	cpu->hw_gen = fl->gen;
}

static void do_pending(struct fuzz *f, int c)
{
	struct pending *p = &f->cpu[c].pending;
	struct pvhv_mmu_flush fl;
	int va;

	if (!p->yes)
		return;
	f->what = "flush";
	p->yes = false;
	f->vm->v = &f->vm->mv[c];
	if (!p->end)
		fl = testvm_flush_all(f->vm, p->gen, PVHV_FLUSH_USER);
	else
		fl = testvm_flush(f->vm, p->start, p->end, p->gen,
				  p->freed ? PVHV_FLUSH_FREED_TABLES : 0);
	for (va = 0; va < NR_USER; va++) {
		if (!p->end || (f->va[va] >= p->start && f->va[va] < p->end))
			flushed(f, c, va, p->upto[va]);
	}
	hw_flush(f, c, &fl);
}

/* The guest's flush_tlb_mm_range(); @end 0: everything */
static void commit(struct fuzz *f, int c, int mm, u64 start, u64 end, bool freed)
{
	u64 gen = ++f->gen[mm];
	int va, k;

	record(f);
	for (va = 0; va < NR_USER; va++) {
		if (!end || (f->va[va] >= start && f->va[va] < end))
			f->commit[mm][va] = last_of(f, mm, va);
	}
	for (k = 0; k < 2; k++) {
		struct pending *p = &f->cpu[k].pending;
		bool again = p->yes;

		if (f->space[f->cpu[k].space].mm != mm)
			continue;
		/* two at once become a full one, as in flush_tlb_func() */
		p->start = start;
		p->end = again ? 0 : end;
		p->freed = freed;
		p->gen = rnd(f, 8) ? gen : 0;
		p->yes = true;
		for (va = 0; va < NR_USER; va++)
			p->upto[va] = f->commit[mm][va];
	}
	do_pending(f, c);
	if (rnd(f, 2))
		do_pending(f, !c);
}

static void do_load(struct fuzz *f, int c)
{
	struct cpu *cpu = &f->cpu[c];
	int s = rnd(f, 6), va;
	struct space *sp;

	f->what = "load";
	s = s < NR_MM * 2 - 1 ? s % NR_MM : NR_MM + c;
	sp = &f->space[s];
	f->vm->v = &f->vm->mv[c];
	cpu->pending.yes = false;
	cpu->space = s;
	if (s < NR_MM) {
		testvm_load(f->vm, f->cr3[s], sp->ctx, f->gen[s]);
		for (va = 0; va < NR_USER; va++)
			flushed(f, c, va, f->commit[s][va]);
		return;
	}
	/* histories of another address space are of no use here */
	sp->mm = rnd(f, NR_MM);
	testvm_load(f->vm, f->cr3[sp->mm], 0, 0);
	for (va = 0; va < NR_USER; va++) {
		sp->since[va] = last_of(f, sp->mm, va);
		cpu->since[s][va] = last_of(f, sp->mm, va);
	}
}

/* ---- the guest's changes ---- */

static u64 random_pte(struct fuzz *f, bool kernel)
{
	u64 pte = (DATA_GFN + rnd(f, NR_DATA)) << 12 | PT_P;

	if (!rnd(f, 6))
		return 0;
	if (!rnd(f, 60))
		pte = NO_GFN << 12 | PT_P;
	if (rnd(f, 4))
		pte |= PT_W;
	if (kernel ? !rnd(f, 8) : rnd(f, 8))
		pte |= PT_U;
	if (rnd(f, 4))
		pte |= PT_A;
	if (rnd(f, 3))
		pte |= PT_D;
	if (!rnd(f, 3))
		pte |= PT_NX;
	return pte;
}

static void do_change(struct fuzz *f)
{
	static const u64 toggles[] = { PT_W, PT_D, PT_A, PT_NX, PT_U, PT_P };
	int mm = rnd(f, NR_MM), va = rnd(f, NR_USER + 8);
	u64 *pmd = testvm_pte(f->vm, f->cr3[mm], f->va[va], 2, G_TABLE);
	u64 *pte;

	f->what = "change";
	if (!(*pmd & PT_P) || (*pmd & PT_PS))
		return;
	pte = testvm_pte(f->vm, f->cr3[mm], f->va[va], 1, G_TABLE);
	if (rnd(f, 2))
		*pte ^= toggles[rnd(f, ARRAY_SIZE(toggles))];
	else
		*pte = random_pte(f, is_kernel(va));
	record(f);
	/* often Linux asks for a prefault */
	if (!rnd(f, 3)) {
		f->vm->v = &f->vm->mv[rnd(f, 2)];
		testvm_hint(f->vm, f->va[va], 1 + rnd(f, 10));
	}
}

static void do_kernel_flush(struct fuzz *f, int c)
{
	struct pvhv_mmu_flush fl;
	int va;

	f->what = "kernel flush";
	f->vm->v = &f->vm->mv[c];
	record(f);
	if (rnd(f, 3)) {
		va = NR_USER + rnd(f, NR_KERNEL);
		fl = testvm_flush(f->vm, f->va[va], f->va[va] + PAGE_SIZE, 0, 0);
		flushed(f, c, va, last_of(f, 0, va));
	} else {
		fl = testvm_flush_all(f->vm, 0, PVHV_FLUSH_KERNEL);
		for (va = NR_USER; va < NR_VA; va++)
			flushed(f, c, va, last_of(f, 0, va));
	}
	hw_flush(f, c, &fl);
}

/* Something above a leaf table, with its flush */
static void do_upper(struct fuzz *f, int c)
{
	int mm = rnd(f, NR_MM), i;
	u64 start = f->va[8] & ~(PVHV_L1_SPAN - 1);
	u64 *pmd = testvm_pte(f->vm, f->cr3[mm], f->va[8], 2, G_TABLE);

	f->what = "upper";
	switch (rnd(f, 4)) {
	case 0:
		*pmd = HIGH_GFN << 12 | PT_PS | G_RW;
		break;
	case 1:
		*pmd = 0;
		break;
	case 2:
		for (i = 0; i < 512; i++)
			testvm_ptr(f->vm, f->table[mm])[i] = rnd(f, 8) ? 0 : random_pte(f, false);
		*pmd = f->table[mm] | G_TABLE;
		break;
	case 3:
		*pmd ^= rnd(f, 2) ? PT_W : PT_NX;
		break;
	}
	commit(f, c, mm, start, start + PVHV_L1_SPAN, rnd(f, 2));
	do_pending(f, !c);
}

static void do_flush(struct fuzz *f, int c)
{
	int mm = rnd(f, NR_MM), va = rnd(f, NR_USER);

	f->what = "commit";
	switch (rnd(f, 3)) {
	case 0:
		commit(f, c, mm, f->va[va], f->va[va] + PAGE_SIZE, false);
		break;
	case 1:
		commit(f, c, mm, f->va[va], f->va[va] + 100 * PAGE_SIZE, rnd(f, 2));
		break;
	case 2:
		commit(f, c, mm, 0, 0, false);
		break;
	}
}

static void do_drop(struct fuzz *f)
{
	int s = rnd(f, NR_MM), c, va;
	struct space *sp = &f->space[s];

	f->what = "drop";
	for (c = 0; c < 2; c++) {
		if (f->cpu[c].space == s)
			return;
	}
	pvhv_mmu_mm_drop(&f->vm->mmu, sp->ctx);
	sp->ctx = f->next_ctx++;
	f->gen[s] = 1;
	for (va = 0; va < NR_USER; va++)
		sp->since[va] = last_of(f, s, va);
	for (c = 0; c < 2; c++)
		memset(f->cpu[c].tlb[s], 0, sizeof(f->cpu[c].tlb[s]));
}

/* ---- the host ---- */

static void do_host(struct fuzz *f)
{
	u64 gfn = rnd(f, 4) ? DATA_GFN + rnd(f, NR_DATA) : rnd(f, 2) ? HIGH_GFN + rnd(f, 600) :
		  rnd(f, 60);
	struct testgfn *g = testvm_gfn(f->vm, gfn);
	int c, s, mode, va;
	u64 old = g->pfn;

	f->what = "host";
	pvhv_mmu_invalidate_begin(&f->vm->mmu, gfn, gfn, true);
	for (c = 0; c < 2; c++) {
		struct cpu *cpu = &f->cpu[c];

		if (cpu->hw_gen != atomic64_read(&f->vm->mmu.tlb_gen))
			tlb_empty(f, cpu);
		for (s = 0; s < NR_SPACE; s++)
			for (mode = 0; mode < 2; mode++)
				for (va = 0; va < NR_VA; va++)
					if ((cpu->tlb[s][mode][va].spte & PT_ADDR) >> 12 == old)
						fail(f, "TLB keeps the host's page", va);
	}
	switch (rnd(f, 3)) {
	case 0:
		g->pfn = f->vm->next_pfn++;
		break;
	case 1:
		g->readonly = true;
		break;
	case 2:
		g->absent = true;
		break;
	}
	pvhv_mmu_invalidate_end(&f->vm->mmu, gfn, gfn);
}

/* In the midst of a fill */
static void hook(struct testvm *vm, enum testhook what, u64 arg)
{
	struct fuzz *f = the_fuzz;

	if (what != HOOK_PFN || rnd(f, 50) || vm->hook_count)
		return;
	vm->hook_count++;
	testvm_host_takes(vm, rnd(f, 2) ? arg : DATA_GFN + rnd(f, NR_DATA));
	vm->hook_count--;
}

static void setup(struct fuzz *f, u64 max_pages, int levels)
{
	static const u16 page[8] = { 0, 1, 2, 7, 8, 100, 300, 511 };
	int i, mm, s;

	f->vm = testvm_create(f->test, max_pages, levels);
	f->next_ctx = 10;
	for (i = 0; i < NR_USER; i++)
		f->va[i] = USER_VA + page[i % 8] * PAGE_SIZE +
			   (i / 8 == 2 ? BIT_ULL(31) : i / 8 * PVHV_L1_SPAN);
	for (i = 0; i < NR_KERNEL; i++)
		f->va[NR_USER + i] = i < 8 ? KERNEL_VA + page[i] * PAGE_SIZE :
					     TEXT_VA + i * 37 * PAGE_SIZE;
	for (mm = 0; mm < NR_MM; mm++) {
		f->cr3[mm] = testvm_new_table(f->vm);
		f->gen[mm] = 1;
		if (!mm) {
			testvm_pte(f->vm, f->cr3[0], KERNEL_VA, 1, G_TABLE);
			testvm_map_large(f->vm, f->cr3[0], TEXT_VA, HIGH_GFN + 512, 2, G_KRW);
		} else {
			for (i = 256; i < 512; i++)
				testvm_ptr(f->vm, f->cr3[mm])[i] = testvm_ptr(f->vm, f->cr3[0])[i];
		}
		for (i = 0; i < NR_USER; i++)
			testvm_pte(f->vm, f->cr3[mm], f->va[i], 1, G_TABLE);
		f->table[mm] = *testvm_pte(f->vm, f->cr3[mm], f->va[8], 2, G_TABLE) & PT_ADDR;
	}
	record(f);
	for (s = 0; s < NR_SPACE; s++) {
		f->space[s].mm = s % NR_MM;
		f->space[s].ctx = s < NR_MM ? f->next_ctx++ : 0;
	}
	for (i = 0; i < 2; i++) {
		f->cpu[i].hw_gen = atomic64_read(&f->vm->mmu.tlb_gen);
		do_load(f, i);
	}
	the_fuzz = f;
	f->vm->hook = hook;
}

static void run(struct kunit *test, u64 seed, unsigned int ops, u64 max_pages, int levels)
{
	struct fuzz *f = kvzalloc(sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->test = test;
	f->seed = seed;
	f->state = seed * 7919;
	f->what = "setup";
	setup(f, max_pages, levels);
	for (f->op = 1; f->op <= ops && !f->failed; f->op++) {
		int c = rnd(f, 2);
		u32 what = rnd(f, 100);

		if (what < 45)
			do_access(f, c);
		else if (what < 65)
			do_change(f);
		else if (what < 78)
			do_flush(f, c);
		else if (what < 81)
			do_kernel_flush(f, c);
		else if (what < 84)
			do_upper(f, c);
		else if (what < 87)
			do_load(f, c);
		else if (what < 88)
			do_drop(f);
		else if (what < 96)
			do_host(f);
		else
			do_pending(f, c);
		record(f);
		check(f);
		if (f->op % 100 == 0)
			testvm_check(f->vm);
		/* what a small limit makes happen all the time */
		if (max_pages < 1000 && !rnd(f, 20)) {
			f->what = "evict";
			pvhv_roots_evict(&f->vm->mmu, &f->vm->mv[c]);
		}
	}
	f->vm->hook = NULL;
	testvm_destroy(f->vm);
	kvfree(f);
}

static void fuzz_plain(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= 12; seed++)
		run(test, seed, 4000, 1000, 4);
}

static void fuzz_five_levels(struct kunit *test)
{
	u64 seed;

	for (seed = 100; seed < 104; seed++)
		run(test, seed, 4000, 1000, 5);
}

static void fuzz_small(struct kunit *test)
{
	u64 seed;

	for (seed = 200; seed < 208; seed++)
		run(test, seed, 4000, 1, 4);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fuzz_plain),
	KUNIT_CASE(fuzz_five_levels),
	KUNIT_CASE(fuzz_small),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_fuzz",
	.test_cases = cases,
};

kunit_test_suite(suite);
