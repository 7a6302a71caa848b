/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BIG-IP, version 9: blocks of pools, monitors and virtuals, in any order. */
#include "parsers.h"
#include "scan.h"

#include <string.h>

enum { PERSIST_SECONDS = 180 }; /* of the profile source_addr that is built in */

struct pool_member {
	struct address address;
	uint16_t port;
	unsigned int weight, line;
};

struct pool {
	char name[CONF_NAME_MAX + 1];
	enum conf_scheduler scheduler;
	char monitor[CONF_NAME_MAX + 1];
	unsigned int monitor_line;
	struct pool_member *members;
	size_t n_members;
};

struct monitor {
	char name[CONF_NAME_MAX + 1];
	char type[CONF_NAME_MAX + 1]; /* the monitor that it is made from */
};

struct virtual
{
	char name[CONF_NAME_MAX + 1];
	char pool[CONF_NAME_MAX + 1];
	struct address address;
	struct known_port port;
	enum conf_protocol protocol;
	unsigned int persistence, line;
	bool translates, complete;
};

struct parser {
	struct site *site;
	const struct keyword *block; /* the settings of the block that is being read */
	size_t n_block;
	struct pool *pools;
	size_t n_pools;
	struct monitor *monitors;
	size_t n_monitors;
	struct virtual *virtuals;
	size_t n_virtuals;
};

static struct pool *last_pool(void *data)
{
	struct parser *parser = data;

	return &parser->pools[parser->n_pools - 1];
}

static struct virtual *last_virtual(void *data)
{
	struct parser *parser = data;

	return &parser->virtuals[parser->n_virtuals - 1];
}

/* Reads "ADDRESS:PORT", where the port may be a name. */
static bool read_endpoint(struct parser *parser, const struct statement *statement, size_t at,
	struct address *ret_address, struct known_port *ret_port)
{
	const char *word = statement_word(statement, at), *colon = strrchr(word, ':');
	char host[ADDRESS_TEXT_MAX];
	struct address address;

	if (colon && colon - word < (long)sizeof(host)) {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - word), word);
		if (address_parse(host, &address) == 0 &&
			site_read_port(parser->site, statement->line, colon + 1, ret_port)) {
			*ret_address = address;
			return true;
		}
	}
	site_note(parser->site, statement->line, "\"%.64s\" is no ADDRESS:PORT", word);
	return false;
}

/* --- settings ------------------------------------------------------------- */

static void pool_method(void *data, const struct statement *statement)
{
	static const struct scheduler_word methods[] = {
		{ "rr", CONF_SCHEDULER_RR, NULL },
		{ "round", CONF_SCHEDULER_RR, NULL },
		{ "ratio", CONF_SCHEDULER_RR, NULL },
		{ "least", CONF_SCHEDULER_RR, "the connections of servers are not compared" },
		{ "fastest", CONF_SCHEDULER_RR, "how fast servers answer is not measured" },
		{ "observed", CONF_SCHEDULER_RR, "what servers do is not measured" },
		{ "predictive", CONF_SCHEDULER_RR, "what servers do is not measured" },
	};
	struct parser *parser = data;
	size_t at = strcmp(statement->words[2], "member") == 0 && statement->n > 3 ? 3 : 2;

	site_read_scheduler(parser->site, statement->line, statement->words[at], methods,
		ARRAY_SIZE(methods), &last_pool(data)->scheduler);
}

static void pool_monitor(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct pool *pool = last_pool(data);
	size_t at = strcmp(statement->words[1], "all") == 0 ? 2 : 1;

	site_set_name(pool->monitor, statement_word(statement, at));
	pool->monitor_line = statement->line;
	for (at += 2; at < statement->n; at += 2)
		site_note(parser->site, statement->line,
			"monitor \"%.64s\": a service has one check", statement->words[at]);
}

static void add_member(struct parser *parser, const struct statement *statement, size_t at)
{
	struct pool *pool = last_pool(parser);
	struct pool_member *member;
	struct known_port port;
	struct address address;

	if (!read_endpoint(parser, statement, at, &address, &port))
		return;
	member = site_add_entry(parser->site, &pool->members, &pool->n_members, sizeof(*member));
	if (member)
		*member = (struct pool_member){ address, port.port, 1, statement->line };
}

static void pool_members(void *data, const struct statement *statement)
{
	for (size_t i = 1; i < statement->n; i++)
		add_member(data, statement, i);
}

static void pool_ratio(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct pool *pool = last_pool(data);

	if (pool->n_members > 0)
		site_read_weight(parser->site, statement->line, statement->words[1],
			&pool->members[pool->n_members - 1].weight);
}

static void monitor_defaults(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	site_set_name(parser->monitors[parser->n_monitors - 1].type, statement->words[2]);
}

static void virtual_translate(void *data, const struct statement *statement)
{
	last_virtual(data)->translates = strcmp(statement->words[2], "disable") != 0;
}

static void virtual_pool(void *data, const struct statement *statement)
{
	site_set_name(last_virtual(data)->pool, statement->words[1]);
}

static void virtual_destination(void *data, const struct statement *statement)
{
	struct virtual *virtual = last_virtual(data);

	virtual->complete = read_endpoint(data, statement, 1, &virtual->address, &virtual->port);
}

static void virtual_protocol(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (strcmp(statement->words[2], "tcp") == 0)
		last_virtual(data)->protocol = CONF_PROTOCOL_TCP;
	else if (strcmp(statement->words[2], "udp") == 0)
		last_virtual(data)->protocol = CONF_PROTOCOL_UDP;
	else if (strcmp(statement->words[2], "any") != 0)
		site_note(parser->site, statement->line,
			"protocol \"%.64s\": drover balances TCP and UDP", statement->words[2]);
}

static void virtual_persist(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (strcmp(statement->words[1], "source_addr") == 0)
		last_virtual(data)->persistence = PERSIST_SECONDS;
	else
		site_note(parser->site, statement->line,
			"persist \"%.64s\": clients are known by their address alone",
			statement->words[1]);
}

static void self_address(struct parser *parser, const struct statement *statement)
{
	if (parser->site->balancer.family == AF_UNSPEC)
		address_parse(statement->words[1], &parser->site->balancer);
}

#define PARAMETER "of a check, drover keeps the kind"

static const struct keyword pool_block[] = {
	{ "monitor", 1, pool_monitor, NULL },
	{ "lb method", 1, pool_method, NULL },
	{ "members", 0, pool_members, NULL },
	{ "ratio", 1, pool_ratio, NULL },
};

static const struct keyword monitor_block[] = {
	{ "defaults from", 1, monitor_defaults, NULL },
	{ "dest", 0, NULL, PARAMETER },
	{ "debug", 0, NULL, NULL },
	{ "interval", 0, NULL, PARAMETER },
	{ "timeout", 0, NULL, PARAMETER },
};

static const struct keyword virtual_block[] = {
	{ "translate address", 1, virtual_translate, NULL },
	{ "translate service", 1, NULL, NULL }, /* another port is noted at the member */
	{ "pool", 1, virtual_pool, NULL },
	{ "destination", 1, virtual_destination, NULL },
	{ "ip protocol", 1, virtual_protocol, NULL },
	{ "persist", 1, virtual_persist, NULL },
	{ "profiles", 0, NULL, "drover forwards packets and looks at no connection" },
};

/* --- blocks --------------------------------------------------------------- */

static void open_block(struct parser *parser, const struct keyword *block, size_t n)
{
	parser->block = block;
	parser->n_block = n;
}

static void open_pool(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct pool *pool = site_add_entry(
		parser->site, &parser->pools, &parser->n_pools, sizeof(*pool));

	if (!pool)
		return;
	site_set_name(pool->name, statement->words[1]);
	pool->scheduler = CONF_SCHEDULER_RR;
	open_block(parser, pool_block, ARRAY_SIZE(pool_block));
}

static void open_monitor(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct monitor *monitor = site_add_entry(
		parser->site, &parser->monitors, &parser->n_monitors, sizeof(*monitor));

	if (!monitor)
		return;
	site_set_name(monitor->name, statement->words[1]);
	open_block(parser, monitor_block, ARRAY_SIZE(monitor_block));
}

static void open_virtual(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct virtual *virtual = site_add_entry(
		parser->site, &parser->virtuals, &parser->n_virtuals, sizeof(*virtual));

	if (!virtual)
		return;
	site_set_name(virtual->name, statement->words[1]);
	virtual->protocol = CONF_PROTOCOL_ANY;
	virtual->translates = true;
	virtual->line = statement->line;
	open_block(parser, virtual_block, ARRAY_SIZE(virtual_block));
}

static void open_self(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	self_address(parser, statement);
	site_note(parser->site, statement->line, "of \"self\", the address is kept: %s",
		SITE_NETWORK);
}

#define TRAFFIC "drover forwards packets and looks at no connection"

static const struct keyword blocks[] = {
	{ "pool", 1, open_pool, NULL },
	{ "monitor", 1, open_monitor, NULL },
	{ "virtual address", 0, NULL,
		"the virtual says its address again, and VIPs move by group" },
	{ "virtual", 1, open_virtual, NULL },
	{ "self allow", 0, NULL, SITE_NETWORK },
	{ "self", 1, open_self, NULL },
	{ "profile", 0, NULL, TRAFFIC },
	{ "rule", 0, NULL, TRAFFIC },
	{ "node", 0, NULL, "servers are tested by service, not by address" },
	{ "vlan", 0, NULL, SITE_NETWORK },
	{ "stp", 0, NULL, SITE_NETWORK },
	{ "route", 0, NULL, SITE_NETWORK },
	{ "partition", 0, NULL, "there is one administrator" },
};

/* Reads a block that was opened. Servers stand as bare addresses in their pool. */
static void read_block(struct parser *parser, struct scanner *scanner)
{
	struct statement statement;
	size_t depth = 1;

	while (depth > 0 && scan_next(scanner, parser->site, &statement)) {
		const char *first = statement_word(&statement, 0);

		if (statement.n > 0 && parser->block == pool_block && strchr(first, ':'))
			add_member(parser, &statement, 0);
		else if (statement.n > 0)
			scan_dispatch(
				parser->block, parser->n_block, parser, parser->site, &statement);
		if (statement.end == STATEMENT_OPEN)
			depth++;
		else if (statement.end == STATEMENT_CLOSE)
			depth--;
	}
}

/* --- what it comes to ------------------------------------------------------- */

static const char *find_check(const struct parser *parser, const struct pool *pool)
{
	static const char *const checks[][2] = {
		{ "gateway_icmp", "icmp" },
		{ "icmp", "icmp" },
		{ "tcp", "tcp" },
		{ "tcp_half_open", "tcp" },
		{ "smtp", "smtp" },
		{ "pop3", "pop3" },
		{ "imap", "imap" },
		{ "http", "http" },
		{ "https", "tcp" }, /* no check speaks TLS */
		{ "sip", "sip" },
	};
	const char *type = pool->monitor;

	for (size_t i = 0; i < parser->n_monitors; i++)
		if (strcmp(parser->monitors[i].name, pool->monitor) == 0)
			type = parser->monitors[i].type;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (strcmp(checks[i][0], type) == 0)
			return checks[i][1];
	if (*pool->monitor)
		site_note(parser->site, pool->monitor_line,
			"monitor \"%s\" is not known here, or has no match", pool->monitor);
	return NULL;
}

static void settle_virtual(struct parser *parser, const struct virtual *virtual)
{
	const struct pool *pool = NULL;
	struct site_service *service;

	for (size_t i = 0; i < parser->n_pools; i++)
		if (strcmp(parser->pools[i].name, virtual->pool) == 0)
			pool = &parser->pools[i];
	if (!pool || !virtual->complete) {
		site_note(parser->site, virtual->line,
			"virtual \"%s\" is left out: it has no pool or no destination",
			virtual->name);
		return;
	}
	service = site_add_service(parser->site, virtual->line, virtual->name, &virtual->address,
		virtual->protocol, virtual->port.port);
	if (!service)
		return;
	service->scheduler = pool->scheduler;
	service->persistence = virtual->persistence;
	service->check = find_check(parser, pool);
	if (virtual->translates)
		site_note(parser->site, virtual->line,
			"virtual \"%s\" translated addresses: " SITE_DIRECT, virtual->name);
	for (size_t i = 0; i < pool->n_members; i++)
		site_add_real(parser->site, service, pool->members[i].line, NULL,
			&pool->members[i].address, pool->members[i].port, pool->members[i].weight);
}

static void parser_done(struct parser *parser)
{
	for (size_t i = 0; i < parser->n_pools; i++)
		free(parser->pools[i].members);
	free(parser->pools);
	free(parser->monitors);
	free(parser->virtuals);
}

void parse_bigip(struct site *site, char *text)
{
	struct scanner scanner = { .at = text, .line = 1, .comments = "#", .has_blocks = true };
	struct parser parser = { .site = site };
	struct statement statement;

	while (scan_next(&scanner, site, &statement)) {
		parser.block = NULL;
		if (statement.n > 0)
			scan_dispatch(blocks, ARRAY_SIZE(blocks), &parser, site, &statement);
		if (statement.end == STATEMENT_OPEN && parser.block)
			read_block(&parser, &scanner);
		else if (statement.end == STATEMENT_OPEN)
			scan_skip_block(&scanner, site);
	}
	for (size_t i = 0; i < parser.n_virtuals; i++)
		settle_virtual(&parser, &parser.virtuals[i]);
	parser_done(&parser);
}
