/* SPDX-License-Identifier: GPL-2.0-or-later */
/* droverctl: asks the daemon, prints the answer. */
#include "commands.h"
#include "drain.h"
#include "drover/conf.h"
#include "drover/control.h"
#include "local.h"
#include "reply.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

enum {
	JSON_STYLE = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) |
		     JSON_ENSURE_ASCII, /* no control characters on a terminal */
};

struct options {
	const char *socket_path;
	bool json;
};

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

static struct view view_of(FILE *out, const json_t *request)
{
	return (struct view){
		.out = out,
		.colour = out == stdout && wants_colour(),
		.request = request,
	};
}

static void complain(const char *what)
{
	struct view view = view_of(stderr, NULL);

	view_line(&view, TEXT_PLAIN, "droverctl: %s", what);
}

static int complain_memory(void)
{
	complain("out of memory");
	return STATUS_REFUSED;
}

static int complain_no_daemon(const char *socket_path, int error)
{
	struct view view = view_of(stderr, NULL);

	view_line(&view, TEXT_PLAIN, "droverctl: cannot ask the daemon at %s: %s", socket_path,
		reply_reason(error));
	return STATUS_NO_DAEMON;
}

/* Builds what is sent. On failure returns the exit status, having said why. */
static int build_request(
	const struct command *command, int argument_count, char **arguments, json_t **ret_request)
{
	_cleanup_(json_decref_p) json_t *request = NULL;
	_cleanup_(free_p) char *netns = NULL, *why = NULL;
	int r;

	netns = control_netns();
	if (!netns) {
		complain("cannot tell this process's network namespace (is /proc mounted?)");
		return STATUS_NO_DAEMON;
	}
	request = json_pack("{s:s, s:s}", "command", command->name, "netns", netns);
	if (!request)
		return complain_memory();
	r = command->build(argument_count, arguments, request, &why);
	if (r == -ENOMEM)
		return complain_memory();
	if (r < 0) {
		struct view view = view_of(stderr, NULL);

		view_line(&view, TEXT_PLAIN, "droverctl: %s: %s", command->name, why);
		command_print_usage(stderr, command);
		return STATUS_USAGE;
	}
	*ret_request = take_ptr(request);
	return STATUS_OK;
}

static int print_json(const json_t *reply)
{
	if (json_dumpf(reply, stdout, JSON_STYLE) < 0)
		return -EIO;
	fputc('\n', stdout);
	return 0;
}

static int print_reply(const struct options *options, const struct command *command,
	const json_t *request, const json_t *reply)
{
	bool done = json_is_true(json_object_get(reply, "ok"));
	struct view view = view_of(done ? stdout : stderr, request);

	if (options->json)
		view.error = print_json(reply);
	else if (done)
		command->render(&view, reply);
	else
		render_refusal(&view, reply);
	if (view.error == -ENOMEM)
		return complain_memory();
	/* A full disk or a closed pipe must not look like success. */
	if (view.error < 0 || fflush(stdout) != 0 || ferror(stdout)) {
		complain("cannot write the answer");
		return STATUS_REFUSED;
	}
	return done && json_is_true(json_object_get(reply, command->truth)) ? STATUS_OK
									    : STATUS_REFUSED;
}

static int wait_if_asked(const struct options *options, const json_t *request)
{
	const char *member = json_string_value(json_object_get(request, "member"));
	int r;

	if (!json_is_true(json_object_get(request, "wait")))
		return STATUS_OK;
	r = drain_wait(options->socket_path, member, options->json);
	if (r == -ENODATA) {
		complain("the connections of this member are not known here (see sync in "
			 "drover.conf(5)), so nobody can tell when they have ended");
		return STATUS_REFUSED;
	}
	return r < 0 ? complain_no_daemon(options->socket_path, r) : STATUS_OK;
}

static int run_command(const struct options *options, int argument_count, char **arguments)
{
	_cleanup_(json_decref_p) json_t *request = NULL, *reply = NULL;
	_cleanup_(free_p) char *why = NULL;
	const struct command *command;
	int r;

	r = command_find(arguments[0], &command, &why);
	if (r == -ENOMEM)
		return complain_memory();
	if (r < 0) {
		complain(why);
		return STATUS_USAGE;
	}
	if (!command->build)
		return command->run(command, argument_count - 1, arguments + 1);
	r = build_request(command, argument_count - 1, arguments + 1, &request);
	if (r != STATUS_OK)
		return r;
	if (command->follow) {
		struct view view = view_of(stdout, request);

		return command->follow(&view, options->socket_path, options->json);
	}
	if (command->answer) {
		if (command->answer(request, &reply) < 0)
			return complain_memory();
	} else {
		r = control_ask(options->socket_path, request, command->timeout_ms, &reply);
		if (r < 0)
			return complain_no_daemon(options->socket_path, r);
	}
	r = print_reply(options, command, request, reply);
	return r == STATUS_OK ? wait_if_asked(options, request) : r;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct options options = { .socket_path = CONF_DEFAULT_CONTROL };
	int option;

	while ((option = getopt_long(argc, argv, "+s:jhV", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			options.socket_path = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			command_print_help(stdout);
			return STATUS_OK;
		case 'V':
			puts("droverctl " DROVER_VERSION);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		command_print_help(stderr);
		return STATUS_USAGE;
	}
	return run_command(&options, argc - optind, argv + optind);
}
