/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/engine.h"
#include "drover/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum mode {
	MODE_RUN,
	MODE_TEST,
	MODE_PRINT,
};

enum {
	EXIT_REFUSED = 1, /* the configuration, or running itself, failed */
	EXIT_USAGE = 2,
};

static const char usage[] = "usage: droverd [-c FILE] [-t] [-p] [-V]\n"
			    "  -c FILE  configuration file (" CONF_DEFAULT_PATH ")\n"
			    "  -t       check the configuration and exit\n"
			    "  -p       print the active balancer's ruleset and exit\n"
			    "  -V       print the version and exit\n";

/* Faults are for whoever runs -t or -p, so they go out bare, as a compiler's would. */
static int load(const char *path, struct conf **ret_conf)
{
	struct conf_errors errors = { .messages = NULL };
	int r = conf_load(path, ret_conf, &errors);

	for (size_t i = 0; i < errors.n_messages; i++)
		fprintf(stderr, "%s\n", errors.messages[i]);
	conf_errors_done(&errors);
	return r;
}

static int load_again(void *user_data, struct conf **ret_conf, struct conf_errors *errors)
{
	return conf_load(user_data, ret_conf, errors);
}

static int run(enum mode mode, char *path)
{
	const struct engine_front front = {
		.program = "droverd",
		.load = load_again,
		.user_data = path,
	};
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	int r = load(path, &conf);

	if (r < 0)
		return EXIT_REFUSED;
	switch (mode) {
	case MODE_RUN:
		r = engine_run(take_ptr(conf), &front);
		break;
	case MODE_TEST:
		break;
	case MODE_PRINT:
		r = engine_print_ruleset(take_ptr(conf), NULL, stdout);
		if (r < 0)
			log_error("cannot print the ruleset: %s", strerror(-r));
		break;
	}
	return r < 0 ? EXIT_REFUSED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char default_path[] = CONF_DEFAULT_PATH, *path = default_path;
	enum mode mode = MODE_RUN;
	int option;

	while ((option = getopt(argc, argv, "c:tpVh")) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 't':
			mode = MODE_TEST;
			break;
		case 'p':
			mode = MODE_PRINT;
			break;
		case 'V':
			printf("droverd " DROVER_VERSION "\n");
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run(mode, path);
}
