/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Commands that are printed for people to run. */

/*
 * Returns a new string that a POSIX shell reads as this one word, quoted only where it must be;
 * NULL without memory.
 */
char *shell_word(const char *text);
