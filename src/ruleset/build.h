/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Puts a ruleset together. Lack of memory is latched: the functions then
 * return a scratch object, so that a caller may write a table down without a test at each
 * line, and look at failed once at the end.
 *
 * A returned pointer is good until the next object of its kind is made in the same
 * place; names stay.
 */

#include "drover/ruleset.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

struct build {
	struct ruleset *ruleset;
	struct ruleset_table *table; /* sets and chains go here */
	bool failed;
	struct ruleset_set scratch_set;
	struct ruleset_element scratch_element;
	struct ruleset_extra scratch_extra;
	struct ruleset_chain scratch_chain;
	struct ruleset_rule scratch_rule;
	struct ruleset_statement scratch_statements[RULESET_STATEMENTS_MAX];
};

/* A string of the ruleset's; NULL (and failed) without memory. */
const char *build_copy(struct build *b, const char *text);
const char *build_text(struct build *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The origin of an object: "service smtp (drover.conf:12)". */
const char *build_origin(
	struct build *b, const char *kind, const char *name, const struct conf_location *location);

void build_table(struct build *b, enum ruleset_family family, const char *comment);

/* Strings are the ruleset's, or literals; comment may be NULL. */
struct ruleset_set *build_set(struct build *b, const char *name, const char *origin);
struct ruleset_chain *build_chain(struct build *b, const char *name, const char *origin);
struct ruleset_rule *build_rule(
	struct build *b, struct ruleset_chain *chain, const char *comment, const char *origin);

struct ruleset_element *build_element(
	struct build *b, struct ruleset_set *set, const char *comment);

/* What the element has besides, made at the first call. */
struct ruleset_extra *build_extra(struct build *b, struct ruleset_element *element);

/*
 * Room for n elements of a set that has none yet, all zero, for the caller to fill from the
 * front, in the order of their keys, and to count in set->n_elements; NULL (and failed) without
 * memory.
 */
struct ruleset_element *build_elements(struct build *b, struct ruleset_set *set, size_t n);

/* A set's size cannot be changed later, so it leaves room: a power of two, at least n. */
uint32_t build_size(size_t n);

struct ruleset_statement *build_statement(
	struct ruleset_rule *rule, enum ruleset_statement_kind kind);

/* Statements of a rule, in its order. Names of sets and chains are borrowed. */
void rule_match(struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value);
void rule_match_set(struct ruleset_rule *rule, enum ruleset_field field, const char *set);
void rule_verdict(struct ruleset_rule *rule, enum ruleset_verdict_kind kind, const char *chain);
void rule_write(struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value);

/*
 * Looks a source up in a set or map: STATEMENT_MATCH_SET, STATEMENT_VMAP, STATEMENT_MARK or
 * STATEMENT_REMEMBER.
 */
void rule_look_up(struct ruleset_rule *rule, enum ruleset_statement_kind kind,
	struct ruleset_source source, const char *set);

/* In place: of those that bucket tables and port sets have there are many. */
static inline struct ruleset_value build_value(const void *bytes, size_t length)
{
	struct ruleset_value value = { .length = (uint8_t)length };

	assert(length <= sizeof(value.bytes));
	memcpy(value.bytes, bytes, length);
	return value;
}

/* As registers have it: in host order. */
static inline struct ruleset_value build_number(uint32_t number)
{
	return build_value(&number, sizeof(number));
}

/* As packets have it: in network order. */
static inline struct ruleset_value build_port(uint16_t port)
{
	uint16_t wire = htons(port);

	return build_value(&wire, sizeof(wire));
}
