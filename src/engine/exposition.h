/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The text format of Prometheus, version 0.0.4, as
 * https://prometheus.io/docs/instrumenting/exposition_formats/ has it.
 */

#include <stdint.h>
#include <stdio.h>

enum { EXPOSITION_LABELS_MAX = 3 };

enum exposition_type {
	EXPOSITION_COUNTER,
	EXPOSITION_GAUGE,
};

/* A label without a name ends the list. */
struct exposition_label {
	const char *name;
	const char *value;
};

/* Writes what comes before the samples of a metric, which must all follow at once. */
void exposition_begin(FILE *out, const char *name, enum exposition_type type, const char *help);

/* Writes one sample: value / 10^decimals, exactly. */
void exposition_sample(FILE *out, const char *name,
	const struct exposition_label labels[static EXPOSITION_LABELS_MAX], int64_t value,
	unsigned int decimals);
