/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The shared keys of sync, and their file: one key of 64 hexadecimal digits a line, "#" begins a
 * comment. The first one seals, all of them open: to change keys, add the new one as second line
 * on all nodes, then make it the first, then remove the old one.
 */

#include <stddef.h>
#include <stdint.h>

enum {
	SYNC_KEY_SIZE = 32, /* crypto_aead_xchacha20poly1305_ietf_KEYBYTES */
	SYNC_KEYS_MAX = 4,
};

struct sync_keys {
	uint8_t bytes[SYNC_KEYS_MAX][SYNC_KEY_SIZE];
	size_t n;
};

/*
 * Reads a key file. Returns 0, -errno of opening it, -EPERM if others than its owner and group may
 * read it, -EINVAL if it is not understood or has no key: then *ret_line is the line at fault (0:
 * none in particular).
 */
int sync_keys_load(const char *path, struct sync_keys *ret_keys, unsigned int *ret_line);

/*
 * Makes a new key file with one key, mode 0600; or 0640 for a group, if there is one of this name
 * (NULL: none) and the caller may give files to it. Refuses to replace a file (-EEXIST).
 */
int sync_keys_create(const char *path, const char *group);

/* Overwrites the keys in memory. */
void sync_keys_done(struct sync_keys *keys);
