// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "launcher.h"

#define DEFAULT_MEMORY	(256 * MIB)

static const char default_kernel[] = HOST_DEFAULT_KERNEL;

/* --console */
static int parse_console(const char *text, struct launcher_config *cfg)
{
	cfg->console = text;
	if (!strcmp(text, "stdio"))
		cfg->console_kind = CONSOLE_STDIO;
	else if (!strcmp(text, "pty"))
		cfg->console_kind = CONSOLE_PTY;
	else if (!strncmp(text, "file:", 5) && text[5])
		cfg->console_kind = CONSOLE_FILE;
	else
		return -1;
	if (cfg->console_kind == CONSOLE_FILE)
		cfg->console_path = text + 5;
	return 0;
}

static int add_disk(struct launcher_config *cfg, const char *text, struct errmsg *e)
{
	cfg->disk = xrealloc(cfg->disk, (cfg->nr_disks + 1) * sizeof(*cfg->disk));
	return disk_spec_parse(&cfg->disk[cfg->nr_disks++], text, e);
}

static int add_net(struct launcher_config *cfg, const char *text, struct errmsg *e)
{
	cfg->net = xrealloc(cfg->net, (cfg->nr_nets + 1) * sizeof(*cfg->net));
	return net_spec_parse(&cfg->net[cfg->nr_nets++], text, e);
}

/* N[,max=M] */
static int parse_cpus(struct launcher_config *cfg, const char *text, struct errmsg *e)
{
	static const char rule[] = "give N or N,max=M, 1 to %u";
	const char *max = strstr(text, ",max=");
	size_t len = max ? (size_t)(max - text) : strlen(text);
	u64 cpus, max_cpus;
	char number[8];

	if (len >= sizeof(number))
		return errmsg_set(e, rule, PVHV_MAX_VCPUS);
	memcpy(number, text, len);
	number[len] = '\0';
	if (parse_number(number, PVHV_MAX_VCPUS, &cpus) || !cpus)
		return errmsg_set(e, rule, PVHV_MAX_VCPUS);
	max_cpus = cpus;
	if (max && (parse_number(max + strlen(",max="), PVHV_MAX_VCPUS, &max_cpus) || !max_cpus))
		return errmsg_set(e, rule, PVHV_MAX_VCPUS);
	if (max_cpus < cpus)
		return errmsg_set(e, "max=%llu is less than %llu", max_cpus, cpus);
	cfg->cpus = cpus;
	cfg->max_cpus = max_cpus;
	return 0;
}

static int parse_options(int argc, char **argv, struct launcher_config *cfg, const char **append)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "append", required_argument, NULL, 'a' },
		{ "memory", required_argument, NULL, 'm' },
		{ "disk", required_argument, NULL, 'd' },
		{ "net", optional_argument, NULL, 'e' },
		{ "console", required_argument, NULL, 'c' },
		{ "on-crash", required_argument, NULL, 'x' },
		{ "no-reboot", no_argument, NULL, 'r' },
		{ "cpus", required_argument, NULL, 'p' },
		{ "cpu-features", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct errmsg e;
	int c;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			if (!name_valid(optarg))
				return bad_usage(argv, "--name '%s': " NAME_RULE, optarg);
			cfg->name = optarg;
			break;
		case 'k':
			cfg->kernel_path = optarg;
			break;
		case 'i':
			cfg->initrd_path = optarg;
			break;
		case 'a':
			*append = optarg;
			break;
		case 'm':
			if (parse_size(optarg, &cfg->memory))
				return bad_usage(argv, "--memory '%s': give a size, as 512M or 2G",
						 optarg);
			break;
		case 'd':
			if (add_disk(cfg, optarg, &e))
				return bad_usage(argv, "--disk %s: %s", optarg, e.text);
			break;
		case 'e':
			/* "--net" alone, "--net=bridge=br0" or "--net bridge=br0" */
			if (!optarg && optind < argc && argv[optind][0] != '-')
				optarg = argv[optind++];
			if (!optarg)
				optarg = "";
			if (add_net(cfg, optarg, &e))
				return bad_usage(argv, "--net %s: %s", optarg, e.text);
			break;
		case 'c':
			if (parse_console(optarg, cfg))
				return bad_usage(argv, "--console '%s': not stdio, pty, file:PATH",
						 optarg);
			break;
		case 'x':
			if (strcmp(optarg, "preserve") && strcmp(optarg, "destroy"))
				return bad_usage(argv, "--on-crash '%s': give preserve or destroy",
						 optarg);
			cfg->preserve = !strcmp(optarg, "preserve");
			break;
		case 'r':
			cfg->no_reboot = true;
			break;
		case 'p':
			if (parse_cpus(cfg, optarg, &e))
				return bad_usage(argv, "--cpus '%s': %s", optarg, e.text);
			break;
		case 'f':
			if (!strcmp(optarg, "help")) {
				cpu_features_print(stdout);
				return -1;
			}
			if (cpu_features_parse(&cfg->hidden, optarg, &e))
				return bad_usage(argv, "--cpu-features %s", e.text);
			break;
		case 'h':
			print_command_help(argv[0]);
			return -1;
		case ':':
			return bad_usage(argv, "%s needs an argument", argv[optind - 1]);
		default:
			return bad_option(argv);
		}
	}
	if (optind < argc)
		return bad_usage(argv, "unknown argument %s", argv[optind]);
	return 0;
}

/* Read and check all that was given before anything of the host is used. */
static int prepare(struct launcher_config *cfg)
{
	static const char * const options[] = {
		[LAYOUT_MEMORY] = "--memory", [LAYOUT_APPEND] = "--append",
	};
	enum layout_culprit culprit;
	struct errmsg e;

	if (cfg->kernel_path == default_kernel && access(default_kernel, F_OK)) {
		say("%s: does not exist: make install in the pvhv tree, or give --kernel FILE",
		    default_kernel);
		return STATUS_USAGE;
	}
	if (image_open(&cfg->kernel_file, cfg->kernel_path, &e) ||
	    kernel_open(&cfg->kernel, &cfg->kernel_file, &e)) {
		say("%s: %s", cfg->kernel_path, e.text);
		return STATUS_USAGE;
	}
	if (cfg->initrd_path && image_open(&cfg->initrd, cfg->initrd_path, &e)) {
		say("%s: %s", cfg->initrd_path, e.text);
		return STATUS_USAGE;
	}
	if (!cfg->initrd.size)	/* /dev/null */
		cfg->initrd_path = NULL;
	if (layout_plan(&cfg->layout, &cfg->kernel, cfg->memory, cfg->initrd.size, cfg->cmdline,
			&culprit, &e)) {
		/* what is too small for a kernel is the kernel's complaint */
		say("%s: %s", culprit == LAYOUT_KERNEL ? cfg->kernel_path :
		    culprit == LAYOUT_INITRD ? cfg->initrd_path : options[culprit], e.text);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

int cmd_run(int argc, char **argv)
{
	static struct launcher_config cfg = {
		.kernel_path = default_kernel,
		.console = "stdio",
		.memory = DEFAULT_MEMORY,
		.cpus = 1,
		.max_cpus = 1,
	};
	static char default_name[32];
	const char *append = "";
	int status;

	status = parse_options(argc, argv, &cfg, &append);
	if (status)
		return status < 0 ? STATUS_OK : status;
	if (!cfg.name) {
		snprintf(default_name, sizeof(default_name), "guest-%d", getpid());
		cfg.name = default_name;
	}
	cfg.cmdline = guest_cmdline(append);
	status = prepare(&cfg);
	if (!status)
		status = launcher_run(&cfg);
	return status;
}
