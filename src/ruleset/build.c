/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "build.h"

#include "drover/array.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SET_SIZE_MIN = 64 };

const char *build_copy(struct build *b, const char *text)
{
	const char *copy = arena_copy(&b->ruleset->arena, text);

	if (!copy)
		b->failed = true;
	return copy;
}

const char *build_text(struct build *b, const char *format, ...)
{
	const char *text;
	va_list arguments;

	va_start(arguments, format);
	text = arena_vformat(&b->ruleset->arena, format, arguments);
	va_end(arguments);
	if (!text)
		b->failed = true;
	return text;
}

const char *build_origin(
	struct build *b, const char *kind, const char *name, const struct conf_location *location)
{
	if (!location->file)
		return build_text(b, "%s %s", kind, name);
	return build_text(b, "%s %s (%s:%u)", kind, name, location->file, location->line);
}

void build_table(struct build *b, enum ruleset_family family, const char *comment)
{
	assert(b->ruleset->n_tables < RULESET_TABLES_MAX);
	b->table = &b->ruleset->tables[b->ruleset->n_tables++];
	*b->table = (struct ruleset_table){
		.family = family,
		.name = RULESET_TABLE_NAME,
		.comment = comment,
	};
}

struct ruleset_set *build_set(struct build *b, const char *name, const char *origin)
{
	struct ruleset_table *table = b->table;
	struct ruleset_set *sets = array_grow(table->sets, table->n_sets, sizeof(*sets));

	if (!sets) {
		b->failed = true;
		b->scratch_set = (struct ruleset_set){ .name = NULL };
		return &b->scratch_set;
	}
	table->sets = sets;
	sets[table->n_sets] = (struct ruleset_set){ .name = name, .origin = origin };
	return &sets[table->n_sets++];
}

struct ruleset_chain *build_chain(struct build *b, const char *name, const char *origin)
{
	struct ruleset_table *table = b->table;
	struct ruleset_chain *chains = array_grow(table->chains, table->n_chains, sizeof(*chains));

	if (!chains) {
		b->failed = true;
		b->scratch_chain = (struct ruleset_chain){ .name = NULL };
		return &b->scratch_chain;
	}
	table->chains = chains;
	chains[table->n_chains] = (struct ruleset_chain){ .name = name, .origin = origin };
	return &chains[table->n_chains++];
}

struct ruleset_rule *build_rule(
	struct build *b, struct ruleset_chain *chain, const char *comment, const char *origin)
{
	struct ruleset_statement *statements = arena_alloc(
		&b->ruleset->arena, sizeof(b->scratch_statements));
	struct ruleset_rule *rules = NULL;

	if (statements && chain != &b->scratch_chain)
		rules = array_grow(chain->rules, chain->n_rules, sizeof(*rules));
	if (!rules) {
		b->failed = true;
		memset(b->scratch_statements, 0, sizeof(b->scratch_statements));
		b->scratch_rule = (struct ruleset_rule){ .statements = b->scratch_statements };
		return &b->scratch_rule;
	}
	chain->rules = rules;
	rules[chain->n_rules] = (struct ruleset_rule){
		.statements = statements,
		.comment = comment,
		.origin = origin,
	};
	return &rules[chain->n_rules++];
}

struct ruleset_extra *build_extra(struct build *b, struct ruleset_element *element)
{
	if (!element->extra && element != &b->scratch_element)
		element->extra = arena_alloc(&b->ruleset->arena, sizeof(*element->extra));
	if (element->extra)
		return element->extra;
	b->failed = true;
	b->scratch_extra = (struct ruleset_extra){ .comment = NULL };
	return &b->scratch_extra;
}

struct ruleset_element *build_element(struct build *b, struct ruleset_set *set, const char *comment)
{
	struct ruleset_element *elements = NULL;

	if (set != &b->scratch_set)
		elements = array_grow(set->elements, set->n_elements, sizeof(*elements));
	if (!elements) {
		b->failed = true;
		b->scratch_element = (struct ruleset_element){ .mark = 0 };
		return &b->scratch_element;
	}
	set->elements = elements;
	elements[set->n_elements] = (struct ruleset_element){ .mark = 0 };
	if (comment)
		build_extra(b, &elements[set->n_elements])->comment = comment;
	return &elements[set->n_elements++];
}

struct ruleset_element *build_elements(struct build *b, struct ruleset_set *set, size_t n)
{
	struct ruleset_element *elements = NULL;

	if (set != &b->scratch_set)
		elements = calloc(n, sizeof(*elements));
	if (!elements)
		b->failed = true;
	set->elements = elements;
	set->ordered = true;
	return elements;
}

struct ruleset_statement *build_statement(
	struct ruleset_rule *rule, enum ruleset_statement_kind kind)
{
	struct ruleset_statement *statement;

	assert(rule->n_statements < RULESET_STATEMENTS_MAX);
	statement = &rule->statements[rule->n_statements++];
	*statement = (struct ruleset_statement){ .kind = kind };
	return statement;
}

uint32_t build_size(size_t n)
{
	uint32_t size = SET_SIZE_MIN;

	while (size < n)
		size *= 2;
	return size;
}

void rule_match(struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value)
{
	struct ruleset_statement *statement = build_statement(rule, STATEMENT_MATCH);

	statement->field = field;
	statement->value = value;
}

void rule_match_set(struct ruleset_rule *rule, enum ruleset_field field, const char *set)
{
	const struct ruleset_source source = {
		.kind = SOURCE_FIELDS,
		.fields = { field },
		.n_fields = 1,
	};

	rule_look_up(rule, STATEMENT_MATCH_SET, source, set);
}

void rule_verdict(struct ruleset_rule *rule, enum ruleset_verdict_kind kind, const char *chain)
{
	build_statement(rule, STATEMENT_VERDICT)->verdict = (struct ruleset_verdict){ .kind = kind,
		.chain = chain };
}

void rule_write(struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value)
{
	struct ruleset_statement *statement = build_statement(rule, STATEMENT_WRITE);

	statement->field = field;
	statement->value = value;
}

void rule_look_up(struct ruleset_rule *rule, enum ruleset_statement_kind kind,
	struct ruleset_source source, const char *set)
{
	struct ruleset_statement *statement = build_statement(rule, kind);

	statement->source = source;
	statement->set = set;
}
