// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: the end of the domain, orderly or not.
 */
#include <linux/console.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/page.h>
#include <asm/reboot.h>

#include "guest.h"

/* Aligned to its size, so that it lies within one page */
static char pvhv_last_words[256] __aligned(256);

/**
 * pvhv_shutdown - end the domain
 * @reason:	PVHV_SHUTDOWN_xxx
 * @message:	what the domain's owner is told, or NULL
 *
 * Does not return. It is not declared so, because objtool knows functions
 * that do not return by a list of names of its own.
 */
void pvhv_shutdown(unsigned int reason, const char *message)
{
	size_t len = 0;

	if (message)
		len = min(strlen(message), sizeof(pvhv_last_words));
	memcpy(pvhv_last_words, message, len);

	for (;;)
		pvhv_hypercall3(PVHV_HC_SHUTDOWN, reason, len ? __pa(pvhv_last_words) : 0, len);
}

static void pvhv_restart(char *cmd)
{
	pvhv_shutdown(PVHV_SHUTDOWN_REBOOT, NULL);
}

static void pvhv_emergency_restart(void)
{
	pvhv_shutdown(PVHV_SHUTDOWN_REBOOT, NULL);
}

static void pvhv_power_off(void)
{
	pvhv_shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void pvhv_machine_shutdown(void)
{
	smp_send_stop();
}

static int pvhv_panic(struct notifier_block *nb, unsigned long event, void *message)
{
	/* panic() would do this later, but this is the end. */
	console_flush_on_panic(CONSOLE_FLUSH_PENDING);
	pvhv_shutdown(PVHV_SHUTDOWN_CRASH, message);
	return NOTIFY_DONE;
}

static struct notifier_block pvhv_panic_block = {
	.notifier_call	= pvhv_panic,
	.priority	= INT_MIN,	/* everybody else first */
};

void __init pvhv_reboot_init(void)
{
	machine_ops.restart = pvhv_restart;
	machine_ops.halt = pvhv_power_off;
	machine_ops.power_off = pvhv_power_off;
	machine_ops.shutdown = pvhv_machine_shutdown;
	machine_ops.emergency_restart = pvhv_emergency_restart;
	/* Without it reboot(2) takes a power-off for a halt. */
	pm_power_off = pvhv_power_off;

	atomic_notifier_chain_register(&panic_notifier_list, &pvhv_panic_block);
}
