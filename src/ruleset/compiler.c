/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

const struct protocol compile_protocols[N_PROTOCOLS] = {
	{ CONF_PROTOCOL_TCP, IPPROTO_TCP },
	{ CONF_PROTOCOL_UDP, IPPROTO_UDP },
};

const char *compile_name(struct compiler *c, const char *kind, const char *subset)
{
	return build_text(&c->build, "%s/%s%s%s", kind, c->group->name, subset ? "/" : "",
		subset ? subset : "");
}

const char *compile_subset_name(
	struct compiler *c, const char *kind, const char *subset, bool apart)
{
	return build_text(&c->build, "%s/%s%s%s%s", kind, c->group->name, subset ? "/" : "",
		subset ? subset : "", apart ? "/up" : "");
}

const char *compile_group_origin(struct compiler *c)
{
	if (c->origin_of != c->group)
		c->origin = build_origin(&c->build, "group", c->group->name, &c->group->location);
	c->origin_of = c->group;
	return c->origin;
}

struct ruleset_source compile_mark(void)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_META_MARK },
		.n_fields = 1,
	};
}

static const char *distribution_label(struct compiler *c,
	const struct plan_distribution *distribution, enum conf_protocol protocols)
{
	static const char *const prefixes[] = {
		[CONF_PROTOCOL_TCP] = "tcp-",
		[CONF_PROTOCOL_UDP] = "udp-",
		[CONF_PROTOCOL_ANY] = "",
	};
	struct build *b = &c->build;
	const char *protocol = prefixes[protocols];
	const char *scheduler = conf_scheduler_name(distribution->scheduler);
	const char *rest = distribution->ports->n > 0 ? "" : "-rest";

	if (distribution->persistence > 0)
		return build_text(
			b, "%s%s-%us%s", protocol, scheduler, distribution->persistence, rest);
	return build_text(b, "%s%s%s", protocol, scheduler, rest);
}

const char *compile_distribution_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution)
{
	const struct plan_table *table = &c->group->tables[distribution->table];
	const char *label = distribution_label(c, distribution, distribution->protocols);

	return build_text(&c->build, "%s/%s/%s%s%s%s", kind, c->group->name, label ? label : "",
		table->subset ? "/" : "", table->subset ? table->subset : "",
		table->apart ? "/up" : "");
}

const char *compile_memory_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution)
{
	const char *memory = c->group->tables[distribution->table].memory;
	const char *label = distribution_label(c, distribution, distribution->kind->protocols);

	return build_text(&c->build, "%s/%s/%s%s%s", kind, c->group->name, label ? label : "",
		memory ? "/" : "", memory ? memory : "");
}

const char *compile_distribution_origin(
	struct compiler *c, const struct plan_distribution *distribution)
{
	return build_origin(&c->build, "service", distribution->service, &distribution->location);
}

const struct ruleset_set *compile_find_set(struct compiler *c, const char *name)
{
	return name ? ruleset_find_set(c->build.table, name) : NULL;
}

struct ruleset_source compile_digest(
	struct compiler *c, const enum ruleset_field *fields, size_t n_fields)
{
	struct ruleset_source source = {
		.kind = SOURCE_JHASH,
		.n_fields = n_fields,
		.modulus = UINT32_MAX,
		.seed = c->plan->seed,
	};

	memcpy(source.fields, fields, n_fields * sizeof(*fields));
	return source;
}

struct ruleset_set *compile_memory(struct compiler *c, const char *name, const char *origin,
	uint32_t size, unsigned int seconds)
{
	struct ruleset_set *set = build_set(&c->build, name, origin);

	set->key = KEY_NUMBER;
	set->modulus = UINT32_MAX;
	set->data = DATA_MARK;
	set->dynamic = true;
	set->size = size;
	set->timeout_ms = UINT64_C(1000) * seconds;
	return set;
}

void compile_match_no_bit(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value mask)
{
	struct ruleset_statement *match = build_statement(rule, STATEMENT_MATCH);

	match->field = field;
	match->value = (struct ruleset_value){ .length = mask.length };
	match->mask = mask;
}

void compile_match_any_bit(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value mask)
{
	compile_match_no_bit(rule, field, mask);
	rule->statements[rule->n_statements - 1].negate = true;
}

void compile_match_icmp(struct ruleset_rule *rule, int family)
{
	static const uint8_t icmp = IPPROTO_ICMP, icmp6 = IPPROTO_ICMPV6;

	if (family == AF_INET)
		rule_match(rule, FIELD_IP_PROTOCOL, build_value(&icmp, 1));
	else
		rule_match(rule, FIELD_META_L4PROTO, build_value(&icmp6, 1));
}

struct ruleset_value compile_interface_name(struct compiler *c)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, c->plan->interface, strnlen(c->plan->interface, sizeof(padded) - 1));
	return build_value(padded, sizeof(padded));
}

void compile_accept(struct ruleset_rule *rule)
{
	rule_write(rule, FIELD_META_PRIORITY, build_number(COMPILE_SEEN));
	rule_verdict(rule, VERDICT_ACCEPT, NULL);
}

/*
 * Source and destination are one write, since a write costs the same whatever its
 * length. The source must be our own, or the switch would learn the client's MAC on our port.
 */
void compile_turn(struct compiler *c, struct ruleset_rule *rule, const struct plan_member *member)
{
	uint8_t both[12];

	memcpy(both, member->mac.bytes, 6);
	memcpy(both + 6, c->plan->mac.bytes, 6);
	rule_write(rule, FIELD_ETHER_BOTH_RAW, build_value(both, sizeof(both)));
}

void compile_to_interface(
	struct compiler *c, struct ruleset_rule *rule, enum ruleset_statement_kind kind)
{
	struct ruleset_statement *statement = build_statement(rule, kind);

	statement->interface = c->build.ruleset->interface;
	statement->interface_index = c->plan->interface_index;
}

const char *compile_counted(
	const struct compiler *c, struct arena *arena, const char *kind, const char *name)
{
	return arena_format(arena, "%s/%s/%s", kind, c->group->name, name);
}

void compile_count(
	struct compiler *c, struct ruleset_rule *rule, const char *kind, const char *name)
{
	struct build *b = &c->build;

	if (!c->plan->counters)
		return;
	build_statement(rule, STATEMENT_COUNTER);
	rule->counter.of = compile_counted(c, &b->ruleset->arena, kind, name);
	if (!rule->counter.of)
		b->failed = true;
}

bool compile_has_family(const struct plan_group *group, int family)
{
	for (size_t i = 0; i < group->n_vips; i++)
		if (group->vips[i].prefix.address.family == family)
			return true;
	return false;
}

bool compile_plan_has_family(const struct plan *plan, int family)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		if (plan->groups[i].forwards && compile_has_family(&plan->groups[i], family))
			return true;
	return false;
}

static int compare_elements(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_ADDRESS, &x->key, &y->key);
}

void compile_add_addresses(struct compiler *c, struct ruleset_set *set, const struct prefix *prefix)
{
	struct build *b = &c->build;

	for (size_t i = 0; i < prefix_count(prefix); i++) {
		struct address address = prefix_address_at(prefix, i);
		char text[ADDRESS_TEXT_MAX];
		struct ruleset_element *element;

		element = build_element(b, set,
			set->key == KEY_ADDRESS || set->key == KEY_ADDRESS6
				? NULL
				: build_copy(b, address_format(&address, text)));
		element->key = build_value(address.bytes, address_size(address.family));
	}
}

void compile_finish_addresses(struct ruleset_set *set)
{
	set->size = build_size(set->n_elements);
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_elements);
}
