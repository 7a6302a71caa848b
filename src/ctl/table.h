/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Aligned columns: rows are collected cell by cell, widths follow from the
 * content. A column without any content is left out.
 *
 * A table that runs out of memory remembers it: table_add() then does nothing
 * and table_print() returns -ENOMEM, so that renderers read as what they print.
 */

#include "drover/cleanup.h"
#include "text.h"

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table;

/* The columns must outlive the table. Returns NULL without memory. */
struct table *table_new(const struct table_column *columns, size_t column_count);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table, table_free)

/* Adds the next cell, row by row. Control characters are escaped. */
void table_add(struct table *table, enum text_paint paint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints titles and rows behind an indent, nothing without rows. Returns 0, or -ENOMEM. */
int table_print(const struct table *table, FILE *out, bool colour, const char *indent);
