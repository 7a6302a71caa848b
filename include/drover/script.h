/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* ruleset -> nft script: the text that nft -f loads. */

#include "drover/ruleset.h"

/*
 * Writes the ruleset as an nft script. Loading it gives the same listing as
 * committing the ruleset. Each table is preceded by lines that remove an older one, so that the
 * script replaces it in one transaction. Returns 0, or -EIO if the file takes no more.
 */
int script_write(const struct ruleset *ruleset, FILE *file);

/* The same as a new string; NULL without memory. */
char *script_format(const struct ruleset *ruleset);
