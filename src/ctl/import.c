/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/import.h"
#include "drover/cleanup.h"
#include "local.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

/* Reads the options; the two arguments are left at the returned index, 0 if they are wrong. */
static int read_options(int count, char **arguments, struct import_options *options)
{
	static const struct option long_options[] = {
		{ "interface", required_argument, NULL, 'i' },
		{ "group", required_argument, NULL, 'g' },
		{ "node", required_argument, NULL, 'n' },
		{ "address", required_argument, NULL, 'a' },
		{ 0 },
	};
	int option;

	optind = 0; /* main() has read other options with other rules */
	while ((option = getopt_long(count, arguments, "", long_options, NULL)) != -1) {
		if (option == 'i')
			options->interface = optarg;
		else if (option == 'g')
			options->group = optarg;
		else if (option == 'n')
			options->node = optarg;
		else if (option != 'a' || address_parse(optarg, &options->address) < 0)
			return 0;
	}
	return count - optind == 2 ? optind : 0;
}

/* Reads a file, "-" is the standard input, up to one byte more than import_convert() takes. */
static int read_file(const char *path, char **ret_text, size_t *ret_size)
{
	bool is_input = strcmp(path, "-") == 0;
	_cleanup_(fclose_p) FILE *file = is_input ? NULL : fopen(path, "re");
	_cleanup_(free_p) char *text = malloc(IMPORT_TEXT_MAX + 1);
	FILE *from = is_input ? stdin : file;

	if (!from)
		return -errno;
	if (!text)
		return -ENOMEM;
	*ret_size = fread(text, 1, IMPORT_TEXT_MAX + 1, from);
	if (ferror(from))
		return -EIO;
	*ret_text = take_ptr(text);
	return 0;
}

static int convert(const char *syntax, const char *path, const struct import_options *options)
{
	_cleanup_(free_p) char *text = NULL, *conf = NULL;
	struct view view = { .out = stderr };
	struct import_notes notes = { 0 };
	size_t size = 0;
	bool complete;
	int r;

	r = read_file(path, &text, &size);
	if (r < 0) {
		view_line(&view, TEXT_PLAIN, "droverctl: import: cannot read %s: %s", path,
			strerror(-r));
		return STATUS_REFUSED;
	}
	r = import_convert(syntax, path, text, size, options, &conf, &notes);
	for (size_t i = 0; i < notes.n_messages; i++)
		view_line(&view, TEXT_PLAIN, "%s", notes.messages[i]);
	complete = notes.n_messages == 0;
	import_notes_done(&notes);
	if (r < 0) {
		view_line(&view, TEXT_PLAIN, "droverctl: import: nothing was made of %s%s%s", path,
			r == -EINVAL ? "" : ": ", r == -EINVAL ? "" : strerror(-r));
		return STATUS_REFUSED;
	}
	if (fputs(conf, stdout) < 0 || fflush(stdout) != 0) {
		view_line(&view, TEXT_PLAIN, "droverctl: import: cannot write the configuration");
		return STATUS_REFUSED;
	}
	return complete ? STATUS_OK : STATUS_INCOMPLETE;
}

int ctl_import(const struct command *command, int argument_count, char **arguments)
{
	struct import_options options = { 0 };
	struct view view = { .out = stderr };
	/* getopt_long() wants the name of the program before the arguments: that of the command. */
	int first = read_options(argument_count + 1, arguments - 1, &options);

	if (first == 0) {
		command_print_usage(stderr, command);
		return STATUS_USAGE;
	}
	arguments += first - 1;
	if (!import_knows(arguments[0])) {
		view_line(&view, TEXT_PLAIN,
			"droverctl: import: unknown syntax \"%s\"; valid syntaxes: %s",
			arguments[0], import_syntaxes());
		return STATUS_USAGE;
	}
	return convert(arguments[0], arguments[1], &options);
}
