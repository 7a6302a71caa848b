/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text that libconfig gets to see: comments gone, files included, numbers
 * made safe. libconfig 1.5 left alone would
 *  - end the process (flex: YY_FATAL_ERROR) if an included file is a directory,
 *  - take a comment without an end for the rest of the file, in silence,
 *  - take 4294967396 for 100, in silence,
 *  - note the line of a list's string only after having read the token behind it,
 *  - end a string at \x00, whatever follows, in silence,
 *  - leak a string that stands where none may.
 * So this reads the tokens first, and says for each line where it came from.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define INCLUDE_DEPTH_MAX 10 /* as libconfig has it */
#define NESTING_MAX       32 /* sections and lists; a configuration needs 5 */

struct output {
	struct reader *reader;
	FILE *stream;
	char last;              /* the first character of the last token */
	char open[NESTING_MAX]; /* brackets that wait for their closing one */
	size_t n_open;
};

struct scan {
	struct output *output;
	struct conf_location location; /* of the character at hand */
	const char *at;
	bool line_is_blank; /* so far */
	unsigned int depth;
};

static bool scan_file(struct scan *scan, const char *text, size_t length);

/* Begins a line of output that stands for the line at hand. */
static bool begin_line(struct scan *scan)
{
	struct source *source = &scan->output->reader->source;
	struct conf_location *line = array_append(source->lines, source->n_lines);

	if (!line) {
		fault_no_memory(scan->output->reader);
		return false;
	}
	*line = scan->location;
	return true;
}

/*
 * Before each token. What closes or separates stays on the line of the string
 * before it: libconfig notes a string's line only when it has seen that.
 */
static bool begin_token(struct scan *scan)
{
	const struct source *source = &scan->output->reader->source;
	const struct conf_location *line = &source->lines[source->n_lines - 1];
	bool stays = scan->output->last == '"' && strchr(",;])}", *scan->at);

	scan->output->last = *scan->at;
	scan->line_is_blank = false;
	if (stays || (line->file == scan->location.file && line->line == scan->location.line))
		return true;
	putc('\n', scan->output->stream);
	return begin_line(scan);
}

static void copy(struct scan *scan, size_t n)
{
	fwrite(scan->at, 1, n, scan->output->stream);
	scan->at += n;
}

/* Between tokens: any blank and any comment is one blank. */
static void put_blank(struct scan *scan)
{
	putc(' ', scan->output->stream);
}

static void skip_newline(struct scan *scan)
{
	scan->at++;
	scan->location.line++;
	scan->line_is_blank = true;
	put_blank(scan);
}

static bool skip_long_comment(struct scan *scan)
{
	struct conf_location start = scan->location;
	const char *end = strstr(scan->at + 2, "*/");

	if (!end) {
		fault_add(scan->output->reader, start, "this comment does not end");
		return false;
	}
	for (; scan->at < end; scan->at++)
		scan->location.line += *scan->at == '\n';
	scan->at = end + 2;
	scan->line_is_blank = false;
	put_blank(scan);
	return true;
}

static bool string_may_follow(const struct output *output)
{
	if (output->last == ',')
		return output->n_open > 0 && output->open[output->n_open - 1] != '{';
	return output->last && strchr("=:([\"", output->last);
}

static bool copy_string(struct scan *scan)
{
	struct conf_location start = scan->location;

	if (!string_may_follow(scan->output)) {
		fault_add(scan->output->reader, start, "syntax error: a string may not stand here");
		return false;
	}
	if (!begin_token(scan))
		return false;
	copy(scan, 1);
	while (*scan->at && *scan->at != '"') {
		bool newline = *scan->at == '\n';

		if (strncmp(scan->at, "\\x00", 4) == 0) {
			fault_add(scan->output->reader, scan->location, "there is a NUL character");
			return false;
		}
		copy(scan, scan->at[0] == '\\' && scan->at[1] && scan->at[1] != '\n' ? 2 : 1);
		if (!newline)
			continue;
		/* libconfig counts it as a line, so it needs one here. */
		scan->location.line++;
		if (!begin_line(scan))
			return false;
	}
	if (!*scan->at) {
		fault_add(scan->output->reader, start, "this string does not end");
		return false;
	}
	copy(scan, 1);
	return true;
}

static void copy_name(struct scan *scan)
{
	size_t n = 0;

	while (isalnum((unsigned char)scan->at[n]) || (scan->at[n] && strchr("*-_", scan->at[n])))
		n++;
	copy(scan, n);
}

/* libconfig cuts a number to 32 bits unless an L follows; so one does where it must. */
static bool copy_number(struct scan *scan)
{
	const char *digits = scan->at + strspn(scan->at, "+-");
	int base = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10;
	long long number;
	char *end;

	errno = 0;
	number = strtoll(scan->at, &end, base);
	if (end <= digits) {
		copy(scan, 1);
		return true;
	}
	if (errno == ERANGE) {
		fault_add(scan->output->reader, scan->location, "the number %.*s%s is too large",
			(int)(end - scan->at > 32 ? 32 : end - scan->at), scan->at,
			end - scan->at > 32 ? "…" : "");
		return false;
	}
	copy(scan, (size_t)(end - scan->at));
	if (*end != 'L' && !(*end && strchr(".eE", *end)) && (number < INT_MIN || number > INT_MAX))
		putc('L', scan->output->stream);
	copy(scan, strspn(scan->at, "0123456789.eEL"));
	return true;
}

/* Brackets and all else of one character. */
static bool copy_mark(struct scan *scan)
{
	struct output *output = scan->output;

	if (strchr("([{", *scan->at)) {
		if (output->n_open == NESTING_MAX) {
			fault_add(output->reader, scan->location, "sections are nested too deeply");
			return false;
		}
		output->open[output->n_open++] = *scan->at;
	} else if (strchr(")]}", *scan->at) && output->n_open > 0) {
		output->n_open--;
	}
	copy(scan, 1);
	return true;
}

static bool include_file(struct scan *scan, const char *name)
{
	struct reader *reader = scan->output->reader;
	_cleanup_(free_p) char *path = file_beside(scan->location.file, name), *text = NULL;
	struct scan inner = { .output = scan->output, .depth = scan->depth + 1 };
	size_t length;
	int r;

	inner.location.file = path ? file_note(reader, path) : NULL;
	if (!inner.location.file) {
		fault_no_memory(reader);
		return false;
	}
	if (inner.depth > INCLUDE_DEPTH_MAX) {
		fault_add(reader, scan->location, "files are included more than %d deep",
			INCLUDE_DEPTH_MAX);
		return false;
	}
	r = texts_read(reader->texts, path, &text, &length);
	if (r == -ENOMEM)
		fault_no_memory(reader);
	if (r < 0) {
		fault_add(reader, scan->location, "cannot read %s: %s", path, strerror(-r));
		return false;
	}
	return scan_file(&inner, text, length);
}

/* At an @, which has one use only: @include "FILE", first in its line. */
static bool scan_include(struct scan *scan)
{
	static const char word[] = "@include";
	const char *start = scan->at + strlen(word), *end;
	_cleanup_(free_p) char *name = NULL;

	if (!scan->line_is_blank || strncmp(scan->at, word, strlen(word)) != 0)
		goto refuse;
	start += strspn(start, " \t");
	end = *start == '"' ? start + 1 + strcspn(start + 1, "\"\n") : start;
	if (*end != '"' || end == start)
		goto refuse;
	name = strndup(start + 1, (size_t)(end - start - 1));
	if (!name) {
		fault_no_memory(scan->output->reader);
		return false;
	}
	if (!include_file(scan, name))
		return false;
	scan->at = end + 1;
	return true;
refuse:
	fault_add(scan->output->reader, scan->location,
		"@ may only begin a line of the form @include \"FILE\"");
	return false;
}

/* Copies one token, which does not begin a comment. */
static bool scan_token(struct scan *scan)
{
	char c = *scan->at;

	if (c == '"')
		return copy_string(scan);
	if (c == '@')
		return scan_include(scan);
	if (!begin_token(scan))
		return false;
	if (isdigit((unsigned char)c) || c == '-' || c == '+')
		return copy_number(scan);
	if (!isalpha((unsigned char)c) && c != '*')
		return copy_mark(scan);
	copy_name(scan);
	return true;
}

static bool scan_file(struct scan *scan, const char *text, size_t length)
{
	bool ok = true;

	scan->location.line = 1;
	scan->line_is_blank = true;
	scan->at = text;
	while (ok && *scan->at) {
		const char *at = scan->at;

		if (*at == '\n') {
			skip_newline(scan);
		} else if (isspace((unsigned char)*at)) {
			scan->at++;
			put_blank(scan);
		} else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
			scan->at += strcspn(at, "\n");
		} else if (at[0] == '/' && at[1] == '*') {
			ok = skip_long_comment(scan);
		} else {
			ok = scan_token(scan);
		}
	}
	if (ok && scan->at != text + length) {
		fault_add(scan->output->reader, scan->location, "there is a NUL character");
		ok = false;
	}
	return ok;
}

bool source_read(struct reader *reader, const char *file, const char *text, size_t length)
{
	struct output output = { .reader = reader };
	struct scan scan = { .output = &output, .location = { .file = file, .line = 1 } };
	size_t size;
	bool ok;

	output.stream = open_memstream(&reader->source.text, &size);
	if (!output.stream) {
		fault_no_memory(reader);
		return false;
	}
	ok = begin_line(&scan) && scan_file(&scan, text, length);
	if (fclose(output.stream) != 0) {
		fault_no_memory(reader);
		return false;
	}
	return ok;
}

void source_done(struct source *source)
{
	free(source->text);
	free(source->lines);
	*source = (struct source){ 0 };
}
