/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Ownership made visible: a local declared with _cleanup_() is released when it
 * leaves scope, unless take_ptr() has handed it to its next owner.
 *
 * The idiom is that of systemd and ell: one macro pair, used everywhere.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

#define take_ptr(pointer)                                                                          \
	({                                                                                         \
		__auto_type taken_ = (pointer);                                                    \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

/* Defines name##_p(), the cleanup function of a pointer that name() releases. */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */
#define DEFINE_CLEANUP(type, name)                                                                 \
	static inline void name##_p(type **pointer)                                                \
	{                                                                                          \
		if (*pointer)                                                                      \
			name(*pointer);                                                            \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void free_p(void *pointer)
{
	free(*(void **)pointer);
}

static inline void close_p(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

DEFINE_CLEANUP(FILE, fclose)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))
