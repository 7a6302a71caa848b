/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the kernel what it has: one dump for each kind of object, and all of one moment. */
#include "internal.h"

#include "drover/message.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

enum { READ_ATTEMPTS = 20 };

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

/* --- requests ------------------------------------------------------------------- */

static struct nlmsghdr *begin_request(
	const struct ruleset_table *table, char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *generic;

	header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	generic->nfgen_family = (uint8_t)message_family(table->family);
	generic->version = NFNETLINK_V0;
	/* Attribute 1 is the table in requests about any kind of object. */
	mnl_attr_put_strz(header, NFTA_TABLE_NAME, table->name);
	return header;
}

static int dump(struct nft *nft, struct objects *objects, uint16_t type, mnl_cb_t take)
{
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(objects->table, buffer, type, NLM_F_DUMP);
	int r = nft_request(nft, header, take, objects);

	return r < 0 ? r : objects->error;
}

static int dump_elements(struct nft *nft, const struct ruleset_table *table, const char *set,
	mnl_cb_t take, void *user_data)
{
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(table, buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
	return nft_request(nft, header, take, user_data);
}

static int read_elements(struct nft *nft, struct objects *objects, struct ruleset_set *set)
{
	int r;

	objects->set = set;
	r = dump_elements(nft, objects->table, set->name, objects_take_elements, objects);
	if (r == -ENOENT)
		return -EINTR; /* the set went since it was listed */
	if (r < 0)
		return r;
	if (set->interval && objects->error == 0)
		objects_join_intervals(set);
	return objects->error;
}

int nft_read_expiry(struct nft *nft, enum ruleset_family family, const char *set, uint64_t *ret_ms)
{
	const struct ruleset_table table = { .family = family, .name = RULESET_TABLE_NAME };
	uint64_t latest = 0;
	int r = dump_elements(nft, &table, set, objects_take_expiries, &latest);

	if (r == 0)
		*ret_ms = latest;
	return r;
}

/* --- tables --------------------------------------------------------------------------- */

/* Returns 1 if the table exists, 0 if not or if it belongs to somebody else, or -errno. */
static int table_exists(struct nft *nft, const struct ruleset_table *table)
{
	uint32_t self = mnl_socket_get_portid(nft->requests), owner = self;
	char buffer[MNL_NLMSG_HDRLEN + 512];
	struct nlmsghdr *header = begin_request(table, buffer, NFT_MSG_GETTABLE, NLM_F_ACK);
	int r = nft_request(nft, header, objects_take_owner, &owner);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : owner == self;
}

static int read_table(struct nft *nft, enum ruleset_family family, const char *name,
	struct ruleset *ruleset, enum extent extent)
{
	struct ruleset_table *table = &ruleset->tables[ruleset->n_tables];
	struct objects objects = { .arena = &ruleset->arena, .table = table };
	int r;

	*table = (struct ruleset_table){ .family = family, .name = name };
	r = table_exists(nft, table);
	if (r <= 0)
		return r;
	ruleset->n_tables++;
	r = dump(nft, &objects, NFT_MSG_GETCHAIN, objects_take_chain);
	if (r == 0)
		r = dump(nft, &objects, NFT_MSG_GETRULE, objects_take_rule);
	if (r == 0)
		r = dump(nft, &objects, NFT_MSG_GETSET, objects_take_set);
	for (size_t i = 0; r == 0 && i < table->n_sets; i++)
		if (is_of_interest(&table->sets[i], extent))
			r = read_elements(nft, &objects, &table->sets[i]);
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
