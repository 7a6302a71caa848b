/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keepalived.conf(5): its virtual_server blocks. */
#include "ipvs.h"
#include "parsers.h"
#include "scan.h"

#include <string.h>

struct parser {
	struct site *site;
	struct scanner *scanner;
	/* Of the virtual_server that is being read; it is added where its first server stands. */
	struct address vip;
	uint16_t port;
	unsigned int line;
	enum conf_protocol protocol;
	enum conf_scheduler scheduler;
	bool stateless;
	unsigned int persistence;
	const char *check;
	struct site_service *service;
	/* Of the real_server that is being read. */
	unsigned int weight;
};

enum { PERSISTENCE_DEFAULT = 360 }; /* of persistence_timeout without a number */

#define CHECKS "of a check, drover keeps the kind"

static void server_algorithm(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	ipvs_read_scheduler(parser->site, statement->line, statement->words[1], &parser->scheduler);
}

static void server_kind(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (strcasecmp(statement->words[1], "DR") != 0)
		site_note(parser->site, statement->line, "\"%s %.32s\": " SITE_DIRECT,
			statement->words[0], statement->words[1]);
}

static void server_persistence(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	parser->persistence = PERSISTENCE_DEFAULT;
	if (statement->n > 1)
		site_read_persistence(
			parser->site, statement->line, statement->words[1], &parser->persistence);
}

static void server_protocol(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (strcasecmp(statement->words[1], "UDP") == 0)
		parser->protocol = CONF_PROTOCOL_UDP;
	else if (strcasecmp(statement->words[1], "TCP") != 0)
		site_note(parser->site, statement->line,
			"protocol \"%.32s\": drover balances TCP and UDP", statement->words[1]);
}

static void server_stateless(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	(void)statement;
	parser->stateless = true;
}

static void real_weight(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	site_read_weight(parser->site, statement->line, statement->words[1], &parser->weight);
}

static void read_check(void *data, const struct statement *statement)
{
	static const char *const checks[][2] = {
		{ "TCP_CHECK", "tcp" },
		{ "HTTP_GET", "http" },
		{ "SSL_GET", "tcp" }, /* no check speaks TLS */
		{ "SMTP_CHECK", "smtp" },
		{ "DNS_CHECK", "dns" },
		{ "PING_CHECK", "icmp" },
	};
	struct parser *parser = data;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (strcmp(checks[i][0], statement->words[0]) == 0) {
			parser->check = checks[i][1];
			return;
		}
	site_note(parser->site, statement->line, "\"%.64s\": write an entry of checks for it",
		statement->words[0]);
}

static const struct keyword server_keywords[] = {
	{ "lb_algo", 1, server_algorithm, NULL },
	{ "lvs_sched", 1, server_algorithm, NULL },
	{ "lb_kind", 1, server_kind, NULL },
	{ "lvs_method", 1, server_kind, NULL },
	{ "persistence_timeout", 0, server_persistence, NULL },
	{ "protocol", 1, server_protocol, NULL },
	{ "ops", 0, server_stateless, NULL },
	{ "delay_loop", 0, NULL, CHECKS },
	{ "sorry_server", 0, NULL, "no server stands in when all others fail" },
};

static const struct keyword real_keywords[] = {
	{ "weight", 1, real_weight, NULL },
	{ "inhibit_on_failure", 0, NULL, "what is unreachable leaves the table" },
	{ "TCP_CHECK", 0, read_check, NULL },
	{ "HTTP_GET", 0, read_check, NULL },
	{ "SSL_GET", 0, read_check, NULL },
	{ "SMTP_CHECK", 0, read_check, NULL },
	{ "DNS_CHECK", 0, read_check, NULL },
	{ "MISC_CHECK", 0, read_check, NULL },
	{ "UDP_CHECK", 0, read_check, NULL },
	{ "PING_CHECK", 0, read_check, NULL },
};

/* Reads the statements of a check, of which none is carried. */
static void read_parameters(struct parser *parser)
{
	struct statement statement;
	size_t depth = 1;

	while (depth > 0 && scan_next(parser->scanner, parser->site, &statement)) {
		if (statement.n > 0)
			site_note(parser->site, statement.line, "\"%.64s\": " CHECKS,
				statement.words[0]);
		if (statement.end == STATEMENT_OPEN)
			depth++;
		else if (statement.end == STATEMENT_CLOSE)
			depth--;
	}
}

/* Reads "ADDRESS PORT" behind the statement's first word; without a port, it is every one. */
static bool read_endpoint(struct parser *parser, const struct statement *statement,
	struct address *ret_address, uint16_t *ret_port)
{
	struct known_port port = { 0 };

	if (!site_read_address(
		    parser->site, statement->line, statement_word(statement, 1), ret_address))
		return false;
	if (statement->n > 2 &&
		!site_read_port(parser->site, statement->line, statement->words[2], &port))
		return false;
	*ret_port = port.port;
	return true;
}

static struct site_service *add_service(struct parser *parser)
{
	char name[32];

	if (parser->port)
		snprintf(name, sizeof(name), "%s-%u", conf_protocol_name(parser->protocol),
			parser->port);
	else
		snprintf(name, sizeof(name), "%s", conf_protocol_name(parser->protocol));
	return site_add_service(
		parser->site, parser->line, name, &parser->vip, parser->protocol, parser->port);
}

static void read_real(struct parser *parser, const struct statement *opening)
{
	struct statement statement = { .end = STATEMENT_LINE };
	struct address address;
	uint16_t port;
	bool valid = read_endpoint(parser, opening, &address, &port);
	unsigned int line = opening->line;

	parser->weight = 1;
	while (statement.end != STATEMENT_CLOSE &&
		scan_next(parser->scanner, parser->site, &statement)) {
		bool is_check;

		if (statement.n > 0)
			scan_dispatch(real_keywords, ARRAY_SIZE(real_keywords), parser,
				parser->site, &statement);
		is_check = strstr(statement_word(&statement, 0), "_CHECK") ||
			   strstr(statement_word(&statement, 0), "_GET");
		if (statement.end == STATEMENT_OPEN && is_check)
			read_parameters(parser);
		else if (statement.end == STATEMENT_OPEN)
			scan_skip_block(parser->scanner, parser->site);
	}
	/* What is said of the service comes before its servers, and after as well. */
	if (!parser->service)
		parser->service = add_service(parser);
	if (valid && parser->service)
		site_add_real(
			parser->site, parser->service, line, NULL, &address, port, parser->weight);
}

static void read_server_block(struct parser *parser)
{
	struct statement statement = { .end = STATEMENT_LINE };

	while (statement.end != STATEMENT_CLOSE &&
		scan_next(parser->scanner, parser->site, &statement)) {
		if (statement_begins(&statement, "real_server") &&
			statement.end == STATEMENT_OPEN) {
			read_real(parser, &statement);
			continue;
		}
		if (statement.n > 0)
			scan_dispatch(server_keywords, ARRAY_SIZE(server_keywords), parser,
				parser->site, &statement);
		if (statement.end == STATEMENT_OPEN)
			scan_skip_block(parser->scanner, parser->site);
	}
}

static void read_server(struct parser *parser, const struct statement *opening)
{
	char name[CONF_NAME_MAX + 1];

	if (!read_endpoint(parser, opening, &parser->vip, &parser->port)) {
		site_note(parser->site, opening->line,
			"this virtual_server is left out: it is at no address of its own");
		return scan_skip_block(parser->scanner, parser->site);
	}
	parser->line = opening->line;
	parser->protocol = CONF_PROTOCOL_TCP;
	parser->scheduler = CONF_SCHEDULER_RR;
	parser->stateless = false;
	parser->persistence = 0;
	parser->check = NULL;
	parser->service = NULL;
	read_server_block(parser);
	if (!parser->service) {
		site_note(parser->site, parser->line,
			"this virtual_server is left out: it has no servers");
		return;
	}
	snprintf(name, sizeof(name), "%s%s", conf_protocol_name(parser->protocol),
		strchr(parser->service->name, '-') ? strchr(parser->service->name, '-') : "");
	site_set_name(parser->service->name, name);
	parser->service->protocol = parser->protocol;
	parser->service->scheduler = parser->scheduler;
	parser->service->udp_stateless = parser->stateless;
	parser->service->persistence = parser->persistence;
	parser->service->check = parser->check;
}

static const struct keyword blocks[] = {
	{ "vrrp_instance", 0, NULL,
		"keepalived goes on doing this, see /usr/share/doc/drover/keepalived" },
	{ "vrrp_script", 0, NULL,
		"keepalived goes on doing this, see /usr/share/doc/drover/keepalived" },
	{ "vrrp_sync_group", 0, NULL,
		"keepalived goes on doing this, see /usr/share/doc/drover/keepalived" },
	{ "global_defs", 0, NULL, "these are settings of keepalived itself" },
	{ "virtual_server_group", 0, NULL, "a virtual_server must have its own address" },
};

void parse_keepalived(struct site *site, char *text)
{
	struct scanner scanner = { .at = text, .line = 1, .comments = "#!", .has_blocks = true };
	struct parser parser = { .site = site, .scanner = &scanner };
	struct statement statement;

	while (scan_next(&scanner, site, &statement)) {
		bool opens = statement.end == STATEMENT_OPEN;

		if (opens && statement_begins(&statement, "virtual_server")) {
			read_server(&parser, &statement);
			continue;
		}
		if (statement.n > 0)
			scan_dispatch(blocks, ARRAY_SIZE(blocks), &parser, site, &statement);
		if (opens)
			scan_skip_block(&scanner, site);
	}
}
