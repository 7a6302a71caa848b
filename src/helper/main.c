/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/log.h"
#include "run.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	TIMEOUT_DEFAULT = 15,
	TIMEOUT_MAX = 86400,
	SHARE_DEFAULT = 100,
	SYNC_ID_MAX = 255,
};

static const char usage[] =
	"usage: drover-helper [-p N] [-i IF] [-s N] [-t N] [-f FILE] [-r N] [-m] [-c FILE] [-V]\n"
	"  -p N     seconds that a client stays with its server, 0: not (15)\n"
	"  -i IF    interface of the VIPs (eth0)\n"
	"  -s N     sync id, equal on all balancers (0)\n"
	"  -t N     seconds without a command until the duty is given up, 0: never (15)\n"
	"  -f FILE  the VIPs, one address or subnet a line (/etc/sysconfig/vipaddrs)\n"
	"  -r N     weight of the active balancer where others have 100 (100)\n"
	"  -m       change nothing, print the commands that would be run\n"
	"  -c FILE  what the cluster does not say: services, port ranges, sync (drover.conf(5))\n"
	"  -V       print the version and exit\n";

static bool parse_number(const char *text, int max, int *ret_number)
{
	int number = 0;

	if (!*text || strlen(text) > 7 || strspn(text, "0123456789") != strlen(text))
		return false;
	for (; *text; text++)
		number = number * 10 + (*text - '0');
	if (number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool take_number(int option, int *number, int max)
{
	if (parse_number(optarg, max, number))
		return true;
	fprintf(stderr, "drover-helper: -%c %s is no number from 0 to %d\n", option, optarg, max);
	return false;
}

/* Returns a negative number to go on, else the exit status. */
static int take_option(int option, struct options *options, int *timeout, int *share)
{
	bool good = true;

	switch (option) {
	case 'p':
		good = take_number(option, &options->conf.persistence, CONF_PERSISTENCE_MAX);
		break;
	case 'i':
		options->conf.interface = optarg;
		break;
	case 's':
		good = take_number(option, &options->conf.sync_id, SYNC_ID_MAX);
		break;
	case 't':
		good = take_number(option, timeout, TIMEOUT_MAX);
		break;
	case 'f':
		options->conf.vips_file = optarg;
		break;
	case 'r':
		good = take_number(option, share, CONF_WEIGHT_MAX);
		break;
	case 'm':
		options->rehearse = true;
		break;
	case 'c':
		options->path = optarg;
		break;
	case 'V':
		puts("drover-helper " DROVER_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	default:
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return good ? -1 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options options = { .conf = { .persistence = -1, .sync_id = -1 } };
	int option, status, timeout = TIMEOUT_DEFAULT, share = SHARE_DEFAULT;

	while ((option = getopt(argc, argv, "p:i:s:t:f:r:mc:Vh")) != -1) {
		status = take_option(option, &options, &timeout, &share);
		if (status >= 0)
			return status;
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	options.timeout = (unsigned int)timeout;
	options.share = (unsigned int)share;
	/* A server that has gone is found by the end of its pipe. */
	signal(SIGPIPE, SIG_IGN);
	return helper_run(&options) < 0 ? EXIT_REFUSED : EXIT_SUCCESS;
}
