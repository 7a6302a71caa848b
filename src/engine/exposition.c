/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exposition.h"

#include <stdlib.h>

/* In a help text a quotation mark stands for itself, in a label's value it does not. */
static void write_escaped(FILE *out, const char *text, char quotation_mark)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*text == '\\' || *text == quotation_mark)
			fputc('\\', out);
		fputc(*text, out);
	}
}

void exposition_begin(FILE *out, const char *name, enum exposition_type type, const char *help)
{
	fprintf(out, "# HELP %s ", name);
	write_escaped(out, help, '\\');
	fprintf(out, "\n# TYPE %s %s\n", name, type == EXPOSITION_COUNTER ? "counter" : "gauge");
}

static void write_labels(FILE *out, const struct exposition_label *labels)
{
	for (size_t i = 0; i < EXPOSITION_LABELS_MAX && labels[i].name; i++) {
		fprintf(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
		write_escaped(out, labels[i].value, '"');
		fputc('"', out);
	}
	if (labels[0].name)
		fputc('}', out);
}

void exposition_sample(FILE *out, const char *name,
	const struct exposition_label labels[static EXPOSITION_LABELS_MAX], int64_t value,
	unsigned int decimals)
{
	int64_t unit = 1;

	for (unsigned int i = 0; i < decimals; i++)
		unit *= 10;
	fputs(name, out);
	write_labels(out, labels);
	fprintf(out, " %s%lld", value < 0 ? "-" : "", llabs(value / unit));
	if (decimals > 0)
		fprintf(out, ".%0*lld", (int)decimals, llabs(value % unit));
	fputc('\n', out);
}
