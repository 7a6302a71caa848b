/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Memory for what is made piece by piece and ends all at once: many small strings, none of which
 * is anybody's to free.
 */

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

/* All zero before its first use. */
struct arena {
	struct arena_block *blocks; /* the one with room first */
};

/* Frees whatever the arena has given out, and leaves it empty. */
void arena_done(struct arena *arena);

/* Zeroed, and aligned for any object. NULL without memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* Strings of the arena's. NULL without memory, or if the format fails. */
char *arena_copy(struct arena *arena, const char *text);
/* Puts more behind a string of the arena's, which moves unless it was the last one given out. */
char *arena_append(struct arena *arena, const char *text, const char *more);
char *arena_format(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vformat(struct arena *arena, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
