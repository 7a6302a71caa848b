/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Sections as tables: each key has one kind of value and one function that
 * reads it. Keys are read in the order of the table, not of the file, so that
 * a setting may depend on one that stands before it in the table.
 */

#include "internal.h"

enum value_kind {
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_SECONDS, /* whole or not */
	VALUE_BOOLEAN,
	VALUE_TEXTS, /* read is called for each element */
	VALUE_SECTION,
	VALUE_SECTIONS, /* read is called for each element */
};

enum key_flags {
	KEY_REQUIRED = 1 << 0,
	KEY_FILLED = 1 << 1, /* a list that may not be empty */
	KEY_TOLD = 1 << 2,   /* drover-helper may be told it: then it is not required */
};

struct key {
	const char *name;
	enum value_kind kind;
	unsigned int flags;
	void (*read)(struct reader *reader, const config_setting_t *setting, void *object);
};

struct conf_location reader_locate(const struct reader *reader, const config_setting_t *setting);

/* Reads all settings of a section into the object; unknown ones are faults. */
void reader_section(struct reader *reader, const config_setting_t *section, const struct key *keys,
	size_t n_keys, void *object);

/* The form of every name: 1 to CONF_NAME_MAX letters, digits, '.', '_' or '-'. */
bool name_is_valid(const char *name);

/* Opens a scope for an element of a list of sections; close it with reader_leave(). */
struct scope reader_scope(
	const struct reader *reader, const char *kind, const config_setting_t *setting);
void reader_enter(struct reader *reader, const struct scope *scope);
void reader_leave(struct reader *reader);

/* Values. Each reports a fault and leaves the output untouched if the value will not do. */
void read_text(struct reader *reader, const config_setting_t *setting, char **ret_text);
void read_name(struct reader *reader, const config_setting_t *setting, char **ret_name);
void read_path(
	struct reader *reader, const config_setting_t *setting, size_t size, char **ret_path);
void read_number(struct reader *reader, const config_setting_t *setting, uint32_t min, uint32_t max,
	uint32_t *ret_number);
/* Of seconds in the file; in the struct, and the limits, they are milliseconds. */
void read_seconds(struct reader *reader, const config_setting_t *setting, uint32_t min_ms,
	uint32_t max_ms, uint32_t *ret_ms);
void read_choice(struct reader *reader, const config_setting_t *setting, const char *const *choices,
	size_t n_choices, size_t *ret_choice);
void read_address(
	struct reader *reader, const config_setting_t *setting, struct address *ret_address);
void read_ports(struct reader *reader, const config_setting_t *setting,
	struct port_range **ret_ranges, size_t *ret_n);

/* Says why no host can be reached at this address from anywhere; NULL if one can. */
const char *address_fault(const struct address *address);
bool address_is_multicast(const struct address *address);
