/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>

struct cell {
	char *text;
	enum text_paint paint;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct cell *cells;
	size_t cell_count;
	size_t cell_space;
	int error;
};

struct table *table_new(const struct table_column *columns, size_t column_count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->column_count = column_count;
	return table;
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

static int table_reserve(struct table *table)
{
	size_t space = table->cell_space ? table->cell_space * 2 : 64;
	struct cell *cells;

	if (table->cell_count < table->cell_space)
		return 0;
	cells = reallocarray(table->cells, space, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	table->cells = cells;
	table->cell_space = space;
	return 0;
}

void table_add(struct table *table, enum text_paint paint, const char *format, ...)
{
	_cleanup_(free_p) char *text = NULL;
	char *escaped;
	va_list arguments;
	int length;

	if (!table || table->error)
		return;
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		text = NULL;
	escaped = text ? text_escape(text, false) : NULL;
	if (!escaped || table_reserve(table) < 0) {
		free(escaped);
		table->error = -ENOMEM;
		return;
	}
	table->cells[table->cell_count++] = (struct cell){ .text = escaped, .paint = paint };
}

/* Returns 0 for a column that has nothing to show. */
static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0, title = text_width(table->columns[column].title);

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		size_t cell = text_width(table->cells[i].text);

		if (cell > width)
			width = cell;
	}
	return width > 0 && title > width ? title : width;
}

static void print_blanks(FILE *out, size_t count)
{
	fprintf(out, "%*s", (int)count, "");
}

/*
 * Prints one row; cells is NULL for the titles. Blanks are owed until something
 * follows them, so that no line ends in one.
 */
static void print_row(const struct table *table, FILE *out, bool colour, const size_t *widths,
	const struct cell *cells, size_t count)
{
	size_t owed = 0;

	for (size_t i = 0; i < count; i++) {
		const char *text = cells ? cells[i].text : table->columns[i].title;
		size_t rest;

		if (widths[i] == 0)
			continue;
		rest = widths[i] - text_width(text);
		if (table->columns[i].right) {
			owed += rest;
			rest = 0;
		}
		if (*text) {
			print_blanks(out, owed);
			text_paint(out, colour, cells ? cells[i].paint : TEXT_PLAIN, text);
			owed = 0;
		}
		owed += rest + 2;
	}
	fputc('\n', out);
}

int table_print(const struct table *table, FILE *out, bool colour, const char *indent)
{
	_cleanup_(free_p) size_t *widths = NULL;

	if (!table || table->error)
		return -ENOMEM;
	if (table->cell_count == 0)
		return 0;
	widths = calloc(table->column_count, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = column_width(table, i);

	fputs(indent, out);
	print_row(table, out, colour, widths, NULL, table->column_count);
	for (size_t i = 0; i < table->cell_count; i += table->column_count) {
		size_t left = table->cell_count - i;

		fputs(indent, out);
		print_row(table, out, colour, widths, &table->cells[i],
			left < table->column_count ? left : table->column_count);
	}
	return 0;
}
