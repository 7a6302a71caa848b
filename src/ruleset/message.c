/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/message.h"

#include "key.h"
#include "statement.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <string.h>

enum {
	/* An element with the longest names takes about 300 bytes; a list attribute holds 64 KiB.
	 */
	ELEMENTS_PER_MESSAGE = 200,
};

DEFINE_CLEANUP(struct nftnl_table, nftnl_table_free)
DEFINE_CLEANUP(struct nftnl_chain, nftnl_chain_free)
DEFINE_CLEANUP(struct nftnl_rule, nftnl_rule_free)
DEFINE_CLEANUP(struct nftnl_set, nftnl_set_free)
DEFINE_CLEANUP(struct nftnl_udata_buf, nftnl_udata_buf_free)

uint16_t message_family(enum ruleset_family family)
{
	switch (family) {
	case RULESET_NETDEV:
		return NFPROTO_NETDEV;
	case RULESET_ARP:
		return NFPROTO_ARP;
	case RULESET_IP6:
		return NFPROTO_IPV6;
	case RULESET_INET:
		return NFPROTO_INET;
	}
	return NFPROTO_UNSPEC;
}

/* A comment as nft stores it; the types of all kinds of object are 0. */
static struct nftnl_udata_buf *comment_data(const char *comment)
{
	struct nftnl_udata_buf *buffer = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (buffer)
		nftnl_udata_put_strz(buffer, NFTNL_UDATA_RULE_COMMENT, comment);
	return buffer;
}

/* --- tables ---------------------------------------------------------------- */

static struct nftnl_table *make_table(const struct ruleset_table *table, bool with_comment)
{
	_cleanup_(nftnl_table_free_p) struct nftnl_table *made = nftnl_table_alloc();
	_cleanup_(nftnl_udata_buf_free_p) struct nftnl_udata_buf *comment = NULL;

	if (!made || nftnl_table_set_str(made, NFTNL_TABLE_NAME, table->name) < 0)
		return NULL;
	if (with_comment) {
		nftnl_table_set_u32(made, NFTNL_TABLE_FLAGS, table->owned ? NFT_TABLE_F_OWNER : 0);
		comment = comment_data(table->comment);
		if (!comment ||
			nftnl_table_set_data(made, NFTNL_TABLE_USERDATA,
				nftnl_udata_buf_data(comment), nftnl_udata_buf_len(comment)) < 0)
			return NULL;
	}
	return take_ptr(made);
}

static int put_table(
	struct batch *batch, const struct ruleset_table *table, uint16_t type, uint16_t flags)
{
	bool is_new = type == NFT_MSG_NEWTABLE;
	_cleanup_(nftnl_table_free_p) struct nftnl_table *made = make_table(
		table, is_new && table->comment);
	struct nlmsghdr *header = NULL;
	char what[64];

	snprintf(what, sizeof(what), "table %s", table->name);
	if (made)
		header = batch_begin_message(
			batch, type, message_family(table->family), flags, what);
	if (!header)
		return -ENOMEM;
	nftnl_table_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

int message_add_table(struct batch *batch, const struct ruleset_table *table)
{
	return put_table(batch, table, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

int message_delete_table(struct batch *batch, const struct ruleset_table *table)
{
	return put_table(batch, table, NFT_MSG_DELTABLE, 0);
}

/* --- chains ---------------------------------------------------------------- */

static void set_hook(struct nftnl_chain *made, const struct ruleset_chain *chain)
{
	uint32_t number = 0;
	int32_t priority = 0;

	switch (chain->hook) {
	case HOOK_NONE:
		return;
	case HOOK_INGRESS:
		number = NF_NETDEV_INGRESS;
		nftnl_chain_set_str(made, NFTNL_CHAIN_DEV, chain->interface);
		break;
	case HOOK_ARP_INPUT:
		number = 0; /* NF_ARP_IN */
		break;
	case HOOK_ARP_OUTPUT:
		number = 1; /* NF_ARP_OUT */
		break;
	case HOOK_IP6_INPUT:
		number = NF_INET_LOCAL_IN;
		break;
	case HOOK_INET_INPUT:
		number = NF_INET_LOCAL_IN;
		priority = HOOK_INET_PRIORITY;
		break;
	case HOOK_INET_PREROUTING:
		number = NF_INET_PRE_ROUTING;
		priority = HOOK_INET_PREROUTING_PRIORITY;
		break;
	case HOOK_INET_REROUTE:
		number = NF_INET_LOCAL_OUT;
		priority = HOOK_INET_REROUTE_PRIORITY;
		break;
	}
	nftnl_chain_set_str(
		made, NFTNL_CHAIN_TYPE, chain->hook == HOOK_INET_REROUTE ? "route" : "filter");
	nftnl_chain_set_u32(made, NFTNL_CHAIN_HOOKNUM, number);
	nftnl_chain_set_s32(made, NFTNL_CHAIN_PRIO, priority);
	nftnl_chain_set_u32(made, NFTNL_CHAIN_POLICY, NF_ACCEPT);
}

static struct nftnl_chain *make_chain(
	const struct ruleset_table *table, const struct ruleset_chain *chain)
{
	_cleanup_(nftnl_chain_free_p) struct nftnl_chain *made = nftnl_chain_alloc();

	if (!made || nftnl_chain_set_str(made, NFTNL_CHAIN_TABLE, table->name) < 0 ||
		nftnl_chain_set_str(made, NFTNL_CHAIN_NAME, chain->name) < 0)
		return NULL;
	return take_ptr(made);
}

static int put_chain(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_chain *chain, uint16_t type, uint16_t flags)
{
	_cleanup_(nftnl_chain_free_p) struct nftnl_chain *made = make_chain(table, chain);
	struct nlmsghdr *header = made ? batch_begin_message(batch, type,
						 message_family(table->family), flags,
						 chain->origin)
				       : NULL;

	if (!header)
		return -ENOMEM;
	if (type == NFT_MSG_NEWCHAIN)
		set_hook(made, chain);
	nftnl_chain_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

int message_add_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain)
{
	return put_chain(batch, table, chain, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
}

int message_delete_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain)
{
	return put_chain(batch, table, chain, NFT_MSG_DELCHAIN, 0);
}

/* --- rules ------------------------------------------------------------------ */

static struct nftnl_rule *make_rule(const struct ruleset_table *table,
	const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
	_cleanup_(nftnl_rule_free_p) struct nftnl_rule *made = nftnl_rule_alloc();
	_cleanup_(nftnl_udata_buf_free_p) struct nftnl_udata_buf *comment = NULL;

	if (!made || nftnl_rule_set_str(made, NFTNL_RULE_TABLE, table->name) < 0 ||
		nftnl_rule_set_str(made, NFTNL_RULE_CHAIN, chain->name) < 0)
		return NULL;
	if (rule && statement_add_all(made, rule, table->family) < 0)
		return NULL;
	if (rule && rule->comment) {
		comment = comment_data(rule->comment);
		if (!comment ||
			nftnl_rule_set_data(made, NFTNL_RULE_USERDATA,
				nftnl_udata_buf_data(comment), nftnl_udata_buf_len(comment)) < 0)
			return NULL;
	}
	return take_ptr(made);
}

static int put_rule(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
	_cleanup_(nftnl_rule_free_p) struct nftnl_rule *made = make_rule(table, chain, rule);
	struct nlmsghdr *header = NULL;

	if (made)
		header = batch_begin_message(batch, rule ? NFT_MSG_NEWRULE : NFT_MSG_DELRULE,
			message_family(table->family), rule ? NLM_F_CREATE | NLM_F_APPEND : 0,
			rule ? rule->origin : chain->origin);
	if (!header)
		return -ENOMEM;
	nftnl_rule_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

int message_add_rule(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
	return put_rule(batch, table, chain, rule);
}

int message_flush_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain)
{
	return put_rule(batch, table, chain, NULL);
}

/* --- sets ------------------------------------------------------------------- */

static struct nftnl_set *make_set(const struct ruleset_table *table, const struct ruleset_set *set)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *made = nftnl_set_alloc();

	if (!made || nftnl_set_set_str(made, NFTNL_SET_TABLE, table->name) < 0 ||
		nftnl_set_set_str(made, NFTNL_SET_NAME, set->name) < 0)
		return NULL;
	return take_ptr(made);
}

static struct nftnl_expr *make_counter(uint64_t packets, uint64_t bytes)
{
	struct nftnl_expr *counter = nftnl_expr_alloc("counter");

	if (!counter)
		return NULL;
	nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_PACKETS, packets);
	nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_BYTES, bytes);
	return counter;
}

/* The kernel gives each element that comes without a counter of its own one like this. */
static int add_set_counter(struct nftnl_set *made)
{
	struct nftnl_expr *counter = make_counter(0, 0);

	if (!counter)
		return -ENOMEM;
	nftnl_set_add_expr(made, counter);
	return 0;
}

static int define_set(struct nftnl_set *made, const struct ruleset_set *set)
{
	uint32_t flags = 0;

	if (set->data != DATA_NONE)
		flags |= NFT_SET_MAP;
	if (set->interval)
		flags |= NFT_SET_INTERVAL;
	if (set->dynamic)
		flags |= NFT_SET_EVAL;
	if (set->timed || set->timeout_ms > 0)
		flags |= NFT_SET_TIMEOUT;
	if (set->timeout_ms > 0)
		nftnl_set_set_u64(made, NFTNL_SET_TIMEOUT, set->timeout_ms);
	nftnl_set_set_u32(made, NFTNL_SET_FLAGS, flags);
	if (set->size > 0)
		nftnl_set_set_u32(made, NFTNL_SET_DESC_SIZE, set->size);
	if (set->counter && add_set_counter(made) < 0)
		return -ENOMEM;
	return key_apply(made, set);
}

int message_add_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *made = make_set(table, set);
	struct nlmsghdr *header;

	if (!made || define_set(made, set) < 0)
		return -ENOMEM;
	header = batch_begin_message(
		batch, NFT_MSG_NEWSET, message_family(table->family), NLM_F_CREATE, set->origin);
	if (!header)
		return -ENOMEM;
	/* Any number that is unique within the batch will do: rules refer to sets by name. */
	nftnl_set_set_u32(made, NFTNL_SET_ID, (uint32_t)batch_count(batch));
	nftnl_set_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

int message_delete_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *made = make_set(table, set);
	struct nlmsghdr *header = made ? batch_begin_message(batch, NFT_MSG_DELSET,
						 message_family(table->family), 0, set->origin)
				       : NULL;

	if (!header)
		return -ENOMEM;
	nftnl_set_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

/* --- elements --------------------------------------------------------------- */

static int set_data(struct nftnl_set_elem *made, const struct ruleset_set *set,
	const struct ruleset_element *element)
{
	uint32_t verdict = NF_ACCEPT;

	if (set->data == DATA_NONE)
		return 0;
	if (set->data == DATA_MARK)
		return nftnl_set_elem_set(
			made, NFTNL_SET_ELEM_DATA, &element->mark, sizeof(element->mark));
	switch (element->verdict.kind) {
	case VERDICT_ACCEPT:
		break;
	case VERDICT_DROP:
		verdict = NF_DROP;
		break;
	case VERDICT_GOTO:
	case VERDICT_JUMP:
		verdict = (uint32_t)(element->verdict.kind == VERDICT_GOTO ? NFT_GOTO : NFT_JUMP);
		if (nftnl_set_elem_set_str(made, NFTNL_SET_ELEM_CHAIN, element->verdict.chain) < 0)
			return -ENOMEM;
		break;
	}
	nftnl_set_elem_set_u32(made, NFTNL_SET_ELEM_VERDICT, verdict);
	return 0;
}

static int set_comment(struct nftnl_set_elem *made, const char *comment)
{
	_cleanup_(nftnl_udata_buf_free_p) struct nftnl_udata_buf *data = comment_data(comment);

	if (!data)
		return -ENOMEM;
	return nftnl_set_elem_set(made, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(data),
		nftnl_udata_buf_len(data));
}

static int set_counter(struct nftnl_set_elem *made, const struct ruleset_counter *counter)
{
	struct nftnl_expr *expr;

	if (counter->packets == 0)
		return 0;
	expr = make_counter(counter->packets, counter->bytes);
	if (!expr)
		return -ENOMEM;
	nftnl_set_elem_add_expr(made, expr);
	return 0;
}

static int set_extra(struct nftnl_set_elem *made, const struct ruleset_set *set,
	const struct ruleset_extra *extra)
{
	if (extra->comment && set_comment(made, extra->comment) < 0)
		return -ENOMEM;
	if (set->counter && set_counter(made, &extra->counter) < 0)
		return -ENOMEM;
	if (set->timed)
		nftnl_set_elem_set_u64(made, NFTNL_SET_ELEM_TIMEOUT, extra->timeout_ms);
	return 0;
}

static struct nftnl_set_elem *add_element(struct nftnl_set *made, const struct ruleset_value *key)
{
	struct nftnl_set_elem *element = nftnl_set_elem_alloc();

	if (!element)
		return NULL;
	nftnl_set_elem_add(made, element);
	if (nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key->bytes, key->length) < 0)
		return NULL;
	return element;
}

/* The kernel keeps a range as its first key and, marked so, the first key behind it. */
static int add_range_end(struct nftnl_set *made, const struct ruleset_value *last)
{
	struct ruleset_value behind = *last;
	struct nftnl_set_elem *element;
	size_t i = behind.length;

	while (i > 0 && ++behind.bytes[i - 1] == 0)
		i--;
	if (i == 0)
		return 0; /* it reaches to the end of all keys */
	element = add_element(made, &behind);
	if (!element)
		return -ENOMEM;
	nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	return 0;
}

static int fill_set(struct nftnl_set *made, const struct ruleset_set *set,
	const struct ruleset_element *const *elements, size_t n, bool with_data)
{
	for (size_t i = 0; i < n; i++) {
		struct nftnl_set_elem *element = add_element(made, &elements[i]->key);
		const struct ruleset_extra *extra = elements[i]->extra;

		if (!element)
			return -ENOMEM;
		if (with_data && set_data(element, set, elements[i]) < 0)
			return -ENOMEM;
		if (with_data && extra && set_extra(element, set, extra) < 0)
			return -ENOMEM;
		if (set->interval && add_range_end(made, &extra->last) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int put_elements(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_set *set, const struct ruleset_element *const *elements, size_t n,
	uint16_t type)
{
	bool is_new = type == NFT_MSG_NEWSETELEM;

	for (size_t done = 0; done < n; done += ELEMENTS_PER_MESSAGE) {
		size_t now = n - done < ELEMENTS_PER_MESSAGE ? n - done : ELEMENTS_PER_MESSAGE;
		_cleanup_(nftnl_set_free_p) struct nftnl_set *made = make_set(table, set);
		struct nlmsghdr *header;
		int r;

		if (!made || fill_set(made, set, elements + done, now, is_new) < 0)
			return -ENOMEM;
		header = batch_begin_message(batch, type, message_family(table->family),
			is_new ? NLM_F_CREATE | NLM_F_EXCL : 0, set->origin);
		if (!header)
			return -ENOMEM;
		nftnl_set_elems_nlmsg_build_payload(header, made);
		r = batch_end_message(batch);
		if (r < 0)
			return r;
	}
	return 0;
}

int message_add_elements(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_set *set, const struct ruleset_element *const *elements, size_t n)
{
	return put_elements(batch, table, set, elements, n, NFT_MSG_NEWSETELEM);
}

int message_delete_elements(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_set *set, const struct ruleset_element *const *elements, size_t n)
{
	return put_elements(batch, table, set, elements, n, NFT_MSG_DELSETELEM);
}

int message_flush_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *made = make_set(table, set);
	struct nlmsghdr *header = made ? batch_begin_message(batch, NFT_MSG_DELSETELEM,
						 message_family(table->family), 0, set->origin)
				       : NULL;

	if (!header)
		return -ENOMEM;
	nftnl_set_elems_nlmsg_build_payload(header, made);
	return batch_end_message(batch);
}

/* --- signatures --------------------------------------------------------------- */

/* A signature on its way. Each change signs every rule anew: a stream for each would be too slow.
 */
struct signature {
	struct arena *arena;
	const char *text; /* NULL without memory */
};

static void sign(struct signature *signature, const char *text)
{
	if (signature->text)
		signature->text = arena_append(signature->arena, signature->text, text);
}

/* What nft keeps there, comments and types, is at most NFT_USERDATA_MAXLEN bytes. */
static void sign_userdata(struct signature *signature, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * NFT_USERDATA_MAXLEN + 1], *end = text;

	for (size_t i = 0; i < length && i < NFT_USERDATA_MAXLEN; i++) {
		*end++ = digits[bytes[i] >> 4];
		*end++ = digits[bytes[i] & 15];
	}
	*end = '\0';
	sign(signature, text);
}

const char *message_sign_chain(const struct nftnl_chain *chain, struct arena *arena)
{
	const char *device = nftnl_chain_get_str(chain, NFTNL_CHAIN_DEV);
	const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);

	if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM))
		return "regular";
	return arena_format(arena, "%s hook %u priority %d policy %u device %s", type ? type : "-",
		nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM),
		nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO),
		nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY), device ? device : "-");
}

/* Some values that a rule need not state are stated by the kernel when it is read back. */
static void state_defaults(struct nftnl_expr *expr, const char *name)
{
	if (strcmp(name, "lookup") == 0 && !nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_FLAGS))
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, 0);
	if (strcmp(name, "dynset") == 0 && !nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_TIMEOUT))
		nftnl_expr_set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, 0);
}

/* libnftnl's own text of each expression; a counter's values are no part of what a rule does. */
static int sign_expression(struct nftnl_expr *expr, void *data)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
	struct signature *signature = data;
	char text[512] = "";

	state_defaults(expr, name);
	if (strcmp(name, "counter") != 0 &&
		nftnl_expr_snprintf(text, sizeof(text), expr, NFTNL_OUTPUT_DEFAULT, 0) < 0)
		return -1;
	sign(signature, name);
	sign(signature, " ");
	sign(signature, text);
	sign(signature, "\n");
	return 0;
}

const char *message_sign_rule(struct nftnl_rule *rule, struct arena *arena)
{
	struct signature signature = { arena, arena_copy(arena, "") };
	uint32_t length = 0;
	const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);

	if (nftnl_expr_foreach(rule, sign_expression, &signature) < 0)
		return NULL;
	sign_userdata(&signature, data, data ? length : 0);
	return signature.text;
}

static int sign_set_expression(struct nftnl_expr *expr, void *data)
{
	sign(data, nftnl_expr_get_str(expr, NFTNL_EXPR_NAME));
	sign(data, " ");
	return 0;
}

/* Not the length of the data: the kernel has its own for verdicts, and marks have one. */
const char *message_sign_set(const struct nftnl_set *set, struct arena *arena)
{
	struct signature signature = { .arena = arena };
	uint32_t length = 0;
	const void *data = nftnl_set_get_data(set, NFTNL_SET_USERDATA, &length);

	signature.text = arena_format(arena, "flags %x key %u/%u data %u size %u timeout %llu ",
		nftnl_set_get_u32(set, NFTNL_SET_FLAGS), nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE),
		nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN),
		nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE),
		nftnl_set_get_u32(set, NFTNL_SET_DESC_SIZE),
		(unsigned long long)nftnl_set_get_u64(set, NFTNL_SET_TIMEOUT));
	(void)nftnl_set_expr_foreach(set, sign_set_expression, &signature);
	sign_userdata(&signature, data, data ? length : 0);
	return signature.text;
}

static int sign_chain(
	struct arena *arena, const struct ruleset_table *table, struct ruleset_chain *chain)
{
	_cleanup_(nftnl_chain_free_p) struct nftnl_chain *made = make_chain(table, chain);

	if (!made)
		return -ENOMEM;
	set_hook(made, chain);
	chain->signature = message_sign_chain(made, arena);
	if (!chain->signature)
		return -ENOMEM;
	for (size_t i = 0; i < chain->n_rules; i++) {
		_cleanup_(nftnl_rule_free_p) struct nftnl_rule *rule = make_rule(
			table, chain, &chain->rules[i]);

		if (!rule)
			return -ENOMEM;
		chain->rules[i].signature = message_sign_rule(rule, arena);
		if (!chain->rules[i].signature)
			return -ENOMEM;
	}
	return 0;
}

static int sign_set(struct arena *arena, const struct ruleset_table *table, struct ruleset_set *set)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *made = make_set(table, set);

	if (!made || define_set(made, set) < 0)
		return -ENOMEM;
	set->signature = message_sign_set(made, arena);
	return set->signature ? 0 : -ENOMEM;
}

int message_sign_ruleset(struct ruleset *ruleset)
{
	for (size_t t = 0; t < ruleset->n_tables; t++) {
		struct ruleset_table *table = &ruleset->tables[t];

		for (size_t i = 0; i < table->n_sets; i++)
			if (sign_set(&ruleset->arena, table, &table->sets[i]) < 0)
				return -ENOMEM;
		for (size_t i = 0; i < table->n_chains; i++)
			if (sign_chain(&ruleset->arena, table, &table->chains[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}
