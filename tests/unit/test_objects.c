/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What messages of the kernel's are taken for that drover itself would never have caused. */
#include "unit.h"

#include "../../src/kernel/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>

/* A ruleset with an empty table, and room for one message. */
struct fixture {
	struct ruleset *ruleset;
	struct objects objects;
	char buffer[1024];
};

static int enter(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ruleset *ruleset = calloc(1, sizeof(*ruleset));

	assert_non_null(f);
	assert_non_null(ruleset);
	ruleset->n_tables = 1;
	ruleset->tables[0] = (struct ruleset_table){
		.family = RULESET_NETDEV,
		.name = RULESET_TABLE_NAME,
	};
	f->ruleset = ruleset;
	f->objects.arena = &ruleset->arena;
	f->objects.table = &ruleset->tables[0];
	*state = f;
	return 0;
}

static int leave(void **state)
{
	struct fixture *f = *state;

	ruleset_free(f->ruleset);
	free(f);
	return 0;
}

#define objects_test(function) cmocka_unit_test_setup_teardown(function, enter, leave)

/* --- messages --------------------------------------------------------------------- */

static struct nlmsghdr *begin_message(struct fixture *f, uint16_t type)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(f->buffer);
	struct nfgenmsg *generic = mnl_nlmsg_put_extra_header(message, sizeof(*generic));

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	generic->nfgen_family = NFPROTO_NETDEV;
	return message;
}

static void take_chain(struct fixture *f, const char *name)
{
	struct nlmsghdr *message = begin_message(f, NFT_MSG_NEWCHAIN);

	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, RULESET_TABLE_NAME);
	if (name)
		mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	assert_int_equal(objects_take_chain(message, &f->objects), MNL_CB_OK);
}

static void take_set(struct fixture *f, const char *name)
{
	struct nlmsghdr *message = begin_message(f, NFT_MSG_NEWSET);

	mnl_attr_put_strz(message, NFTA_SET_TABLE, RULESET_TABLE_NAME);
	if (name)
		mnl_attr_put_strz(message, NFTA_SET_NAME, name);
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(2));
	assert_int_equal(objects_take_set(message, &f->objects), MNL_CB_OK);
}

/* An element of a set with these bytes where nft keeps comments; returns the comment read. */
static const char *take_element(struct fixture *f, const void *bytes, size_t size)
{
	struct nlmsghdr *message = begin_message(f, NFT_MSG_NEWSETELEM);
	struct ruleset_set *set = &f->objects.table->sets[0];
	struct nlattr *elements, *element, *key;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	elements = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put_u16(message, NFTA_DATA_VALUE, htons(25));
	mnl_attr_nest_end(message, key);
	mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, size, bytes);
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, elements);
	f->objects.set = set;
	assert_int_equal(objects_take_elements(message, &f->objects), MNL_CB_OK);
	assert_int_equal(f->objects.error, 0);
	return ruleset_element_comment(&set->elements[set->n_elements - 1]);
}

/* --- tests ------------------------------------------------------------------------ */

static void test_comment(void **state)
{
	static const char plain[] = { NFTNL_UDATA_SET_ELEM_COMMENT, 4, 'f', 'e', '5', 0 };
	static const char behind[] = { 77, 1, 'x', NFTNL_UDATA_SET_ELEM_COMMENT, 2, 'y', 0 };
	static const char before[] = { NFTNL_UDATA_SET_ELEM_COMMENT, 2, 'y', 0, 77, 200, 'x' };
	struct fixture *f = *state;

	take_set(f, "services");
	assert_string_equal(take_element(f, plain, sizeof(plain)), "fe5");
	assert_string_equal(take_element(f, behind, sizeof(behind)), "y");
	assert_string_equal(take_element(f, before, sizeof(before)), "y");
}

/* Whoever may change rules may write this; the sanitizers see what is read beyond it. */
static void test_comment_of_wrong_length(void **state)
{
	static const char no_end[] = { NFTNL_UDATA_SET_ELEM_COMMENT, 3, 'f', 'e', '5' };
	static const char empty[] = { NFTNL_UDATA_SET_ELEM_COMMENT, 0 };
	static const char no_length[] = { 77, 1, 'x', NFTNL_UDATA_SET_ELEM_COMMENT };
	static const char other[] = { 77, 4, 'f', 'e', '5', 0 };
	struct fixture *f = *state;

	take_set(f, "services");
	assert_null(take_element(f, no_end, sizeof(no_end)));
	assert_null(take_element(f, empty, sizeof(empty)));
	assert_null(take_element(f, no_length, sizeof(no_length)));
	assert_null(take_element(f, other, sizeof(other)));
	for (int length = 5; length <= UINT8_MAX; length++) {
		char bytes[] = { NFTNL_UDATA_SET_ELEM_COMMENT, (char)length, 'f', 'e', '5', 0 };

		assert_null(take_element(f, bytes, sizeof(bytes)));
	}
}

/* It was changed while it was listed: the dump is to be made again. */
static void test_chain_twice(void **state)
{
	struct fixture *f = *state;

	take_chain(f, "fe5");
	take_chain(f, "fe6");
	assert_int_equal(f->objects.error, 0);
	take_chain(f, "fe5");
	assert_int_equal(f->objects.error, -EINTR);
	assert_int_equal(f->objects.table->n_chains, 2);
}

static void test_set_twice(void **state)
{
	struct fixture *f = *state;

	take_set(f, "services");
	take_set(f, "buckets");
	assert_int_equal(f->objects.error, 0);
	take_set(f, "services");
	assert_int_equal(f->objects.error, -EINTR);
	assert_int_equal(f->objects.table->n_sets, 2);
}

static void test_without_name(void **state)
{
	struct fixture *f = *state;

	take_chain(f, NULL);
	take_set(f, NULL);
	assert_int_equal(f->objects.error, 0);
	assert_int_equal(f->objects.table->n_chains, 0);
	assert_int_equal(f->objects.table->n_sets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		objects_test(test_comment),
		objects_test(test_comment_of_wrong_length),
		objects_test(test_chain_twice),
		objects_test(test_set_twice),
		objects_test(test_without_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
