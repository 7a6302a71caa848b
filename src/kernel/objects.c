/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's messages say of a table. Others may have written there, so that a message may
 * be any that the kernel lets pass, and more than drover would ever say.
 */
#include "internal.h"

#include "drover/array.h"
#include "drover/message.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

DEFINE_CLEANUP(struct nftnl_table, nftnl_table_free)
DEFINE_CLEANUP(struct nftnl_chain, nftnl_chain_free)
DEFINE_CLEANUP(struct nftnl_rule, nftnl_rule_free)
DEFINE_CLEANUP(struct nftnl_set, nftnl_set_free)

static int latch(struct objects *objects, int error)
{
	if (objects->error == 0)
		objects->error = error;
	return MNL_CB_OK;
}

static bool is_of_table(const struct objects *objects, const char *table)
{
	return table && strcmp(table, objects->table->name) == 0;
}

/* --- chains ---------------------------------------------------------------------- */

static struct ruleset_chain *find_chain(const struct objects *objects, const char *name)
{
	struct ruleset_table *table = objects->table;

	for (size_t i = 0; name && i < table->n_chains; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return NULL;
}

/* What comes twice has been changed while it was listed. */
int objects_take_chain(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_chain_free_p) struct nftnl_chain *parsed = nftnl_chain_alloc();
	struct objects *objects = data;
	struct ruleset_table *table = objects->table;
	struct ruleset_chain *chains, *chain;

	if (objects->error < 0)
		return MNL_CB_OK;
	if (!parsed || nftnl_chain_nlmsg_parse(header, parsed) < 0)
		return latch(objects, -EBADMSG);
	if (!is_of_table(objects, nftnl_chain_get_str(parsed, NFTNL_CHAIN_TABLE)) ||
		!nftnl_chain_is_set(parsed, NFTNL_CHAIN_NAME))
		return MNL_CB_OK;
	if (find_chain(objects, nftnl_chain_get_str(parsed, NFTNL_CHAIN_NAME)))
		return latch(objects, -EINTR);
	chains = array_grow(table->chains, table->n_chains, sizeof(*chains));
	if (!chains)
		return latch(objects, -ENOMEM);
	table->chains = chains;
	chain = &chains[table->n_chains++];
	*chain = (struct ruleset_chain){
		.name = arena_copy(objects->arena, nftnl_chain_get_str(parsed, NFTNL_CHAIN_NAME)),
		.signature = message_sign_chain(parsed, objects->arena),
	};
	return chain->name && chain->signature ? MNL_CB_OK : latch(objects, -ENOMEM);
}

/* --- rules ------------------------------------------------------------------------ */

static int take_counter(struct nftnl_expr *expr, void *data)
{
	struct ruleset_counter *counter = data;

	if (nftnl_expr_is_set(expr, NFTNL_EXPR_CTR_PACKETS) &&
		strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0) {
		counter->packets = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
		counter->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
	}
	return 0;
}

int objects_take_rule(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_rule_free_p) struct nftnl_rule *parsed = nftnl_rule_alloc();
	struct objects *objects = data;
	struct ruleset_chain *chain;
	struct ruleset_rule *rules, *rule;

	if (objects->error < 0)
		return MNL_CB_OK;
	if (!parsed || nftnl_rule_nlmsg_parse(header, parsed) < 0)
		return latch(objects, -EBADMSG);
	if (!is_of_table(objects, nftnl_rule_get_str(parsed, NFTNL_RULE_TABLE)))
		return MNL_CB_OK;
	chain = find_chain(objects, nftnl_rule_get_str(parsed, NFTNL_RULE_CHAIN));
	if (!chain)
		return latch(objects, -EINTR);
	rules = array_grow(chain->rules, chain->n_rules, sizeof(*rules));
	if (!rules)
		return latch(objects, -ENOMEM);
	chain->rules = rules;
	rule = &rules[chain->n_rules++];
	*rule = (struct ruleset_rule){ .signature = message_sign_rule(parsed, objects->arena) };
	(void)nftnl_expr_foreach(parsed, take_counter, &rule->counter);
	return rule->signature ? MNL_CB_OK : latch(objects, -ENOMEM);
}

/* --- sets -------------------------------------------------------------------------- */

static int note_counter(struct nftnl_expr *expr, void *data)
{
	struct ruleset_set *set = data;

	set->counter |= strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0;
	return 0;
}

int objects_take_set(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();
	struct objects *objects = data;
	struct ruleset_table *table = objects->table;
	struct ruleset_set *sets, *set;
	uint32_t flags;

	if (objects->error < 0)
		return MNL_CB_OK;
	if (!parsed || nftnl_set_nlmsg_parse(header, parsed) < 0)
		return latch(objects, -EBADMSG);
	flags = nftnl_set_get_u32(parsed, NFTNL_SET_FLAGS);
	if (!is_of_table(objects, nftnl_set_get_str(parsed, NFTNL_SET_TABLE)) ||
		!nftnl_set_is_set(parsed, NFTNL_SET_NAME) || (flags & NFT_SET_ANONYMOUS))
		return MNL_CB_OK;
	if (ruleset_find_set(table, nftnl_set_get_str(parsed, NFTNL_SET_NAME)))
		return latch(objects, -EINTR);
	sets = array_grow(table->sets, table->n_sets, sizeof(*sets));
	if (!sets)
		return latch(objects, -ENOMEM);
	table->sets = sets;
	set = &sets[table->n_sets++];
	*set = (struct ruleset_set){
		.name = arena_copy(objects->arena, nftnl_set_get_str(parsed, NFTNL_SET_NAME)),
		.signature = message_sign_set(parsed, objects->arena),
		.interval = flags & NFT_SET_INTERVAL,
		.dynamic = flags & NFT_SET_EVAL,
		.timed = (flags & NFT_SET_TIMEOUT) && !(flags & NFT_SET_EVAL),
	};
	(void)nftnl_set_expr_foreach(parsed, note_counter, set);
	return set->name && set->signature ? MNL_CB_OK : latch(objects, -ENOMEM);
}

/* --- elements ------------------------------------------------------------------------ */

static int take_key(struct ruleset_value *value, const struct nftnl_set_elem *parsed)
{
	uint32_t length = 0;
	const void *key = nftnl_set_elem_get(
		(struct nftnl_set_elem *)(uintptr_t)parsed, NFTNL_SET_ELEM_KEY, &length);

	if (!key || length == 0 || length > sizeof(value->bytes))
		return -EBADMSG;
	memcpy(value->bytes, key, length);
	value->length = (uint8_t)length;
	return 0;
}

static int take_data(
	struct objects *objects, struct ruleset_element *element, struct nftnl_set_elem *parsed)
{
	uint32_t length = 0;
	const void *mark = nftnl_set_elem_get(parsed, NFTNL_SET_ELEM_DATA, &length);
	const struct ruleset_chain *chain;

	if (nftnl_set_elem_is_set(parsed, NFTNL_SET_ELEM_VERDICT)) {
		uint32_t code = nftnl_set_elem_get_u32(parsed, NFTNL_SET_ELEM_VERDICT);

		element->verdict.kind = code == (uint32_t)NFT_GOTO ? VERDICT_GOTO
					: code == NF_DROP          ? VERDICT_DROP
								   : VERDICT_ACCEPT;
		if (!nftnl_set_elem_is_set(parsed, NFTNL_SET_ELEM_CHAIN))
			return 0;
		chain = find_chain(objects, nftnl_set_elem_get_str(parsed, NFTNL_SET_ELEM_CHAIN));
		if (!chain)
			return -EINTR;
		element->verdict.chain = chain->name;
	} else if (mark && length == sizeof(element->mark)) {
		memcpy(&element->mark, mark, sizeof(element->mark));
	}
	return 0;
}

/*
 * Type, length, and a text with its NUL. nftnl_udata_parse() would believe any length, and to the
 * kernel these are mere bytes, whoever wrote them.
 */
static const char *find_comment(const uint8_t *data, uint32_t size)
{
	enum { HEADER = 2 };
	const char *comment = NULL;

	while (size >= HEADER && size - HEADER >= data[1]) {
		uint32_t length = data[1];

		if (data[0] == NFTNL_UDATA_SET_ELEM_COMMENT && length > 0 &&
			data[HEADER + length - 1] == '\0')
			comment = (const char *)data + HEADER;
		data += HEADER + length;
		size -= HEADER + length;
	}
	return comment;
}

static struct ruleset_extra *add_extra(struct objects *objects, struct ruleset_element *element)
{
	if (!element->extra)
		element->extra = arena_alloc(objects->arena, sizeof(*element->extra));
	return element->extra;
}

static int take_comment(
	struct objects *objects, struct ruleset_element *element, struct nftnl_set_elem *parsed)
{
	uint32_t length = 0;
	const void *data = nftnl_set_elem_get(parsed, NFTNL_SET_ELEM_USERDATA, &length);
	const char *comment = data ? find_comment(data, length) : NULL;

	if (!comment)
		return 0;
	if (!add_extra(objects, element))
		return -ENOMEM;
	element->extra->comment = arena_copy(objects->arena, comment);
	return element->extra->comment ? 0 : -ENOMEM;
}

static bool ends_interval(struct nftnl_set_elem *parsed)
{
	return nftnl_set_elem_is_set(parsed, NFTNL_SET_ELEM_FLAGS) &&
	       (nftnl_set_elem_get_u32(parsed, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END);
}

/* An interval's end is kept as an element without data until objects_join_intervals(). */
static int take_element(struct nftnl_set_elem *parsed, void *data)
{
	struct objects *objects = data;
	struct ruleset_set *set = objects->set;
	struct ruleset_element *elements, *element;
	int r;

	elements = array_grow(set->elements, set->n_elements, sizeof(*elements));
	if (!elements)
		return latch(objects, -ENOMEM);
	set->elements = elements;
	element = &elements[set->n_elements];
	*element = (struct ruleset_element){ .mark = 0 };
	set->n_elements++;
	if ((set->interval || set->counter) && !add_extra(objects, element))
		return latch(objects, -ENOMEM);
	r = take_key(&element->key, parsed);
	if (r == 0 && set->interval && ends_interval(parsed)) {
		element->extra->last.length = UINT8_MAX;
		return 0;
	}
	if (r == 0)
		r = take_data(objects, element, parsed);
	if (r == 0)
		r = take_comment(objects, element, parsed);
	if (set->counter)
		(void)nftnl_set_elem_expr_foreach(parsed, take_counter, &element->extra->counter);
	return r < 0 ? latch(objects, r) : 0;
}

int objects_take_elements(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();
	struct objects *objects = data;

	if (objects->error < 0)
		return MNL_CB_OK;
	if (!parsed || nftnl_set_elems_nlmsg_parse(header, parsed) < 0)
		return latch(objects, -EBADMSG);
	(void)nftnl_set_elem_foreach(parsed, take_element, objects);
	return MNL_CB_OK;
}

static bool is_end(const struct ruleset_element *element)
{
	return element->extra->last.length == UINT8_MAX;
}

/* Where an end and a start have the same key, the end belongs to the range before. */
static int compare_ends(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;
	int order = ruleset_compare_keys(KEY_PORT, &x->key, &y->key);

	return order != 0 ? order : is_end(y) - is_end(x);
}

static struct ruleset_value key_before(const struct ruleset_value *key)
{
	struct ruleset_value before = *key;

	for (size_t i = before.length; i > 0; i--)
		if (before.bytes[i - 1]-- != 0)
			break;
	return before;
}

void objects_join_intervals(struct ruleset_set *set)
{
	size_t n = 0;

	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_ends);
	for (size_t i = 0; i < set->n_elements; i++) {
		struct ruleset_element *element = &set->elements[i];

		if (is_end(element)) {
			if (n > 0)
				set->elements[n - 1].extra->last = key_before(&element->key);
			continue;
		}
		element->extra->last.length = element->key.length;
		memset(element->extra->last.bytes, 0xff, element->key.length);
		set->elements[n++] = *element;
	}
	set->n_elements = n;
}

static int take_expiry(struct nftnl_set_elem *parsed, void *data)
{
	uint64_t *latest = data, expiry = 0;

	if (nftnl_set_elem_is_set(parsed, NFTNL_SET_ELEM_EXPIRATION))
		expiry = nftnl_set_elem_get_u64(parsed, NFTNL_SET_ELEM_EXPIRATION);
	if (expiry > *latest)
		*latest = expiry;
	return 0;
}

int objects_take_expiries(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();

	if (parsed && nftnl_set_elems_nlmsg_parse(header, parsed) == 0)
		(void)nftnl_set_elem_foreach(parsed, take_expiry, data);
	return MNL_CB_OK;
}

/* --- tables --------------------------------------------------------------------------- */

int objects_take_owner(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_table_free_p) struct nftnl_table *parsed = nftnl_table_alloc();
	uint32_t *owner = data;

	if (parsed && nftnl_table_nlmsg_parse(header, parsed) == 0 &&
		nftnl_table_is_set(parsed, NFTNL_TABLE_OWNER))
		*owner = nftnl_table_get_u32(parsed, NFTNL_TABLE_OWNER);
	return MNL_CB_OK;
}
