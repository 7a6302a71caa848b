/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foundry ServerIron: "server real" and "server virtual" paragraphs, tied by "bind". */
#include "parsers.h"
#include "scan.h"

#include <string.h>

enum { STICKY_SECONDS = 300 }; /* the device's own, unless "server sticky-age" says another */

enum port_flags {
	PORT_DSR = 1 << 0,
	PORT_STICKY = 1 << 1,
	PORT_STATELESS = 1 << 2,
	PORT_KEEPALIVE = 1 << 3,
};

/* What "port" lines have said of a port in the paragraph of its server. */
struct port {
	size_t server;
	uint16_t number;
	unsigned int flags;
};

struct server {
	char name[CONF_NAME_MAX + 1];
	struct address address;
	bool is_virtual;
	bool has_predictor; /* of its own, or the global one */
	unsigned int weight;
	enum conf_scheduler scheduler;
};

struct parser {
	struct site *site;
	struct server *servers; /* the last one's paragraph is being read */
	size_t n_servers;
	struct port *ports;
	size_t n_ports;
	enum conf_scheduler scheduler;
	bool has_predictor;
	unsigned int sticky_seconds;
	bool skips; /* a paragraph that could not be read */
};

static const struct scheduler_word predictors[] = {
	{ "round-robin", CONF_SCHEDULER_RR, NULL },
	{ "weighted", CONF_SCHEDULER_RR, NULL },
	{ "least-conn", CONF_SCHEDULER_RR, "the connections of servers are not compared" },
	{ "response-time", CONF_SCHEDULER_RR, "how fast servers answer is not measured" },
};

static struct server *current(const struct parser *parser)
{
	return parser->n_servers ? &parser->servers[parser->n_servers - 1] : NULL;
}

static void read_predictor(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct server *server = current(parser);
	bool is_global = statement_begins(statement, "server");

	if (parser->skips && !is_global)
		return;
	*(is_global || !server ? &parser->has_predictor : &server->has_predictor) = true;
	site_read_scheduler(parser->site, statement->line, statement->words[is_global ? 2 : 1],
		predictors, ARRAY_SIZE(predictors),
		is_global || !server ? &parser->scheduler : &server->scheduler);
}

static void add_server(struct parser *parser, const struct statement *statement, bool is_virtual)
{
	struct server *server;
	struct address address;

	parser->skips = true;
	if (!site_read_address(parser->site, statement->line, statement->words[3], &address))
		return;
	server = site_add_entry(
		parser->site, &parser->servers, &parser->n_servers, sizeof(*server));
	if (!server)
		return;
	*server = (struct server){ .address = address,
		.is_virtual = is_virtual,
		.weight = 1,
		.scheduler = parser->scheduler,
		.has_predictor = parser->has_predictor };
	site_set_name(server->name, statement->words[2]);
	parser->skips = false;
}

static void read_real(void *data, const struct statement *statement)
{
	add_server(data, statement, false);
}

static void read_virtual(void *data, const struct statement *statement)
{
	add_server(data, statement, true);
}

static void read_weight(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct server *server = current(parser);

	if (server && !parser->skips)
		site_read_weight(
			parser->site, statement->line, statement->words[1], &server->weight);
}

static void read_sticky_age(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	unsigned long minutes;

	if (scan_number(statement->words[2], CONF_PERSISTENCE_MAX / 60, &minutes))
		parser->sticky_seconds = 60 * (unsigned int)minutes;
	else
		site_note(parser->site, statement->line,
			"sticky-age \"%.64s\" is not 0..%d minutes", statement->words[2],
			CONF_PERSISTENCE_MAX / 60);
}

static unsigned int flags_of(const struct parser *parser, size_t server, uint16_t port)
{
	unsigned int flags = 0;

	for (size_t i = 0; i < parser->n_ports; i++)
		if (parser->ports[i].server == server && parser->ports[i].number == port)
			flags |= parser->ports[i].flags;
	return flags;
}

static void read_port(void *data, const struct statement *statement)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} words[] = {
		{ "", 0 },
		{ "dsr", PORT_DSR },
		{ "sticky", PORT_STICKY },
		{ "stateless", PORT_STATELESS },
		{ "keepalive", PORT_KEEPALIVE },
	};
	struct parser *parser = data;
	const char *word = statement_word(statement, 2);
	struct known_port known;
	struct port *port;

	if (parser->skips || !parser->n_servers ||
		!site_read_port(parser->site, statement->line, statement->words[1], &known))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(words[i].word, word) != 0)
			continue;
		port = site_add_entry(
			parser->site, &parser->ports, &parser->n_ports, sizeof(*port));
		if (port)
			*port = (struct port){ parser->n_servers - 1, known.port, words[i].flag };
		return;
	}
	site_note(parser->site, statement->line,
		"\"port %.32s %.64s\": drover forwards by address and port alone",
		statement->words[1], word);
}

static const char *check_of(const struct parser *parser, size_t real, const struct known_port *port)
{
	return flags_of(parser, real, port->port) & PORT_KEEPALIVE ? site_check_at(port->port)
								   : NULL;
}

static void bind_real(struct parser *parser, const struct statement *statement, size_t at,
	struct site_service *service)
{
	const char *name = statement->words[at];
	struct known_port port;

	if (!site_read_port(parser->site, statement->line, statement->words[at + 1], &port))
		return;
	for (size_t i = 0; i < parser->n_servers; i++) {
		const struct server *server = &parser->servers[i];

		if (server->is_virtual || strcmp(server->name, name) != 0)
			continue;
		site_add_real(parser->site, service, statement->line, server->name,
			&server->address, port.port, server->weight);
		if (!service->check)
			service->check = check_of(parser, i, &port);
		return;
	}
	site_note(parser->site, statement->line, "there is no \"server real %.64s\" above", name);
}

static void read_bind(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	const struct server *server = current(parser);
	struct site_service *service;
	struct known_port port;
	unsigned int flags;

	if (parser->skips || !server || !server->is_virtual ||
		!site_read_port(parser->site, statement->line, statement->words[1], &port))
		return;
	service = site_add_service(parser->site, statement->line, statement->words[1],
		&server->address, port.protocol, port.port);
	if (!service)
		return;
	flags = flags_of(parser, parser->n_servers - 1, port.port);
	service->scheduler = server->scheduler;
	service->udp_stateless = flags & PORT_STATELESS;
	service->persistence = flags & PORT_STICKY ? parser->sticky_seconds : 0;
	if (!server->has_predictor)
		site_note(parser->site, statement->line,
			"\"%s\" is balanced by least connections, the device's default: these are "
			"not compared; \"rr\" is the nearest",
			service->name);
	if (!(flags & PORT_DSR))
		site_note(parser->site, statement->line, "\"%s\" had no dsr: " SITE_DIRECT,
			service->name);
	for (size_t i = 2; i + 1 < statement->n; i += 2)
		bind_real(parser, statement, i, service);
	if (statement->n % 2)
		site_note(parser->site, statement->line, "\"%.64s\" at the end has no port",
			statement->words[statement->n - 1]);
}

/* The device's address becomes the balancer's, which takes its place. */
static void read_address(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (parser->site->balancer.family == AF_UNSPEC)
		site_read_address(parser->site, statement->line, statement->words[2],
			&parser->site->balancer);
}

static const struct keyword keywords[] = {
	{ "server predictor", 1, read_predictor, NULL },
	{ "server sticky-age", 1, read_sticky_age, NULL },
	{ "server real", 2, read_real, NULL },
	{ "server real-name", 2, read_real, NULL },
	{ "server virtual", 2, read_virtual, NULL },
	{ "server virtual-name", 2, read_virtual, NULL },
	{ "predictor", 1, read_predictor, NULL },
	{ "port", 1, read_port, NULL },
	{ "weight", 1, read_weight, NULL },
	{ "bind", 3, read_bind, NULL },
	{ "ip address", 1, read_address, NULL },
	{ "ip", 0, NULL, SITE_NETWORK },
	{ "end", 0, NULL, NULL },
	{ "Startup configuration:", 0, NULL, NULL },
};

void parse_serveriron(struct site *site, char *text)
{
	struct scanner scanner = { .at = text, .line = 1, .comments = "!" };
	struct parser parser = {
		.site = site, .scheduler = CONF_SCHEDULER_RR, .sticky_seconds = STICKY_SECONDS
	};
	struct statement statement;

	while (scan_next(&scanner, site, &statement))
		scan_dispatch(keywords, ARRAY_SIZE(keywords), &parser, site, &statement);
	free(parser.servers);
	free(parser.ports);
}
