// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/prctl.h>
#include <linux/sockios.h>

#include "device.h"

int device_stat(struct stat *st)
{
	return stat(DEVICE_PATH, st) ? -errno : 0;
}

int device_open(void)
{
	int fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int device_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

int thread_cpuid_faults(bool on)
{
	return syscall(SYS_arch_prctl, ARCH_SET_CPUID, !on) ? -errno : 0;
}

unsigned int disk_max_queues(void)
{
	FILE *f = fopen(DISK_QUEUES_PATH, "re");
	unsigned int nr;

	if (!f)
		return 0;
	if (fscanf(f, "%u", &nr) != 1 || !nr)
		nr = 1;		/* as the module takes a 0 */
	fclose(f);
	return nr;
}

/* An interface's ioctl, with the fields of @ifr that it needs filled in */
static int interface_ioctl(unsigned long request, struct ifreq *ifr, const char *ifname)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	rc = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int interface_exists(const char *ifname)
{
	struct ifreq ifr = { 0 };

	return interface_ioctl(SIOCGIFINDEX, &ifr, ifname);
}

int interface_up(const char *ifname)
{
	struct ifreq ifr = { 0 };
	int rc = interface_ioctl(SIOCGIFFLAGS, &ifr, ifname);

	if (rc)
		return rc;
	ifr.ifr_flags |= IFF_UP;
	return interface_ioctl(SIOCSIFFLAGS, &ifr, ifname);
}

int interface_into_bridge(const char *ifname, const char *bridge)
{
	struct ifreq ifr = { 0 };
	int rc = interface_ioctl(SIOCGIFINDEX, &ifr, ifname);
	int index = ifr.ifr_ifindex;

	if (rc)
		return rc;
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_ifindex = index;
	return interface_ioctl(SIOCBRADDIF, &ifr, bridge);
}
