/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The state directory: what is kept over a restart of the engine and of the host, as JSON. */

#include <jansson.h>

/*
 * The path of a file there, or of its companion with a suffix: a new string, NULL without memory.
 * systemd names the directory in $STATE_DIRECTORY (the first of a colon-separated list).
 */
char *state_path(const char *file, const char *suffix);

/* *ret_root: NULL if there is no such file. Returns 0, -EBADMSG (logged), or -errno. */
int state_read(const char *file, json_t **ret_root);

/*
 * Replaces the file: what is written beside it and synced takes its place, so that no crash leaves
 * half of one. Returns 0 or -errno.
 */
int state_write(const char *file, const json_t *root);

/* Returns 0, also if there was no such file, or -errno. */
int state_remove(const char *file);
