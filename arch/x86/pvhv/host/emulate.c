// SPDX-License-Identifier: GPL-2.0
/*
 * Privileged instructions of a guest's kernel: they raise #GP in ring 3. A
 * ported kernel needs few of them, most at boot; what is not here is delivered
 * as the #GP that it is, so that exception tables work.
 *
 * CPUID raises #GP where the CPU can be told to and the owner of the domain has asked
 * for it. Neither QEMU 7.2 nor Bochs has such a CPU: it was only seen to work on other
 * instructions that turn into CPUID when they are looked at here (guests/cpuidfault.c).
 */
#include <linux/minmax.h>
#include <linux/thread_info.h>
#include <asm/debugreg.h>
#include <asm/irq_vectors.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "area.h"

#define MAX_INSN	15

struct insn {
	u8 bytes[MAX_INSN];
	unsigned int len;	/* valid bytes */
	unsigned int pos;
	u8 rex;
	bool opsize;
};

static bool next(struct insn *in, u8 *byte)
{
	if (in->pos >= in->len)
		return false;
	*byte = in->bytes[in->pos++];
	return true;
}

static u64 *gpr(struct sw_regs *r, unsigned int n)
{
	switch (n & 15) {
	case 0: return &r->ax;
	case 1: return &r->cx;
	case 2: return &r->dx;
	case 3: return &r->bx;
	case 4: return &r->sp;
	case 5: return &r->bp;
	case 6: return &r->si;
	case 7: return &r->di;
	case 8: return &r->r8;
	case 9: return &r->r9;
	case 10: return &r->r10;
	case 11: return &r->r11;
	case 12: return &r->r12;
	case 13: return &r->r13;
	case 14: return &r->r14;
	default: return &r->r15;
	}
}

/* Skip what follows a ModRM byte that names memory. */
static bool skip_memory(struct insn *in, u8 modrm)
{
	u8 mod = modrm >> 6, rm = modrm & 7, sib;
	unsigned int disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	if (rm == 4) {
		if (!next(in, &sib))
			return false;
		if (mod == 0 && (sib & 7) == 5)
			disp = 4;
	} else if (mod == 0 && rm == 5) {
		disp = 4;
	}
	in->pos += disp;
	return in->pos <= in->len;
}

/* The address that a memory operand names, for INVLPG */
static bool memory_address(struct pvhv_vcpu *v, struct insn *in, u8 modrm, u64 *addr)
{
	struct sw_regs *r = v->regs;
	u8 mod = modrm >> 6, rm = modrm & 7, sib;
	bool rip = false;
	s32 disp = 0;
	s8 disp8;

	*addr = 0;
	if (rm == 4) {
		unsigned int index, base;

		if (!next(in, &sib))
			return false;
		index = ((sib >> 3) & 7) | (in->rex & 2 ? 8 : 0);
		base = (sib & 7) | (in->rex & 1 ? 8 : 0);
		if (index != 4)
			*addr += *gpr(r, index) << (sib >> 6);
		if (mod == 0 && (sib & 7) == 5)
			mod = 4;
		else
			*addr += *gpr(r, base);
	} else if (mod == 0 && rm == 5) {
		rip = true;
		mod = 4;
	} else {
		*addr += *gpr(r, rm | (in->rex & 1 ? 8 : 0));
	}
	if (mod == 1) {
		if (!next(in, (u8 *)&disp8))
			return false;
		disp = disp8;
	} else if (mod == 2 || mod == 4) {
		if (in->pos + 4 > in->len)
			return false;
		memcpy(&disp, in->bytes + in->pos, 4);
		in->pos += 4;
	}
	*addr += (s64)disp;
	if (rip)
		*addr += r->ip + in->pos;
	return true;
}

#define GUEST_CR0	(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
			 X86_CR0_AM | X86_CR0_PG)
#define GUEST_CR4	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | \
			 X86_CR4_OSXMMEXCPT | X86_CR4_PCIDE)
/* CR4 bits that ring 3 feels: they are as on the host. */
#define SHARED_CR4	(X86_CR4_FSGSBASE | X86_CR4_OSXSAVE | X86_CR4_UMIP | X86_CR4_TSD)

static bool read_cr(struct pvhv_vcpu *v, unsigned int nr, u64 *val)
{
	switch (nr) {
	case 0:
		*val = GUEST_CR0;
		return true;
	case 2:
		*val = v->page ? v->page->cr2 : 0;
		return true;
	case 3:
		*val = pvhv_mmu_cr3(&v->mmu);
		return true;
	case 4:
		*val = GUEST_CR4 | (pvhv_raw_cr4() & SHARED_CR4);
		return true;
	case 8:
		*val = 0;
		return true;
	}
	return false;
}

static bool write_cr(struct pvhv_vcpu *v, unsigned int nr, u64 val)
{
	switch (nr) {
	case 0:
	case 4:
	case 8:
		return true;
	case 2:
		if (v->page)
			v->page->cr2 = val;
		return true;
	case 3:
		/* A change is PVHV_HC_LOAD_CR3's business. */
		return (val & 0x000ffffffffff000ULL) == pvhv_mmu_cr3(&v->mmu);
	}
	return false;
}

static u64 *sized(struct insn *in, struct sw_regs *r, u8 opcode, u64 *mask)
{
	*mask = !(opcode & 1) ? 0xff : in->opsize ? 0xffff : 0xffffffff;
	return &r->ax;
}

/* Two-byte opcodes. Return as emulate_insn(). */
static int emulate_0f(struct pvhv_vcpu *v, struct insn *in)
{
	struct sw_regs *r = v->regs;
	u8 op, modrm;
	u64 val, *reg;
	int ret;

	if (!next(in, &op))
		return 0;
	switch (op) {
	case 0x06:	/* clts */
	case 0x08:	/* invd */
	case 0x09:	/* wbinvd */
		return 1;
	case 0x30:	/* wrmsr */
		return !pvhv_write_msr(v, r->cx, (u32)r->ax | r->dx << 32);
	case 0x32:	/* rdmsr */
		if (pvhv_read_msr(v, r->cx, &val))
			return 0;
		r->ax = lower_32_bits(val);
		r->dx = upper_32_bits(val);
		return 1;
	}
	if (!next(in, &modrm))
		return 0;
	reg = gpr(r, (modrm & 7) | (in->rex & 1 ? 8 : 0));
	switch (op) {
	case 0x00:	/* lldt, ltr: ignored */
		if (((modrm >> 3) & 7) != 2 && ((modrm >> 3) & 7) != 3)
			return 0;
		return modrm >> 6 == 3 || skip_memory(in, modrm);
	case 0x01:
		if (modrm == 0xd1) {	/* xsetbv: only what the host has, or less */
			val = (u32)r->ax | r->dx << 32;
			return (u32)r->cx == 0 && pvhv_set_xcr0(v, val);
		}
		if (modrm >> 6 == 3)
			return 0;
		switch ((modrm >> 3) & 7) {
		case 2:		/* lgdt, lidt: ignored */
		case 3:
		case 6:		/* lmsw: as a write of CR0 */
			return skip_memory(in, modrm);
		case 7:		/* invlpg */
			if (!memory_address(v, in, modrm, &val))
				return 0;
			return pvhv_invlpg(v, val);
		}
		return 0;
	case 0x20:	/* mov from cr */
		if (!read_cr(v, ((modrm >> 3) & 7) | (in->rex & 4 ? 8 : 0), &val))
			return 0;
		*reg = val;
		return 1;
	case 0x22:	/* mov to cr */
		return write_cr(v, ((modrm >> 3) & 7) | (in->rex & 4 ? 8 : 0), *reg);
	case 0x21:	/* mov from dr */
		ret = pvhv_get_debugreg(v, (modrm >> 3) & 7, &val);
		if (!ret)
			*reg = val;
		return !ret;
	case 0x23:	/* mov to dr */
		return !pvhv_set_debugreg(v, (modrm >> 3) & 7, *reg);
	}
	return 0;
}

/*
 * Return: 1 emulated, RIP is to be advanced; 2 emulated and halted; 0 not one
 * of ours; -errno of the MMU: try again when it has been helped.
 */
static int emulate_insn(struct pvhv_vcpu *v, struct insn *in)
{
	struct sw_regs *r = v->regs;
	u64 mask, *reg;
	u8 op, imm;

	for (;;) {
		if (!next(in, &op))
			return 0;
		switch (op) {
		case 0x66:
			in->opsize = true;
			continue;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x67:
			continue;
		}
		break;
	}
	if ((op & 0xf0) == 0x40) {
		in->rex = op;
		if (!next(in, &op))
			return 0;
	}
	switch (op) {
	case 0x0f:
		return emulate_0f(v, in);
	case 0xe4: case 0xe5:	/* in imm: nothing is there */
		if (!next(in, &imm))
			return 0;
		fallthrough;
	case 0xec: case 0xed:	/* in dx */
		reg = sized(in, r, op, &mask);
		*reg = mask == 0xffffffff ? mask : *reg | mask;
		return 1;
	case 0xe6: case 0xe7:	/* out imm */
		return next(in, &imm);
	case 0xee: case 0xef:	/* out dx */
		return 1;
	case 0xf4:		/* hlt */
		return 2;
	case 0xfa:		/* cli */
	case 0xfb:		/* sti */
		if (v->page)
			WRITE_ONCE(v->page->vif, op & 1);
		return 1;
	}
	return 0;
}

static bool fetch(struct pvhv_vcpu *v, struct insn *in)
{
	u64 rip = pvhv_code_address(v);
	size_t n = min_t(size_t, MAX_INSN, PAGE_SIZE - (rip & ~PAGE_MASK));

	if (pvhv_copy_from_guest_virt(v, in->bytes, rip, n, true))
		return false;
	in->len = n;
	/* The rest, if the instruction might be longer and there is a page */
	if (n < MAX_INSN &&
	    !pvhv_copy_from_guest_virt(v, in->bytes + n, rip + n, MAX_INSN - n, true))
		in->len = MAX_INSN;
	return true;
}

/*
 * Does CPUID fault in this thread? Linux keeps it so across switches of the thread, by
 * arch_prctl(ARCH_SET_CPUID); nothing else may be taken for such a fault.
 */
static bool cpuid_faults(void)
{
	return test_thread_flag(TIF_NOCPUID);
}

static void emulate_cpuid(struct pvhv_vcpu *v, unsigned int len)
{
	struct sw_regs *r = v->regs;
	u32 out[4];

	pvhv_cpuid(v, r->ax, r->cx, out);
	r->ax = out[0];
	r->bx = out[1];
	r->cx = out[2];
	r->dx = out[3];
	r->ip += len;
	r->vec = SW_VEC_DONE;
	v->stats.exit_emulate++;
	/* As at the end of any instruction, for those who debug a program */
	r->flags &= ~(u64)X86_EFLAGS_RF;
	if (r->flags & X86_EFLAGS_TF) {
		v->dr6 = DR6_RESERVED | DR_STEP;
		pvhv_deliver(v, X86_TRAP_DB, 0);
	}
}

/**
 * pvhv_emulate - #GP of the guest
 * @v:		the vCPU
 * @error_code:	of the exception
 */
enum pvhv_next pvhv_emulate(struct pvhv_vcpu *v, u64 error_code)
{
	bool cpuid = !error_code && cpuid_faults();
	struct insn in = { };
	unsigned int len;
	int ret;

	/*
	 * INT 0x80 where the host has no gate for it that ring 3 may use. QEMU
	 * 7.2 computes the error code with 16 bytes a gate.
	 */
	bool int80 = error_code == (IA32_SYSCALL_VECTOR << 3 | 2) ||
		     error_code == (IA32_SYSCALL_VECTOR << 4 | 2);

	if ((v->guest->user_mode || error_code) && !int80 && !cpuid) {
		pvhv_deliver(v, X86_TRAP_GP, error_code);
		return PVHV_CONTINUE;
	}
	if (v->loaded) {
		v->slow.sleepable = true;
		return PVHV_RETRY_SLOW;
	}
	if (!fetch(v, &in)) {
		pvhv_deliver(v, X86_TRAP_GP, error_code);
		return PVHV_CONTINUE;
	}
	if (int80) {
		if (in.len >= 2 && in.bytes[0] == 0xcd && in.bytes[1] == IA32_SYSCALL_VECTOR) {
			v->regs->ip += 2;
			pvhv_deliver(v, IA32_SYSCALL_VECTOR, 0);
		} else {
			pvhv_deliver(v, X86_TRAP_GP, error_code);
		}
		return PVHV_CONTINUE;
	}
	len = cpuid ? pvhv_cpuid_insn(in.bytes, in.len) : 0;
	if (len) {
		emulate_cpuid(v, len);
		return PVHV_CONTINUE;
	}
	if (v->guest->user_mode) {
		pvhv_deliver(v, X86_TRAP_GP, error_code);
		return PVHV_CONTINUE;
	}
	ret = emulate_insn(v, &in);
	if (ret == -ENOMEM) {
		v->slow.topup = true;
		return PVHV_RETRY_SLOW;
	}
	if (ret <= 0) {
		pvhv_deliver(v, X86_TRAP_GP, error_code);
		return PVHV_CONTINUE;
	}
	v->stats.exit_emulate++;
	v->regs->ip += in.pos;
	v->regs->vec = SW_VEC_DONE;
	if (ret != 2)
		return PVHV_CONTINUE;
	/* With VIF 0 a pending interrupt does not end it, or a CPU that stops for ever spins. */
	return v->page && !READ_ONCE(v->page->vif) ? PVHV_WAIT : PVHV_SLEEP;
}
