/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the engine reports, as metrics. This knows no engine: the replies that droverctl(8)
 * documents go in, text comes out.
 */

#include <jansson.h>

/*
 * replies: {"status": …, "services": …, "flows": …, "process": {"cpu_us", "resident_bytes", …}}.
 * What is null or missing there has no sample, but every metric is named. Returns a new string, or
 * NULL without memory.
 */
char *metrics_format(const json_t *replies);
