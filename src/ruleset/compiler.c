/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <netinet/in.h>
#include <stdlib.h>

char *compile_name(struct compiler *c, const char *kind, const char *subset)
{
	return build_text(&c->build, "%s/%s%s%s", kind, c->group->name, subset ? "/" : "",
		subset ? subset : "");
}

char *compile_group_origin(struct compiler *c)
{
	return build_origin(&c->build, "group", c->group->name, &c->group->location);
}

struct ruleset_source compile_mark(void)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_META_MARK },
		.n_fields = 1,
	};
}

/* rr and random choose anew for each packet; the choice for a TCP flow must be remembered. */
bool compile_is_learned(const struct plan_distribution *distribution)
{
	return distribution->protocol == IPPROTO_TCP &&
	       (distribution->scheduler == CONF_SCHEDULER_RR ||
		       distribution->scheduler == CONF_SCHEDULER_RANDOM);
}

bool compile_group_learns(const struct plan_group *group)
{
	for (size_t i = 0; i < group->n_distributions; i++)
		if (compile_is_learned(&group->distributions[i]))
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
			set->key == KEY_ADDRESS
				? NULL
				: build_text(b, "%s", address_format(&address, text)));
		element->key = build_value(address.bytes, 4);
	}
}

void compile_finish_addresses(struct ruleset_set *set)
{
	set->size = build_size(set->n_elements);
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_elements);
}
