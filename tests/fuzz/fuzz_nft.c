/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of nf_tables, as dumps, events and verdicts bring them. libnftnl ends the program at an
 * attribute of a wrong type or length, and crashes without the name of an expression, as only
 * another ABI could have it, and reads on beyond a text without its NUL, which the kernel always
 * sends; so the mutator below leaves attributes whole: it changes what they hold, takes out those
 * of the object itself, and mixes messages.
 * The seeds are dumps of what is in rules/, and messages that once were read wrongly.
 */
#include "../../src/kernel/internal.h"

#include "drover/diff.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* --- what is tried --------------------------------------------------------------------- */

/* What the daemon gives a message of this type to, after the dump of chains and sets. */
static void take(struct objects *objects, const struct nlmsghdr *message)
{
	struct ruleset_table *table = objects->table;
	uint64_t longest = 0;
	uint32_t owner = 0;

	switch (message->nlmsg_type & 0xff) {
	case NFT_MSG_NEWTABLE:
		(void)objects_take_owner(message, &owner);
		break;
	case NFT_MSG_NEWCHAIN:
		(void)objects_take_chain(message, objects);
		break;
	case NFT_MSG_NEWRULE:
		(void)objects_take_rule(message, objects);
		break;
	case NFT_MSG_NEWSET:
		(void)objects_take_set(message, objects);
		break;
	case NFT_MSG_NEWSETELEM:
		(void)objects_take_expiries(message, &longest);
		if (table->n_sets == 0)
			break;
		objects->set = &table->sets[table->n_sets - 1];
		(void)objects_take_elements(message, objects);
		break;
	}
}

/* How long a message is the kernel says; mnl_nlmsg_ok() would believe any length. */
static void read_messages(struct objects *objects, const uint8_t *bytes, size_t size)
{
	struct verdicts verdicts = { .n = 0 };
	bool changed = false;

	while (size >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)bytes;
		size_t length = message->nlmsg_len;

		if (length < sizeof(*message) || length > size)
			break;
		verdicts_take(&verdicts, message);
		(void)event_take(message, &changed);
		if (mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg))
			take(objects, message);
		length = MNL_ALIGN(length);
		bytes += length < size ? length : size;
		size -= length < size ? length : size;
	}
}

/* What was read is signed throughout, and can be compared: there is a way from it to nothing. */
static void check(struct ruleset *ruleset)
{
	struct ruleset_table *table = &ruleset->tables[0];
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	const struct ruleset nothing = { .n_tables = 0 };
	bool remembers = false;

	for (size_t i = 0; i < table->n_chains; i++)
		if (!table->chains[i].name || !table->chains[i].signature)
			abort();
	for (size_t i = 0; i < table->n_sets; i++) {
		if (!table->sets[i].name || !table->sets[i].signature)
			abort();
		if (table->sets[i].interval)
			objects_join_intervals(&table->sets[i]);
		remembers |= table->sets[i].dynamic;
	}
	/* What packets have left is always added. */
	if (diff_build(ruleset, ruleset, &batch) == 0 && batch_count(batch) != 0 && !remembers)
		abort();
	batch_free(take_ptr(batch));
	(void)diff_build(ruleset, &nothing, &batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
	/* Of the exact size, so that no byte more is read; and aligned, as messages are. */
	_cleanup_(free_p) void *messages = malloc(size ? size : 1);
	struct objects objects = { .error = 0 };

	if (!ruleset || !messages)
		return 0;
	objects.arena = &ruleset->arena;
	objects.table = &ruleset->tables[0];
	memcpy(messages, data, size);
	ruleset->n_tables = 1;
	ruleset->tables[0] = (struct ruleset_table){
		.family = RULESET_NETDEV,
		.name = RULESET_TABLE_NAME,
	};
	read_messages(&objects, messages, size);
	if (objects.error == 0)
		check(ruleset);
	return 0;
}

/* --- mutation -------------------------------------------------------------------------- */

enum { UNKNOWN_TYPE = 0x3fff };

/* One of so many (at least 1); Park and Miller's generator. */
static size_t draw(uint32_t *seed, size_t n)
{
	*seed = (uint32_t)((uint64_t)(*seed % 2147483646 + 1) * 48271 % 2147483647);
	return *seed % n;
}

/* The length of the attribute that begins here; 0 if there is none. */
static size_t attribute_size(const uint8_t *bytes, size_t size)
{
	struct nlattr attribute;

	if (size < sizeof(attribute))
		return 0;
	memcpy(&attribute, bytes, sizeof(attribute));
	return attribute.nla_len < sizeof(attribute) || attribute.nla_len > size
		       ? 0
		       : attribute.nla_len;
}

/* The kernel does not say which attributes hold others (nla_nest_start_noflag()). */
static bool holds_attributes(const uint8_t *bytes, size_t size)
{
	bool any = false;

	while (size > 0) {
		size_t length = MNL_ALIGN(attribute_size(bytes, size));

		if (length == 0 || length > size)
			return false;
		bytes += length;
		size -= length;
		any = true;
	}
	return any;
}

/* Any attribute, or with deep any within any, with the same chance. */
static void choose(
	uint8_t *bytes, size_t size, bool deep, uint32_t *seed, size_t *n, uint8_t **chosen)
{
	size_t length;

	while ((length = attribute_size(bytes, size)) > 0) {
		uint8_t *payload = bytes + MNL_ATTR_HDRLEN;
		size_t held = length - MNL_ATTR_HDRLEN;

		if (draw(seed, ++*n) == 0)
			*chosen = bytes;
		if (deep && holds_attributes(payload, held))
			choose(payload, held, deep, seed, n, chosen);
		length = MNL_ALIGN(length);
		bytes += length < size ? length : size;
		size -= length < size ? length : size;
	}
}

/* Nobody looks at an attribute of an unknown type. */
static void take_out(uint8_t *bytes)
{
	struct nlattr attribute;

	memcpy(&attribute, bytes, sizeof(attribute));
	attribute.nla_type = UNKNOWN_TYPE;
	memcpy(bytes, &attribute, sizeof(attribute));
}

static void change_attribute(uint8_t *bytes, uint32_t *seed)
{
	struct nlattr attribute;
	size_t length, at;
	bool is_text;

	memcpy(&attribute, bytes, sizeof(attribute));
	length = attribute.nla_len - MNL_ATTR_HDRLEN;
	bytes += MNL_ATTR_HDRLEN;
	if (length == 0 || holds_attributes(bytes, length))
		return;
	is_text = length > 1 && bytes[0] >= ' ' && bytes[length - 1] == 0;
	at = draw(seed, is_text ? length - 1 : length);
	bytes[at] = (uint8_t)(draw(seed, 2) ? bytes[at] ^ 1U << draw(seed, 8) : draw(seed, 256));
	/* A text stays one, and is known for one the next time, too. */
	if (is_text && bytes[0] < ' ')
		bytes[0] = ' ';
}

/* The message that begins nearest before a place drawn. */
static size_t choose_message(const uint8_t *data, size_t size, uint32_t *seed, size_t *ret_length)
{
	size_t limit = draw(seed, size), at = 0, next = 0;
	struct nlmsghdr header = { .nlmsg_len = 0 };

	while (next <= limit && size - next >= sizeof(header)) {
		memcpy(&header, data + next, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size - next)
			break;
		at = next;
		*ret_length = MNL_ALIGN(header.nlmsg_len);
		next += *ret_length;
	}
	return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int random)
{
	const size_t head = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg);
	size_t n = 0, length = 0, at = size > 0 ? choose_message(data, size, &random, &length) : 0;
	uint8_t *chosen = NULL;

	if (length == 0 || at + length > size)
		return size;
	switch (draw(&random, 8)) {
	case 0:
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	case 1:
		if (size + length > max_size || size % MNL_ALIGNTO != 0)
			return size;
		memcpy(data + size, data + at, length);
		return size + length;
	case 2:
		choose(data + at + head, length > head ? length - head : 0, false, &random, &n,
			&chosen);
		if (chosen)
			take_out(chosen);
		return size;
	default:
		choose(data + at + head, length > head ? length - head : 0, true, &random, &n,
			&chosen);
		if (chosen)
			change_attribute(chosen, &random);
		return size;
	}
}
