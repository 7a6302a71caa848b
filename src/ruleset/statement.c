/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statement.h"

#include "field.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

/* --- text ---------------------------------------------------------------- */

static void write_fields(FILE *file, const struct ruleset_source *source)
{
	for (size_t i = 0; i < source->n_fields; i++)
		fprintf(file, "%s%s", i ? " . " : "", field_get(source->fields[i])->text);
}

static void write_source(FILE *file, const struct ruleset_source *source)
{
	switch (source->kind) {
	case SOURCE_FIELDS:
		write_fields(file, source);
		break;
	case SOURCE_JHASH:
		fputs("jhash ", file);
		write_fields(file, source);
		fprintf(file, " mod %u seed 0x%x", source->modulus, source->seed);
		break;
	case SOURCE_NUMGEN_INC:
		fprintf(file, "numgen inc mod %u", source->modulus);
		break;
	case SOURCE_NUMGEN_RANDOM:
		fprintf(file, "numgen random mod %u", source->modulus);
		break;
	}
}

static bool is_zero(const struct ruleset_value *value)
{
	static const uint8_t zero[RULESET_VALUE_MAX];

	return memcmp(value->bytes, zero, value->length) == 0;
}

/* A field whose bits have names. That any of them is set, or none, nft writes in short. */
static void write_match_bits(FILE *file, const struct ruleset_statement *statement)
{
	const struct field *field = field_get(statement->field);

	fprintf(file, "%s ", field->text);
	if (is_zero(&statement->value)) {
		fputs(statement->negate ? "" : "! ", file);
		field_write_value(file, field->format, &statement->mask);
		return;
	}
	fputs(statement->negate ? "!= " : "", file);
	field_write_value(file, field->format, &statement->value);
	fputs(" / ", file);
	field_write_value(file, field->format, &statement->mask);
}

static void write_match(FILE *file, const struct ruleset_statement *statement)
{
	const struct field *field = field_get(statement->field);

	if (field->format == FORMAT_TCP_FLAGS || field->format == FORMAT_CT_STATE)
		return write_match_bits(file, statement);
	fprintf(file, "%s ", field->text);
	if (statement->mask.length > 0) {
		fputs("& ", file);
		field_write_value(file, field->format, &statement->mask);
		fputc(' ', file);
	}
	if (statement->negate)
		fputs("!= ", file);
	field_write_value(file, field->format, &statement->value);
	if (statement->kind == STATEMENT_MATCH_RANGE) {
		fputc('-', file);
		field_write_value(file, field->format, &statement->last);
	}
}

void statement_write_verdict(FILE *file, const struct ruleset_verdict *verdict)
{
	switch (verdict->kind) {
	case VERDICT_ACCEPT:
		fputs("accept", file);
		break;
	case VERDICT_DROP:
		fputs("drop", file);
		break;
	case VERDICT_GOTO:
		fprintf(file, "goto %s", verdict->chain);
		break;
	case VERDICT_JUMP:
		fprintf(file, "jump %s", verdict->chain);
		break;
	}
}

void statement_write(FILE *file, const struct ruleset_statement *statement)
{
	const char *field = field_get(statement->field)->text;

	switch (statement->kind) {
	case STATEMENT_MATCH:
	case STATEMENT_MATCH_RANGE:
		write_match(file, statement);
		break;
	case STATEMENT_MATCH_SET:
		write_source(file, &statement->source);
		fprintf(file, " %s@%s", statement->negate ? "!= " : "", statement->set);
		break;
	case STATEMENT_VMAP:
		write_source(file, &statement->source);
		fprintf(file, " vmap @%s", statement->set);
		break;
	case STATEMENT_MARK:
		fputs("meta mark set ", file);
		write_source(file, &statement->source);
		fprintf(file, " map @%s", statement->set);
		break;
	case STATEMENT_REMEMBER:
	case STATEMENT_FORGET:
		fprintf(file, "%s @%s { ",
			statement->kind == STATEMENT_FORGET ? "delete" : "update", statement->set);
		write_source(file, &statement->source);
		fputs(" : meta mark }", file);
		break;
	case STATEMENT_COUNTER:
		fputs("counter", file);
		break;
	case STATEMENT_LIMIT:
		fprintf(file, "limit rate over %u/second burst %u packets", statement->rate,
			statement->rate);
		break;
	case STATEMENT_DUPLICATE:
		fprintf(file, "dup to \"%s\"", statement->interface);
		break;
	case STATEMENT_WRITE:
		fprintf(file, "%s set ", field);
		field_write_value(file, field_get(statement->field)->format, &statement->value);
		break;
	case STATEMENT_FORWARD:
		fprintf(file, "fwd to \"%s\"", statement->interface);
		break;
	case STATEMENT_VERDICT:
		statement_write_verdict(file, &statement->verdict);
		break;
	}
}

/* --- kernel expressions ----------------------------------------------------- */

/*
 * Registers are numbered as the kernel dumps them: NFT_REG_1.. of 16 bytes, which also
 * go by NFT_REG32_00.. of 4 bytes; those that begin a 16-byte one have its number.
 */
static uint32_t register_at(unsigned int word)
{
	return word % 4 == 0 ? NFT_REG_1 + word / 4 : NFT_REG32_00 + word;
}

/* The expressions of one rule under way. */
struct writer {
	struct nftnl_rule *rule;
	const struct ruleset_counter *counter;
	enum ruleset_family family;
	uint16_t ethertype; /* the rule has tested that the packet is of this one; 0: of none */
	uint8_t protocol;   /* … of this one */
	bool failed;
};

/* Appends an expression; without memory a throw-away one takes what is set on it. */
static struct nftnl_expr *add(struct writer *w, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (!expr) {
		w->failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(w->rule, expr);
	return expr;
}

static void set_u32(struct writer *w, struct nftnl_expr *expr, uint16_t type, uint32_t value)
{
	if (!w->failed)
		nftnl_expr_set_u32(expr, type, value);
}

static void set_u8(struct writer *w, struct nftnl_expr *expr, uint16_t type, uint8_t value)
{
	if (!w->failed)
		nftnl_expr_set_u8(expr, type, value);
}

static void set_u64(struct writer *w, struct nftnl_expr *expr, uint16_t type, uint64_t value)
{
	if (!w->failed)
		nftnl_expr_set_u64(expr, type, value);
}

static void set_bytes(
	struct writer *w, struct nftnl_expr *expr, uint16_t type, const void *bytes, size_t length)
{
	if (!w->failed && nftnl_expr_set(expr, type, bytes, (uint32_t)length) < 0)
		w->failed = true;
}

static void set_string(struct writer *w, struct nftnl_expr *expr, uint16_t type, const char *text)
{
	if (!w->failed && nftnl_expr_set_str(expr, type, text) < 0)
		w->failed = true;
}

static void add_cmp(
	struct writer *w, uint32_t operator, uint32_t reg, const void *bytes, size_t length)
{
	struct nftnl_expr *expr = add(w, "cmp");

	set_u32(w, expr, NFTNL_EXPR_CMP_SREG, reg);
	set_u32(w, expr, NFTNL_EXPR_CMP_OP, operator);
	set_bytes(w, expr, NFTNL_EXPR_CMP_DATA, bytes, length);
}

static void add_meta_load(struct writer *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *expr = add(w, "meta");

	set_u32(w, expr, NFTNL_EXPR_META_KEY, key);
	set_u32(w, expr, NFTNL_EXPR_META_DREG, reg);
}

/* In a table of both families the hook tells them apart, and the packet need not be looked at. */
static void add_ethertype(struct writer *w, uint16_t ethertype)
{
	const uint16_t wire = htons(ethertype);
	const uint8_t family = ethertype == ETHERTYPE_IP ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (w->ethertype == ethertype)
		return;
	w->ethertype = ethertype;
	if (w->family == RULESET_INET) {
		add_meta_load(w, NFT_META_NFPROTO, NFT_REG_1);
		add_cmp(w, NFT_CMP_EQ, NFT_REG_1, &family, sizeof(family));
		return;
	}
	add_meta_load(w, NFT_META_PROTOCOL, NFT_REG_1);
	add_cmp(w, NFT_CMP_EQ, NFT_REG_1, &wire, sizeof(wire));
}

static void add_protocol(struct writer *w, uint8_t protocol)
{
	if (w->protocol == protocol)
		return;
	add_meta_load(w, NFT_META_L4PROTO, NFT_REG_1);
	add_cmp(w, NFT_CMP_EQ, NFT_REG_1, &protocol, sizeof(protocol));
	w->protocol = protocol;
}

static void add_dependency(struct writer *w, enum field_dependency dependency)
{
	switch (dependency) {
	case DEPENDS_ON_NOTHING:
		break;
	case DEPENDS_ON_IP:
		add_ethertype(w, ETHERTYPE_IP);
		break;
	case DEPENDS_ON_IP6:
		add_ethertype(w, ETHERTYPE_IPV6);
		break;
	case DEPENDS_ON_TCP:
		add_protocol(w, IPPROTO_TCP);
		break;
	case DEPENDS_ON_ICMP:
		add_ethertype(w, ETHERTYPE_IP);
		add_protocol(w, IPPROTO_ICMP);
		break;
	case DEPENDS_ON_ICMP6:
		add_ethertype(w, ETHERTYPE_IPV6);
		add_protocol(w, IPPROTO_ICMPV6);
		break;
	}
}

static void add_load(struct writer *w, const struct field *field, uint32_t reg)
{
	struct nftnl_expr *expr;

	switch (field->place) {
	case PLACE_META:
		add_meta_load(w, field->key, reg);
		return;
	case PLACE_CONNTRACK:
		expr = add(w, "ct");
		set_u32(w, expr, NFTNL_EXPR_CT_KEY, field->key);
		set_u32(w, expr, NFTNL_EXPR_CT_DREG, reg);
		return;
	case PLACE_FRAGMENT_HEADER:
		expr = add(w, "exthdr");
		set_u32(w, expr, NFTNL_EXPR_EXTHDR_DREG, reg);
		set_u8(w, expr, NFTNL_EXPR_EXTHDR_TYPE, IPPROTO_FRAGMENT);
		set_u32(w, expr, NFTNL_EXPR_EXTHDR_OFFSET, field->offset);
		set_u32(w, expr, NFTNL_EXPR_EXTHDR_LEN, field->length);
		return;
	case PLACE_PAYLOAD:
		break;
	}
	expr = add(w, "payload");
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_BASE, field->base);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_OFFSET, field->offset);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_LEN, field->length);
}

/* Loads the fields side by side from a 4-byte register on; returns their length in words. */
static unsigned int add_load_fields(
	struct writer *w, const struct ruleset_source *source, unsigned int word)
{
	unsigned int first = word;

	for (size_t i = 0; i < source->n_fields; i++)
		add_dependency(w, field_get(source->fields[i])->dependency);
	for (size_t i = 0; i < source->n_fields; i++) {
		const struct field *field = field_get(source->fields[i]);

		add_load(w, field, register_at(word));
		word += (field->length + 3) / 4;
	}
	return word - first;
}

/* Leaves the source's value in the first register. */
static void add_source(struct writer *w, const struct ruleset_source *source)
{
	struct nftnl_expr *expr;
	unsigned int words;

	switch (source->kind) {
	case SOURCE_FIELDS:
		add_load_fields(w, source, 0);
		break;
	case SOURCE_JHASH:
		words = add_load_fields(w, source, 4);
		expr = add(w, "hash");
		set_u32(w, expr, NFTNL_EXPR_HASH_SREG, register_at(4));
		set_u32(w, expr, NFTNL_EXPR_HASH_DREG, register_at(0));
		set_u32(w, expr, NFTNL_EXPR_HASH_LEN, words * 4);
		set_u32(w, expr, NFTNL_EXPR_HASH_MODULUS, source->modulus);
		set_u32(w, expr, NFTNL_EXPR_HASH_SEED, source->seed);
		set_u32(w, expr, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
		break;
	case SOURCE_NUMGEN_INC:
	case SOURCE_NUMGEN_RANDOM:
		expr = add(w, "numgen");
		set_u32(w, expr, NFTNL_EXPR_NG_DREG, register_at(0));
		set_u32(w, expr, NFTNL_EXPR_NG_MODULUS, source->modulus);
		set_u32(w, expr, NFTNL_EXPR_NG_TYPE,
			source->kind == SOURCE_NUMGEN_INC ? NFT_NG_INCREMENTAL : NFT_NG_RANDOM);
		break;
	}
}

/* Looks the first register up in a set; returns what may be told more of it. */
static struct nftnl_expr *add_lookup(struct writer *w, const char *set)
{
	struct nftnl_expr *expr = add(w, "lookup");

	set_u32(w, expr, NFTNL_EXPR_LOOKUP_SREG, register_at(0));
	set_string(w, expr, NFTNL_EXPR_LOOKUP_SET, set);
	return expr;
}

/* … in a map, with the data into a register: NFT_REG_VERDICT for a verdict map. */
static void add_map_lookup(struct writer *w, const char *map, uint32_t reg)
{
	set_u32(w, add_lookup(w, map), NFTNL_EXPR_LOOKUP_DREG, reg);
}

static void add_mask(struct writer *w, const uint8_t *mask, size_t length)
{
	static const uint8_t no_bits[RULESET_VALUE_MAX];
	struct nftnl_expr *expr = add(w, "bitwise");

	set_u32(w, expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	set_u32(w, expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	set_u32(w, expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	set_u32(w, expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)length);
	set_bytes(w, expr, NFTNL_EXPR_BITWISE_MASK, mask, length);
	set_bytes(w, expr, NFTNL_EXPR_BITWISE_XOR, no_bits, length);
}

static void note_match(struct writer *w, const struct ruleset_statement *statement)
{
	if (statement->field == FIELD_META_PROTOCOL)
		w->ethertype = (uint16_t)(statement->value.bytes[0] << 8 |
					  statement->value.bytes[1]);
	if (statement->field == FIELD_META_L4PROTO && !statement->negate)
		w->protocol = statement->value.bytes[0];
}

static void add_match(struct writer *w, const struct ruleset_statement *statement)
{
	const struct field *field = field_get(statement->field);
	uint32_t operator= statement->negate ? NFT_CMP_NEQ : NFT_CMP_EQ;

	add_dependency(w, field->dependency);
	add_load(w, field, NFT_REG_1);
	if (statement->kind == STATEMENT_MATCH_RANGE) {
		add_cmp(w, NFT_CMP_GTE, NFT_REG_1, statement->value.bytes, field->length);
		add_cmp(w, NFT_CMP_LTE, NFT_REG_1, statement->last.bytes, field->length);
		return;
	}
	if (statement->mask.length > 0)
		add_mask(w, statement->mask.bytes, field->length);
	else if (field->mask[0])
		add_mask(w, field->mask, field->length);
	add_cmp(w, operator, NFT_REG_1, statement->value.bytes, field->length);
	note_match(w, statement);
}

static void add_match_set(struct writer *w, const struct ruleset_statement *statement)
{
	struct nftnl_expr *expr;

	add_source(w, &statement->source);
	expr = add_lookup(w, statement->set);
	if (statement->negate)
		set_u32(w, expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void add_mark(struct writer *w, const struct ruleset_statement *statement)
{
	struct nftnl_expr *expr;

	add_source(w, &statement->source);
	add_map_lookup(w, statement->set, register_at(0));
	expr = add(w, "meta");
	set_u32(w, expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	set_u32(w, expr, NFTNL_EXPR_META_SREG, register_at(0));
}

static void add_immediate(struct writer *w, uint32_t reg, const struct ruleset_value *value)
{
	struct nftnl_expr *expr = add(w, "immediate");

	set_u32(w, expr, NFTNL_EXPR_IMM_DREG, reg);
	set_bytes(w, expr, NFTNL_EXPR_IMM_DATA, value->bytes, value->length);
}

static void add_dynset(
	struct writer *w, const struct ruleset_statement *statement, uint32_t operation)
{
	const unsigned int data = 4; /* the first word behind the key's 16 bytes */
	struct nftnl_expr *expr;

	add_source(w, &statement->source);
	add_meta_load(w, NFT_META_MARK, register_at(data));
	expr = add(w, "dynset");
	set_string(w, expr, NFTNL_EXPR_DYNSET_SET_NAME, statement->set);
	set_u32(w, expr, NFTNL_EXPR_DYNSET_OP, operation);
	set_u32(w, expr, NFTNL_EXPR_DYNSET_SREG_KEY, register_at(0));
	set_u32(w, expr, NFTNL_EXPR_DYNSET_SREG_DATA, register_at(data));
}

static void add_limit(struct writer *w, uint32_t rate)
{
	struct nftnl_expr *expr = add(w, "limit");

	set_u64(w, expr, NFTNL_EXPR_LIMIT_RATE, rate);
	set_u64(w, expr, NFTNL_EXPR_LIMIT_UNIT, 1);
	set_u32(w, expr, NFTNL_EXPR_LIMIT_BURST, rate);
	set_u32(w, expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	set_u32(w, expr, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

enum { IP_CHECKSUM_OFFSET = 10 };

static void add_write(struct writer *w, const struct ruleset_statement *statement)
{
	const struct field *field = field_get(statement->field);
	struct nftnl_expr *expr;
	/* Addresses count in the checksums of TCP and UDP, and of IPv4 itself. */
	bool has_checksum = field->dependency == DEPENDS_ON_IP;
	bool is_address = has_checksum || field->dependency == DEPENDS_ON_IP6;

	add_dependency(w, field->dependency);
	add_immediate(w, NFT_REG_1, &statement->value);
	if (field->place == PLACE_META) {
		expr = add(w, "meta");
		set_u32(w, expr, NFTNL_EXPR_META_KEY, field->key);
		set_u32(w, expr, NFTNL_EXPR_META_SREG, NFT_REG_1);
		return;
	}
	expr = add(w, "payload");
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_BASE, field->base);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_OFFSET, field->offset);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_LEN, field->length);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE,
		has_checksum ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, has_checksum ? IP_CHECKSUM_OFFSET : 0);
	set_u32(w, expr, NFTNL_EXPR_PAYLOAD_FLAGS, is_address ? NFT_PAYLOAD_L4CSUM_PSEUDOHDR : 0);
}

/* Leaves the number of the interface in the first register. */
static void add_interface(struct writer *w, const struct ruleset_statement *statement)
{
	struct ruleset_value index = { .length = sizeof(statement->interface_index) };

	memcpy(index.bytes, &statement->interface_index, index.length);
	add_immediate(w, NFT_REG_1, &index);
}

static void add_forward(struct writer *w, const struct ruleset_statement *statement)
{
	add_interface(w, statement);
	set_u32(w, add(w, "fwd"), NFTNL_EXPR_FWD_SREG_DEV, NFT_REG_1);
}

static void add_duplicate(struct writer *w, const struct ruleset_statement *statement)
{
	add_interface(w, statement);
	set_u32(w, add(w, "dup"), NFTNL_EXPR_DUP_SREG_DEV, NFT_REG_1);
}

static void add_verdict(struct writer *w, const struct ruleset_verdict *verdict)
{
	struct nftnl_expr *expr = add(w, "immediate");

	set_u32(w, expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	switch (verdict->kind) {
	case VERDICT_ACCEPT:
		set_u32(w, expr, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
		break;
	case VERDICT_DROP:
		set_u32(w, expr, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
		break;
	case VERDICT_GOTO:
	case VERDICT_JUMP:
		set_u32(w, expr, NFTNL_EXPR_IMM_VERDICT,
			(uint32_t)(verdict->kind == VERDICT_GOTO ? NFT_GOTO : NFT_JUMP));
		set_string(w, expr, NFTNL_EXPR_IMM_CHAIN, verdict->chain);
		break;
	}
}

static void add_counter(struct writer *w)
{
	struct nftnl_expr *expr = add(w, "counter");

	set_u64(w, expr, NFTNL_EXPR_CTR_PACKETS, w->counter->packets);
	set_u64(w, expr, NFTNL_EXPR_CTR_BYTES, w->counter->bytes);
}

static void add_statement(struct writer *w, const struct ruleset_statement *statement)
{
	switch (statement->kind) {
	case STATEMENT_MATCH:
	case STATEMENT_MATCH_RANGE:
		add_match(w, statement);
		break;
	case STATEMENT_MATCH_SET:
		add_match_set(w, statement);
		break;
	case STATEMENT_VMAP:
		add_source(w, &statement->source);
		add_map_lookup(w, statement->set, NFT_REG_VERDICT);
		break;
	case STATEMENT_MARK:
		add_mark(w, statement);
		break;
	case STATEMENT_REMEMBER:
		add_dynset(w, statement, NFT_DYNSET_OP_UPDATE);
		break;
	case STATEMENT_FORGET:
		add_dynset(w, statement, NFT_DYNSET_OP_DELETE);
		break;
	case STATEMENT_LIMIT:
		add_limit(w, statement->rate);
		break;
	case STATEMENT_DUPLICATE:
		add_duplicate(w, statement);
		break;
	case STATEMENT_COUNTER:
		add_counter(w);
		break;
	case STATEMENT_WRITE:
		add_write(w, statement);
		break;
	case STATEMENT_FORWARD:
		add_forward(w, statement);
		break;
	case STATEMENT_VERDICT:
		add_verdict(w, &statement->verdict);
		break;
	}
}

int statement_add_all(
	struct nftnl_rule *nftnl_rule, const struct ruleset_rule *rule, enum ruleset_family family)
{
	struct writer writer = {
		.rule = nftnl_rule,
		.counter = &rule->counter,
		.family = family,
		.ethertype = family == RULESET_IP6 ? ETHERTYPE_IPV6 : 0,
	};

	for (size_t i = 0; i < rule->n_statements; i++)
		add_statement(&writer, &rule->statements[i]);
	return writer.failed ? -ENOMEM : 0;
}
