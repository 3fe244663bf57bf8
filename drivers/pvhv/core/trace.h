/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvhv

#if !defined(_PVHV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PVHV_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(pvhv_exit,
	TP_PROTO(u32 vcpu, u64 reason, u64 error_code, u64 rip, bool user),
	TP_ARGS(vcpu, reason, error_code, rip, user),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(bool, user)
		__field(u64, reason)
		__field(u64, error_code)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->user = user;
		__entry->reason = reason;
		__entry->error_code = error_code;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u reason %#llx error_code %#llx rip %#llx %s",
		  __entry->vcpu, __entry->reason, __entry->error_code, __entry->rip,
		  __entry->user ? "user" : "kernel")
);

TRACE_EVENT(pvhv_hypercall,
	TP_PROTO(u32 vcpu, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3),
	TP_ARGS(vcpu, nr, a0, a1, a2, a3),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, nr)
		__field(u64, a0)
		__field(u64, a1)
		__field(u64, a2)
		__field(u64, a3)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->a1 = a1;
		__entry->a2 = a2;
		__entry->a3 = a3;
	),
	TP_printk("vcpu %u nr %llu args %#llx %#llx %#llx %#llx", __entry->vcpu, __entry->nr,
		  __entry->a0, __entry->a1, __entry->a2, __entry->a3)
);

TRACE_EVENT(pvhv_event,
	TP_PROTO(u32 vcpu, u8 vector, u64 error_code, u64 cr2),
	TP_ARGS(vcpu, vector, error_code, cr2),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u8, vector)
		__field(u64, error_code)
		__field(u64, cr2)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->vector = vector;
		__entry->error_code = error_code;
		__entry->cr2 = cr2;
	),
	TP_printk("vcpu %u vector %u error_code %#llx cr2 %#llx", __entry->vcpu, __entry->vector,
		  __entry->error_code, __entry->cr2)
);

TRACE_EVENT(pvhv_page_fault,
	TP_PROTO(u32 vcpu, u64 gva, u64 error_code, int result),
	TP_ARGS(vcpu, gva, error_code, result),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(int, result)
		__field(u64, gva)
		__field(u64, error_code)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->result = result;
		__entry->gva = gva;
		__entry->error_code = error_code;
	),
	TP_printk("vcpu %u gva %#llx error_code %#llx result %d", __entry->vcpu, __entry->gva,
		  __entry->error_code, __entry->result)
);

TRACE_EVENT(pvhv_event_send,
	TP_PROTO(u32 domid, u32 port, u32 to_domid, u32 to_port),
	TP_ARGS(domid, port, to_domid, to_port),
	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, port)
		__field(u32, to_domid)
		__field(u32, to_port)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->port = port;
		__entry->to_domid = to_domid;
		__entry->to_port = to_port;
	),
	TP_printk("domain %u port %u to domain %u port %u", __entry->domid, __entry->port,
		  __entry->to_domid, __entry->to_port)
);

DECLARE_EVENT_CLASS(pvhv_grant,
	TP_PROTO(u32 owner, u32 ref, u32 user, bool write, int result),
	TP_ARGS(owner, ref, user, write, result),
	TP_STRUCT__entry(
		__field(u32, owner)
		__field(u32, ref)
		__field(u32, user)
		__field(bool, write)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->owner = owner;
		__entry->ref = ref;
		__entry->user = user;
		__entry->write = write;
		__entry->result = result;
	),
	TP_printk("owner %u ref %u user %u %s result %d", __entry->owner, __entry->ref,
		  __entry->user, __entry->write ? "write" : "read", __entry->result)
);

DEFINE_EVENT(pvhv_grant, pvhv_grant_map,
	TP_PROTO(u32 owner, u32 ref, u32 user, bool write, int result),
	TP_ARGS(owner, ref, user, write, result)
);

DEFINE_EVENT(pvhv_grant, pvhv_grant_unmap,
	TP_PROTO(u32 owner, u32 ref, u32 user, bool write, int result),
	TP_ARGS(owner, ref, user, write, result)
);

DEFINE_EVENT(pvhv_grant, pvhv_grant_copy,
	TP_PROTO(u32 owner, u32 ref, u32 user, bool write, int result),
	TP_ARGS(owner, ref, user, write, result)
);

TRACE_EVENT(pvhv_device,
	TP_PROTO(u32 id, u32 role, u32 from, u32 to, u32 flags),
	TP_ARGS(id, role, from, to, flags),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, role)
		__field(u32, from)
		__field(u32, to)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->role = role;
		__entry->from = from;
		__entry->to = to;
		__entry->flags = flags;
	),
	TP_printk("device %u %s state %u to %u flags %#x", __entry->id,
		  __entry->role ? "backend" : "frontend", __entry->from, __entry->to,
		  __entry->flags)
);

#endif /* _PVHV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
