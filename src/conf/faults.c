/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of what is wrong: collected in any order, told in the order of lines. */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define FAULTS_MAX 50

void fault_no_memory(struct reader *reader)
{
	reader->no_memory = true;
}

static void print_scope(FILE *stream, const struct scope *scope)
{
	if (!scope)
		return;
	print_scope(stream, scope->parent);
	if (scope->name)
		fprintf(stream, "%s \"%s\": ", scope->kind, scope->name);
	else if (scope->number > 0)
		fprintf(stream, "%s %zu: ", scope->kind, scope->number);
	else
		fprintf(stream, "%s: ", scope->kind);
}

/* A value quoted in a message may hold anything; a log line may not. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void fault_add(struct reader *reader, struct conf_location location, const char *format, ...)
{
	_cleanup_(free_p) char *message = NULL;
	struct fault *fault;
	size_t length;
	va_list arguments;
	FILE *stream;

	if (reader->n_faults >= FAULTS_MAX) {
		reader->n_faults_left_off++;
		return;
	}
	stream = open_memstream(&message, &length);
	if (!stream)
		return fault_no_memory(reader);
	if (location.line > 0)
		fprintf(stream, "%s:%u: ", location.file, location.line);
	else
		fprintf(stream, "%s: ", location.file);
	print_scope(stream, reader->scope);
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	if (fclose(stream) != 0)
		return fault_no_memory(reader);

	make_printable(message);
	fault = array_append(reader->faults, reader->n_faults);
	if (!fault)
		return fault_no_memory(reader);
	*fault = (struct fault){ .location = location, .message = take_ptr(message) };
}

static size_t file_index(const struct conf *conf, const char *file)
{
	size_t i = 0;

	while (i < conf->n_files && conf->files[i] != file)
		i++;
	return i;
}

/* Files come in the order in which they were first read. */
bool location_is_before(
	const struct conf *conf, const struct conf_location *a, const struct conf_location *b)
{
	size_t file_a = file_index(conf, a->file), file_b = file_index(conf, b->file);

	if (file_a != file_b)
		return file_a < file_b;
	return a->line < b->line;
}

/* For what is missing altogether: the main file, no line. */
struct conf_location conf_nowhere(const struct conf *conf)
{
	return (struct conf_location){ .file = conf->n_files > 0 ? conf->files[0] : conf->path };
}

/* Stable, so that the faults of one line stay in the order in which they were found. */
static void sort_faults(struct reader *reader)
{
	struct fault *faults = reader->faults;

	for (size_t i = 1; i < reader->n_faults; i++) {
		struct fault fault = faults[i];
		size_t j = i;

		for (; j > 0; j--) {
			if (!location_is_before(
				    reader->conf, &fault.location, &faults[j - 1].location))
				break;
			faults[j] = faults[j - 1];
		}
		faults[j] = fault;
	}
}

static void say_out_of_memory(const struct reader *reader, struct conf_errors *errors)
{
	char **message = array_append(errors->messages, errors->n_messages);

	if (message && asprintf(message, "%s: out of memory", reader->conf->path) < 0)
		errors->n_messages--;
}

/* Moves the faults to errors. Returns 0 if there was none, else -EINVAL or -ENOMEM. */
int faults_finish(struct reader *reader, struct conf_errors *errors)
{
	int r = 0;

	sort_faults(reader);
	if (reader->n_faults_left_off > 0) {
		size_t n = reader->n_faults_left_off;

		/* Frees the one place that this needs: it stands for the last one, too. */
		free(reader->faults[--reader->n_faults].message);
		fault_add(
			reader, conf_nowhere(reader->conf), "%zu more faults are not shown", n + 1);
	}
	if (reader->n_faults > 0)
		r = -EINVAL;
	for (size_t i = 0; i < reader->n_faults; i++) {
		char **message = array_append(errors->messages, errors->n_messages);

		if (message)
			*message = take_ptr(reader->faults[i].message);
		else
			fault_no_memory(reader);
		free(reader->faults[i].message);
	}
	free(take_ptr(reader->faults));
	reader->n_faults = 0;
	if (!reader->no_memory)
		return r;
	say_out_of_memory(reader, errors);
	return -ENOMEM;
}

/* The one fault of a file that there is nothing else to say of. */
void fault_add_open(const char *path, int error, struct conf_errors *errors)
{
	char **message = array_append(errors->messages, errors->n_messages);

	if (message && asprintf(message, "%s: cannot open: %s", path, strerror(error)) < 0)
		errors->n_messages--;
}

void conf_errors_done(struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n_messages; i++)
		free(errors->messages[i]);
	free(errors->messages);
	*errors = (struct conf_errors){ 0 };
}
