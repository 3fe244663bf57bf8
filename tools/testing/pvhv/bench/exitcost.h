/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _EXITCOST_H
#define _EXITCOST_H

#define FAST_SYSCALL	0x1000	/* RAX of a system call that returns at once */

#ifndef __ASSEMBLY__
extern char fast_syscall[], fast_event_kernel[], fast_event_user[];
extern const char user_syscalls[], user_uds[], user_reads[];
#endif

#endif
