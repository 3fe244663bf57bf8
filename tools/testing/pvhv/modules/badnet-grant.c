// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-badnet: uses of grants that nobody permits.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "badnet.h"

/* ---- pages that are kept, until the mode is set anew ---- */

#define MAX_KEPT	64
static struct pvhv_map kept[MAX_KEPT];
static unsigned int nr_kept;
static const struct pvhv_transport *kept_tp;
static DEFINE_MUTEX(kept_lock);

void badnet_keep(struct badnet *b, pvhv_grant_t ref, bool readonly)
{
	struct pvhv_map *m;

	mutex_lock(&kept_lock);
	if (nr_kept < MAX_KEPT) {
		m = &kept[nr_kept];
		*m = (struct pvhv_map) { .ref = ref, .readonly = readonly };
		kept_tp = b->dev->tp;
		kept_tp->map(b->dev, m, 1, false);
		if (!m->status)
			nr_kept++;
	}
	mutex_unlock(&kept_lock);
}

void badnet_drop_kept(void)
{
	mutex_lock(&kept_lock);
	if (nr_kept)
		kept_tp->unmap(NULL, kept, nr_kept, true);
	nr_kept = 0;
	mutex_unlock(&kept_lock);
}

/* ---- a use of grants that were never told to us ---- */

/*
 * What is granted at the beginning is left alone, so that the guest can end what it is
 * doing. What comes later and is gone a moment afterwards is what we are after.
 */
static uint guessed;
module_param(guessed, uint, 0444);
MODULE_PARM_DESC(guessed, "pages that were guessed");

static struct pvhv_map *guesses;
static struct task_struct *guesser;
static struct pvhv_device *guess_dev;

static void guess_one(u32 ref, bool leave)
{
	struct pvhv_map *m = &guesses[ref];

	if (m->page || m->ref != PVHV_GRANT_NONE)
		return;
	m->ref = (__force pvhv_grant_t)ref;
	m->readonly = true;
	guess_dev->tp->map(guess_dev, m, 1, false);
	if (m->status) {
		m->page = NULL;
		m->ref = PVHV_GRANT_NONE;
	} else if (leave) {
		guess_dev->tp->unmap(guess_dev, m, 1, false);
	} else {
		WRITE_ONCE(guessed, guessed + 1);
	}
}

static int guess_thread(void *unused)
{
	bool leave = true;
	u32 ref;

	while (!kthread_should_stop()) {
		for (ref = 1; ref < PVHV_MAX_GRANTS; ref++)
			guess_one(ref, leave);
		leave = false;
		cond_resched();
	}
	return 0;
}

static void guess_forget(void)
{
	if (guesser)
		kthread_stop(guesser);
	guesser = NULL;
	if (guesses)
		guess_dev->tp->unmap(guess_dev, guesses, PVHV_MAX_GRANTS, false);
	vfree(guesses);
	guesses = NULL;
	guessed = 0;
}

static int guess_set(const char *text, const struct kernel_param *kp)
{
	struct badnet *b;
	bool on;
	int err = kstrtobool(text, &on);

	if (err)
		return err;
	mutex_lock(&badnet_devices_lock);
	b = list_first_entry_or_null(&badnet_devices, struct badnet, list);
	guess_forget();
	if (on && !b) {
		err = -ENODEV;
	} else if (on) {
		guess_dev = b->dev;
		guesses = vzalloc(PVHV_MAX_GRANTS * sizeof(*guesses));
		if (guesses)
			guesser = kthread_run(guess_thread, NULL, "pvhv-guess");
		if (IS_ERR_OR_NULL(guesser)) {
			guesser = NULL;
			err = -ENOMEM;
		}
	}
	mutex_unlock(&badnet_devices_lock);
	return err;
}

static const struct kernel_param_ops guess_ops = { .set = guess_set };
module_param_cb(guess, &guess_ops, NULL, 0200);
MODULE_PARM_DESC(guess, "1: map and keep whatever the guest grants from now on; 0: give it back");

/**
 * badnet_guess_end - a device goes
 * @dev:	it
 */
void badnet_guess_end(struct pvhv_device *dev)
{
	lockdep_assert_held(&badnet_devices_lock);
	if (guess_dev == dev)
		guess_forget();
}
