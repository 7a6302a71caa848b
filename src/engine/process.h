/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What this process takes of its host. */

#include <jansson.h>

/*
 * {"cpu_us", "resident_bytes", "virtual_bytes", "open_fds", "max_fds"}, integers; what cannot be
 * read is missing. Returns a new reference, NULL without memory.
 */
json_t *process_report(void);
