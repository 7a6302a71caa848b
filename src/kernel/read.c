/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/array.h"
#include "drover/message.h"
#include "internal.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

enum { READ_ATTEMPTS = 20 };

DEFINE_CLEANUP(struct nftnl_table, nftnl_table_free)
DEFINE_CLEANUP(struct nftnl_chain, nftnl_chain_free)
DEFINE_CLEANUP(struct nftnl_rule, nftnl_rule_free)
DEFINE_CLEANUP(struct nftnl_set, nftnl_set_free)

enum extent {
	EVERYTHING,
	WHAT_COUNTS,
	WHAT_IS_REMEMBERED,
};

/* What packets have put into a set, or time takes away, interests only whoever asks for it. */
static bool is_of_interest(const struct ruleset_set *set, enum extent extent)
{
	switch (extent) {
	case EVERYTHING:
		return !set->dynamic && !set->timed;
	case WHAT_COUNTS:
		return set->counter;
	case WHAT_IS_REMEMBERED:
		return set->dynamic;
	}
	return false;
}

/* One table being read back. */
struct reader {
	struct nft *nft;
	struct ruleset_table *table;
	struct ruleset_set *set; /* whose elements come in */
	int error;
};

/* Keeps the first error; the rest of the dump is still read, or it would be in the next one's way.
 */
static int latch(struct reader *reader, int error)
{
	if (reader->error == 0)
		reader->error = error;
	return MNL_CB_OK;
}

static bool is_of_table(const struct reader *reader, const char *table)
{
	return table && strcmp(table, reader->table->name) == 0;
}

/* --- requests ------------------------------------------------------------------- */

static struct nlmsghdr *begin_request(
	const struct reader *reader, char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *generic;

	header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	generic->nfgen_family = (uint8_t)message_family(reader->table->family);
	generic->version = NFNETLINK_V0;
	/* Attribute 1 is the table in requests about any kind of object. */
	mnl_attr_put_strz(header, NFTA_TABLE_NAME, reader->table->name);
	return header;
}

static int dump(struct reader *reader, uint16_t type, mnl_cb_t callback)
{
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(reader, buffer, type, NLM_F_DUMP);
	int r = nft_request(reader->nft, header, callback, reader);

	return r < 0 ? r : reader->error;
}

/* --- chains ---------------------------------------------------------------------- */

static int take_chain(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_chain_free_p) struct nftnl_chain *parsed = nftnl_chain_alloc();
	struct reader *reader = data;
	struct ruleset_table *table = reader->table;
	struct ruleset_chain *chains, *chain;

	if (!parsed || nftnl_chain_nlmsg_parse(header, parsed) < 0)
		return latch(reader, -EBADMSG);
	if (!is_of_table(reader, nftnl_chain_get_str(parsed, NFTNL_CHAIN_TABLE)) ||
		!nftnl_chain_is_set(parsed, NFTNL_CHAIN_NAME))
		return MNL_CB_OK;
	chains = array_grow(table->chains, table->n_chains, sizeof(*chains));
	if (!chains)
		return latch(reader, -ENOMEM);
	table->chains = chains;
	chain = &chains[table->n_chains++];
	*chain = (struct ruleset_chain){
		.name = strdup(nftnl_chain_get_str(parsed, NFTNL_CHAIN_NAME)),
		.signature = message_sign_chain(parsed),
	};
	return chain->name && chain->signature ? MNL_CB_OK : latch(reader, -ENOMEM);
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

static struct ruleset_chain *find_chain(const struct reader *reader, const char *name)
{
	struct ruleset_table *table = reader->table;

	for (size_t i = 0; name && i < table->n_chains; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return NULL;
}

static int take_rule(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_rule_free_p) struct nftnl_rule *parsed = nftnl_rule_alloc();
	struct reader *reader = data;
	struct ruleset_chain *chain;
	struct ruleset_rule *rules, *rule;

	if (!parsed || nftnl_rule_nlmsg_parse(header, parsed) < 0)
		return latch(reader, -EBADMSG);
	if (!is_of_table(reader, nftnl_rule_get_str(parsed, NFTNL_RULE_TABLE)))
		return MNL_CB_OK;
	chain = find_chain(reader, nftnl_rule_get_str(parsed, NFTNL_RULE_CHAIN));
	if (!chain)
		return latch(reader, -EINTR);
	rules = array_grow(chain->rules, chain->n_rules, sizeof(*rules));
	if (!rules)
		return latch(reader, -ENOMEM);
	chain->rules = rules;
	rule = &rules[chain->n_rules++];
	*rule = (struct ruleset_rule){ .signature = message_sign_rule(parsed) };
	(void)nftnl_expr_foreach(parsed, take_counter, &rule->counter);
	return rule->signature ? MNL_CB_OK : latch(reader, -ENOMEM);
}

/* --- sets -------------------------------------------------------------------------- */

static int note_counter(struct nftnl_expr *expr, void *data)
{
	struct ruleset_set *set = data;

	set->counter |= strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0;
	return 0;
}

static int take_set(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();
	struct reader *reader = data;
	struct ruleset_table *table = reader->table;
	struct ruleset_set *sets, *set;
	uint32_t flags;

	if (!parsed || nftnl_set_nlmsg_parse(header, parsed) < 0)
		return latch(reader, -EBADMSG);
	flags = nftnl_set_get_u32(parsed, NFTNL_SET_FLAGS);
	if (!is_of_table(reader, nftnl_set_get_str(parsed, NFTNL_SET_TABLE)) ||
		(flags & NFT_SET_ANONYMOUS))
		return MNL_CB_OK;
	sets = array_grow(table->sets, table->n_sets, sizeof(*sets));
	if (!sets)
		return latch(reader, -ENOMEM);
	table->sets = sets;
	set = &sets[table->n_sets++];
	*set = (struct ruleset_set){
		.name = strdup(nftnl_set_get_str(parsed, NFTNL_SET_NAME)),
		.signature = message_sign_set(parsed),
		.interval = flags & NFT_SET_INTERVAL,
		.dynamic = flags & NFT_SET_EVAL,
		.timed = (flags & NFT_SET_TIMEOUT) && !(flags & NFT_SET_EVAL),
	};
	(void)nftnl_set_expr_foreach(parsed, note_counter, set);
	return set->name && set->signature ? MNL_CB_OK : latch(reader, -ENOMEM);
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
	struct reader *reader, struct ruleset_element *element, struct nftnl_set_elem *parsed)
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
		chain = find_chain(reader, nftnl_set_elem_get_str(parsed, NFTNL_SET_ELEM_CHAIN));
		if (!chain)
			return -EINTR;
		element->verdict.chain = chain->name;
	} else if (mark && length == sizeof(element->mark)) {
		memcpy(&element->mark, mark, sizeof(element->mark));
	}
	return 0;
}

static int find_comment(const struct nftnl_udata *attribute, void *data)
{
	const char **comment = data;
	uint8_t length = nftnl_udata_len(attribute);
	const char *text = nftnl_udata_get(attribute);

	if (nftnl_udata_type(attribute) == NFTNL_UDATA_SET_ELEM_COMMENT && length > 0 &&
		text[length - 1] == '\0')
		*comment = text;
	return 0;
}

static int take_comment(struct ruleset_element *element, struct nftnl_set_elem *parsed)
{
	uint32_t length = 0;
	const void *data = nftnl_set_elem_get(parsed, NFTNL_SET_ELEM_USERDATA, &length);
	const char *comment = NULL;

	if (!data || nftnl_udata_parse(data, length, find_comment, &comment) < 0 || !comment)
		return 0;
	element->comment = strdup(comment);
	return element->comment ? 0 : -ENOMEM;
}

/* An interval's end is kept as an element without data until join_intervals(). */
static int take_element(struct nftnl_set_elem *parsed, void *data)
{
	struct reader *reader = data;
	struct ruleset_set *set = reader->set;
	struct ruleset_element *elements, *element;
	int r;

	elements = array_grow(set->elements, set->n_elements, sizeof(*elements));
	if (!elements)
		return latch(reader, -ENOMEM);
	set->elements = elements;
	element = &elements[set->n_elements];
	*element = (struct ruleset_element){ .mark = 0 };
	r = take_key(&element->key, parsed);
	if (r == 0 && nftnl_set_elem_is_set(parsed, NFTNL_SET_ELEM_FLAGS) &&
		(nftnl_set_elem_get_u32(parsed, NFTNL_SET_ELEM_FLAGS) &
			NFT_SET_ELEM_INTERVAL_END)) {
		element->last.length = UINT8_MAX;
		set->n_elements++;
		return 0;
	}
	if (r == 0)
		r = take_data(reader, element, parsed);
	if (r == 0)
		r = take_comment(element, parsed);
	if (set->counter)
		(void)nftnl_set_elem_expr_foreach(parsed, take_counter, &element->counter);
	if (r < 0)
		return latch(reader, r);
	set->n_elements++;
	return 0;
}

static int take_elements(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();
	struct reader *reader = data;

	if (!parsed || nftnl_set_elems_nlmsg_parse(header, parsed) < 0)
		return latch(reader, -EBADMSG);
	(void)nftnl_set_elem_foreach(parsed, take_element, reader);
	return MNL_CB_OK;
}

static bool is_end(const struct ruleset_element *element)
{
	return element->last.length == UINT8_MAX;
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

/* Makes ranges of the starts and ends that the kernel keeps; message.c took them apart. */
static void join_intervals(struct ruleset_set *set)
{
	size_t n = 0;

	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_ends);
	for (size_t i = 0; i < set->n_elements; i++) {
		struct ruleset_element *element = &set->elements[i];

		if (is_end(element)) {
			if (n > 0)
				set->elements[n - 1].last = key_before(&element->key);
			continue;
		}
		element->last.length = element->key.length;
		memset(element->last.bytes, 0xff, element->key.length);
		set->elements[n++] = *element;
	}
	set->n_elements = n;
}

static int dump_elements(struct reader *reader, const char *set, mnl_cb_t callback, void *user_data)
{
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(reader, buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
	return nft_request(reader->nft, header, callback, user_data);
}

static int read_elements(struct reader *reader, struct ruleset_set *set)
{
	int r;

	reader->set = set;
	r = dump_elements(reader, set->name, take_elements, reader);
	if (r == -ENOENT)
		return -EINTR; /* the set went since it was listed */
	if (r < 0)
		return r;
	if (set->interval && reader->error == 0)
		join_intervals(set);
	return reader->error;
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

static int take_expiries(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_set_free_p) struct nftnl_set *parsed = nftnl_set_alloc();

	if (parsed && nftnl_set_elems_nlmsg_parse(header, parsed) == 0)
		(void)nftnl_set_elem_foreach(parsed, take_expiry, data);
	return MNL_CB_OK;
}

int nft_read_expiry(struct nft *nft, enum ruleset_family family, const char *set, uint64_t *ret_ms)
{
	struct ruleset_table table = { .family = family, .name = RULESET_TABLE_NAME };
	struct reader reader = { .nft = nft, .table = &table };
	uint64_t latest = 0;
	int r = dump_elements(&reader, set, take_expiries, &latest);

	if (r == 0)
		*ret_ms = latest;
	return r;
}

/* --- tables --------------------------------------------------------------------------- */

/* A table that belongs to somebody else's socket is none of ours, whatever its name. */
static int take_owner(const struct nlmsghdr *header, void *data)
{
	_cleanup_(nftnl_table_free_p) struct nftnl_table *parsed = nftnl_table_alloc();
	uint32_t *owner = data;

	if (parsed && nftnl_table_nlmsg_parse(header, parsed) == 0 &&
		nftnl_table_is_set(parsed, NFTNL_TABLE_OWNER))
		*owner = nftnl_table_get_u32(parsed, NFTNL_TABLE_OWNER);
	return MNL_CB_OK;
}

/* Returns 1 if the table exists, 0 if not, or -errno. */
static int table_exists(struct reader *reader)
{
	uint32_t self = mnl_socket_get_portid(reader->nft->requests), owner = self;
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(reader, buffer, NFT_MSG_GETTABLE, NLM_F_ACK);
	int r = nft_request(reader->nft, header, take_owner, &owner);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : owner == self;
}

static int read_table(struct nft *nft, enum ruleset_family family, const char *name,
	struct ruleset *ruleset, enum extent extent)
{
	struct ruleset_table *table = &ruleset->tables[ruleset->n_tables];
	struct reader reader = { .nft = nft, .table = table };
	int r;

	*table = (struct ruleset_table){ .family = family, .name = name };
	r = table_exists(&reader);
	if (r <= 0)
		return r;
	ruleset->n_tables++;
	r = dump(&reader, NFT_MSG_GETCHAIN, take_chain);
	if (r == 0)
		r = dump(&reader, NFT_MSG_GETRULE, take_rule);
	if (r == 0)
		r = dump(&reader, NFT_MSG_GETSET, take_set);
	for (size_t i = 0; r == 0 && i < table->n_sets; i++)
		if (is_of_interest(&table->sets[i], extent))
			r = read_elements(&reader, &table->sets[i]);
	return r;
}

/*
 * Each dump is of one moment; the generation tells whether all of them are of the same. It is no
 * matter of course whether the kernel counts a commit before it becomes visible or (6.18) later:
 * so one that is under way must be over after the first look at the generation and before the
 * second.
 */
static int read_tables(struct nft *nft, struct ruleset *ruleset, enum extent extent)
{
	static const struct {
		enum ruleset_family family;
		const char *name;
		bool counts;
	} tables[] = {
		{ RULESET_NETDEV, RULESET_TABLE_NAME, true },
		{ RULESET_INET, RULESET_TABLE_NAME, true },
		{ RULESET_INET, RULESET_SHIELD_NAME, true },
		{ RULESET_ARP, RULESET_TABLE_NAME, false },
		{ RULESET_IP6, RULESET_TABLE_NAME, false },
	};
	uint32_t before, after = 0;
	int r;

	r = nft_read_generation(nft, &before);
	if (r == 0)
		r = nft_settle(nft);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tables); i++)
		if (tables[i].counts || extent == EVERYTHING)
			r = read_table(nft, tables[i].family, tables[i].name, ruleset, extent);
	if (r == 0)
		r = nft_settle(nft);
	if (r == 0)
		r = nft_read_generation(nft, &after);
	if (r < 0)
		return r;
	return before == after ? 0 : -EINTR;
}

static int read_undisturbed(struct nft *nft, struct ruleset **ret_ruleset, enum extent extent)
{
	int r = -EINTR;

	for (int attempt = 0; r == -EINTR && attempt < READ_ATTEMPTS; attempt++) {
		_cleanup_(ruleset_free_p) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));

		if (!ruleset)
			return -ENOMEM;
		r = read_tables(nft, ruleset, extent);
		if (r == 0)
			*ret_ruleset = take_ptr(ruleset);
	}
	return r;
}

int nft_read(struct nft *nft, struct ruleset **ret_ruleset)
{
	return read_undisturbed(nft, ret_ruleset, EVERYTHING);
}

int nft_read_counters(struct nft *nft, struct ruleset **ret_ruleset)
{
	return read_undisturbed(nft, ret_ruleset, WHAT_COUNTS);
}

int nft_read_memories(struct nft *nft, struct ruleset **ret_ruleset)
{
	return read_undisturbed(nft, ret_ruleset, WHAT_IS_REMEMBERED);
}
