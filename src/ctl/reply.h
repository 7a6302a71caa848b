/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reading a reply that another version of the daemon may have sent: a field
 * that is missing, null or of another type reads as "-", never as an error.
 */

#include <jansson.h>
#include <stdbool.h>

enum {
	REPLY_NUMBER_MAX = 24,
};

/* The string of this name, or "-". It lives as long as the object. */
const char *reply_text(const json_t *object, const char *key);

/* The string of this name, or the fallback. */
const char *reply_text_or(const json_t *object, const char *key, const char *fallback);

/* The integer of this name as decimal digits, or "-". */
const char *reply_number(
	const json_t *object, const char *key, char buffer[static REPLY_NUMBER_MAX]);

/* The integer of this name, shortened for people, or "-". */
const char *reply_short(const json_t *object, const char *key, unsigned int base,
	char buffer[static REPLY_NUMBER_MAX]);

/* Two different questions: a missing field is neither true nor false. */
bool reply_is_true(const json_t *object, const char *key);
bool reply_is_false(const json_t *object, const char *key);

/*
 * Returns the strings of an array joined into a new string, "-" if there are
 * none, NULL without memory.
 */
char *reply_join(const json_t *object, const char *key, const char *separator);

/* Why there is none: what an error of control_ask() means to an operator. */
const char *reply_reason(int error);
