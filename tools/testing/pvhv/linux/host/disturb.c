// SPDX-License-Identifier: GPL-2.0
/*
 * disturb HOW PID [SECONDS]: do something to a process again and again, at irregular
 * moments, until it ends, or for so long. Prints how often.
 *
 *	migrate		its threads between CPUs
 *	stop		SIGSTOP and SIGCONT
 *	ptrace		stop its threads as a debugger does
 *	hold		stop one of its vCPUs for a while, as a debugger does; the others run
 *	pageout		write pages of its largest mapping out to the swap
 *	collapse	make huge pages of its largest mapping
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#define MAX_THREADS	16

static pid_t pid;
static pid_t threads[MAX_THREADS];
static int nr_threads;
static unsigned long times;

static bool is_vcpu(pid_t tid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	return !strncmp(name, "pvhv-vcpu", 9);
}

static void find_threads(bool only_vcpus)
{
	struct dirent *d;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	nr_threads = 0;
	while (dir && (d = readdir(dir)) && nr_threads < MAX_THREADS)
		if (d->d_name[0] != '.' && (!only_vcpus || is_vcpu(atoi(d->d_name))))
			threads[nr_threads++] = atoi(d->d_name);
	if (dir)
		closedir(dir);
}

static void pause_us(unsigned int most)
{
	usleep(rand() % most + 1);
}

static void migrate(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	find_threads(false);
	for (int i = 0; i < nr_threads; i++) {
		CPU_ZERO(&set);
		CPU_SET(rand() % cpus, &set);
		if (!sched_setaffinity(threads[i], sizeof(set), &set))
			times++;
	}
	pause_us(3000);
}

static void stop(void)
{
	if (kill(pid, SIGSTOP))
		return;
	pause_us(3000);
	kill(pid, SIGCONT);
	times++;
	pause_us(10000);
}

/* Stop some thread; @held: a vCPU's, for up to 60 ms, while the others run */
static void interrupt(bool held)
{
	int status, sig;
	pid_t tid;

	find_threads(held);
	if (!nr_threads) {
		pause_us(10000);
		return;
	}
	tid = threads[rand() % nr_threads];
	/* One at a time: those that have ended wait for us, and their process for them. */
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid)
		return;
	if (WIFSTOPPED(status)) {
		if (held)
			pause_us(60000);
		/* a signal of its own, or the stop that was asked for */
		sig = status >> 16 ? 0 : WSTOPSIG(status);
		ptrace(PTRACE_DETACH, tid, 0, sig);
	}
	times++;
	pause_us(held ? 30000 : 2000);
}

/* Advice about a random part of guest RAM */
static void advise(int advice, size_t most)
{
	static unsigned long start, size;
	unsigned long from, to, offset, len;
	struct iovec iov;
	char path[64], line[512];
	int pidfd;
	FILE *f;

	if (!size) {
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
		f = fopen(path, "r");
		if (!f)
			return;
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx-%lx rw-p", &from, &to) == 2 && to - from > size) {
				start = from;
				size = to - from;
			}
		}
		fclose(f);
		if (size < 16 << 20) {	/* it has no RAM yet */
			size = 0;
			pause_us(10000);
			return;
		}
	}
	len = (1 + rand() % (most >> 12)) << 12;
	offset = (rand() * 4096UL) % (size - len);
	if (advice == MADV_COLLAPSE) {
		len = 2UL << 20;
		offset = -(start & (len - 1)) + (offset & -len);
		if ((long)offset < 0)
			offset += len;
	}
	iov.iov_base = (void *)(start + offset);
	iov.iov_len = len;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return;
	if (syscall(SYS_process_madvise, pidfd, &iov, 1, advice, 0) > 0)
		times++;
	close(pidfd);
	/* or it would wait for its pages all the time */
	pause_us(advice == MADV_PAGEOUT ? 20000 : 2000);
}

int main(int argc, char **argv)
{
	bool good = argc == 3 || argc == 4;
	const char *how = good ? argv[1] : "";
	time_t end = argc == 4 ? time(NULL) + atoi(argv[3]) : 0;

	pid = good ? atoi(argv[2]) : 0;
	if (pid <= 0) {
		fprintf(stderr, "usage: disturb HOW PID [SECONDS]\n");
		return 2;
	}
	srand(1);
	for (unsigned int i = 1; !kill(pid, 0) && (!end || time(NULL) < end); i++) {
		if (!strcmp(how, "migrate"))
			migrate();
		else if (!strcmp(how, "stop"))
			stop();
		else if (!strcmp(how, "ptrace"))
			interrupt(false);
		else if (!strcmp(how, "hold"))
			interrupt(true);
		else if (!strcmp(how, "pageout"))
			advise(MADV_PAGEOUT, 4 << 20);
		else if (!strcmp(how, "collapse"))
			advise(MADV_COLLAPSE, 2 << 20);
		else
			return 2;
		/* ended, and only its parent has not heard of it yet? */
		if (i % 16 == 0) {
			char path[64], state = 'Z';
			FILE *f;

			snprintf(path, sizeof(path), "/proc/%d/stat", pid);
			f = fopen(path, "r");
			if (!f)
				break;
			if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z')
				break;
			fclose(f);
		}
	}
	printf("%lu\n", times);
	return 0;
}
