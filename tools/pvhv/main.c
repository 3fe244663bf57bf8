// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: run PV Linux guests by the module pvhv.ko.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "runtime.h"

const struct command commands[] = {
	{
		.name = "check", .fn = cmd_check,
		.summary = "tell whether this host can run guests, and what is missing",
		.usage = "[--json]",
		.help =
		"  --json    print a JSON object\n"
		"\n"
		"One problem a line: 'error TYPE: what is wrong; what to do'. Exit status 0 if\n"
		"guests can run (there may be warnings), else 2.\n",
	}, {
		.name = "run", .fn = cmd_run,
		.summary = "start a guest and stay with it until it ends",
		.usage = "[options]",
		.help =
		"  --name NAME      name of the domain (default: guest-PID)\n"
		"  --kernel FILE    vmlinux or bzImage (default: /usr/lib/pvhv/vmlinux-guest)\n"
		"  --initrd FILE    initial RAM disk\n"
		"  --append STRING  kernel command line; console=hvc0 is added unless it has\n"
		"                   a console=\n"
		"  --memory SIZE    guest RAM, such as 512M or 2G; a bare number is MiB\n"
		"                   (default: 256M)\n"
		"  --disk path=FILE|DEVICE[,ro][,cache=none|writeback][,queues=N][,serial=S]\n"
		"                   a disk, /dev/pvda in the guest; the next one is /dev/pvdb\n"
		"  --net [bridge=BRIDGE][,ifname=NAME][,mac=ADDRESS][,queues=N][,mtu=N]\n"
		"                   a network device, whose other end is an interface here\n"
		"  --console stdio|pty|file:PATH\n"
		"                   where the guest's console is (default: stdio)\n"
		"  --on-crash destroy|preserve\n"
		"                   preserve: keep a crashed guest until pvhv kill\n"
		"                   (default: destroy)\n"
		"  --no-reboot      end when the guest reboots\n"
		"  --cpus N[,max=M]\n"
		"                   number of CPUs (default: 1), and how many there can be later\n"
		"  --cpu-features -NAME[,-NAME...]|help\n"
		"                   features that the guest does not see; help lists their names\n"
		"\n"
		"On a terminal, Ctrl-C and the like reach the guest; Ctrl-] q kills it and quits,\n"
		"Ctrl-] ? lists the keys.\n"
		"\n"
		"Exit status: 0 orderly power-off, 1 usage or bad configuration, 2 refused by\n"
		"the host, 3 guest crashed, 4 killed by pvhv kill or Ctrl-] q, 128+N killed by\n"
		"signal N.\n",
	}, {
		.name = "list", .fn = cmd_list,
		.summary = "list the domains that run",
		.usage = "[--json]",
		.help =
		"  --json    print a JSON array\n",
	}, {
		.name = "info", .fn = cmd_info,
		.summary = "show all about a domain",
		.usage = "[--json] NAME",
		.help =
		"  --json    print a JSON object\n"
		"\n"
		"With the registers of its vCPUs when the domain is paused or has crashed.\n",
	}, {
		.name = "console", .fn = cmd_console,
		.summary = "attach to a domain's console",
		.usage = "NAME",
		.help =
		"Ctrl-] q detaches, Ctrl-] ? lists the keys.\n",
	}, {
		.name = "cpu", .fn = cmd_cpu,
		.summary = "list, pin or set the number of a domain's vCPUs",
		.usage = "list|pin|set NAME [...]",
		.help =
		"  list [--json] NAME\n"
		"                   with the thread of each and where it ran last\n"
		"  pin NAME VCPU|all CPULIST\n"
		"                   let it run on these CPUs of the host only, such as 0-3,6;\n"
		"                   all: wherever the domain's process may\n"
		"  set [--timeout SECONDS] NAME N\n"
		"                   ask the guest to have N vCPUs online, at most M of --cpus\n"
		"                   N,max=M, and wait (default: 30 s; 0: do not wait)\n"
		"\n"
		"Exit status 1 if it has not by then.\n",
	}, {
		.name = "disk", .fn = cmd_device,
		.summary = "list, attach, detach or resize a domain's disks",
		.usage = "list|attach|detach|resize NAME [...]",
		.help =
		"  list [--json] NAME\n"
		"  attach NAME path=FILE|DEVICE[,ro][,cache=none|writeback][,queues=N][,serial=S]\n"
		"                   prints the disk's name in the guest\n"
		"  detach [--force] [--timeout SECONDS] NAME DISK\n"
		"                   ask the guest to let go of it and wait (default: 30 s; 0: do\n"
		"                   not wait); --force does not ask\n"
		"  resize NAME DISK [SIZE]\n"
		"                   tell the guest of a disk's new size, after a file was made\n"
		"                   that large if SIZE is given (as 512M or 2G; a bare number\n"
		"                   is MiB)\n"
		"\n"
		"A DISK is its name in the guest (pvda), its number or its serial number.\n",
	}, {
		.name = "net", .fn = cmd_device,
		.summary = "list, attach or detach a domain's network devices",
		.usage = "list|attach|detach NAME [...]",
		.help =
		"  list [--json] NAME\n"
		"  attach NAME [bridge=BRIDGE][,ifname=NAME][,mac=ADDRESS][,queues=N][,mtu=N]\n"
		"                   prints the name of the interface here\n"
		"  detach [--force] [--timeout SECONDS] NAME NET\n"
		"                   as for disks\n"
		"\n"
		"A NET is the name of its interface here or its number.\n",
	}, {
		.name = "pause", .fn = cmd_control,
		.summary = "stop a domain's vCPUs for a while",
		.usage = "NAME", .help = "",
	}, {
		.name = "resume", .fn = cmd_control,
		.summary = "let a paused domain go on",
		.usage = "NAME", .help = "",
	}, {
		.name = "stop", .fn = cmd_control,
		.summary = "ask a guest to power off, and wait for it",
		.usage = "[--timeout SECONDS] NAME",
		.help =
		"  --timeout SECONDS  how long to wait (default: 30; 0: do not wait)\n"
		"\n"
		"Exit status 1 if it has not ended by then; pvhv kill does not ask.\n",
	}, {
		.name = "kill", .fn = cmd_control,
		.summary = "end a domain at once",
		.usage = "NAME", .help = "",
	}, {
		.name = "stat", .fn = cmd_stat,
		.summary = "show a domain's counters",
		.usage = "[--interval SECONDS] [--count N] [--json] NAME",
		.help =
		"  --interval SECONDS  again and again, with the rate since the last time\n"
		"  --count N           N times; with no --interval, every second\n"
		"  --json              print a JSON object for each time\n"
		"\n"
		"Without --interval and --count: once, with the rate since the start.\n",
	}, {
		.name = "version", .fn = cmd_version,
		.summary = "show the versions of this tool and of the module",
		.usage = "", .help = "",
	}, {
		.name = "help", .fn = cmd_help,
		.summary = "show this list, or a command's options",
		.usage = "[COMMAND]", .help = "",
	},
	{ .name = NULL }
};

const struct command *find_command(const char *name)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

int bad_usage(char **argv, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say("%s: %s; see pvhv help %s", argv[0], text, argv[0]);
	return STATUS_USAGE;
}

int bad_option(char **argv)
{
	const char *group = argv[optind];	/* getopt() stays there until its last letter */

	if (optopt && group && group[0] == '-' && group[1] != '-' && strchr(group, optopt))
		return bad_usage(argv, "unknown option -%c", optopt);
	return bad_usage(argv, "unknown option %s", argv[optind - 1]);
}

int parse_timeout(char **argv, unsigned int *ms)
{
	if (!strcmp(optarg, "0"))
		*ms = 0;
	else if (parse_seconds(optarg, ms))
		return bad_usage(argv, "--timeout '%s': give seconds, at most 86400", optarg);
	return 0;
}

int parse_name(int argc, char **argv, const char **name, int *status)
{
	if (argc - optind != 1)
		*status = bad_usage(argv, argc == optind ? "give the NAME of a domain" :
				    "give one NAME only");
	else if (!name_valid(argv[optind]))
		*status = bad_usage(argv, "'%s' is no name: " NAME_RULE, argv[optind]);
	else
		*name = argv[optind];
	return *name ? 0 : -1;
}

/* Else the first files to be opened would be taken for stdin and the like. */
static void open_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *c;
	const char *name;

	open_standard_files();
	if (argc < 2) {
		say("give a command; pvhv help lists them");
		return STATUS_USAGE;
	}
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	c = find_command(name);
	if (!c) {
		say("'%s' is not a command; pvhv help lists them", name);
		return STATUS_USAGE;
	}
	argv[1] = (char *)c->name;
	opterr = 0;	/* the commands say it in their own words */
	return c->fn(argc - 1, argv + 1);
}
