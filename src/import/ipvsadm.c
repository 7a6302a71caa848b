/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `ipvsadm -Sn` writes: one command a line, -A for a service, -a for a server of it. */
#include "ipvs.h"
#include "parsers.h"
#include "scan.h"

#include <string.h>

enum { PERSISTENCE_DEFAULT = 300 }; /* of -p without a number, ipvsadm(8) */

struct command {
	struct site *site;
	const struct statement *statement;
	bool adds_service, adds_server, stateless, unroutable;
	enum conf_protocol protocol;
	const char *vip, *real;
	const char *scheduler;
	unsigned int persistence, weight;
};

struct option {
	const char *brief, *full;
	void (*read)(struct command *command, const char *value);
	bool has_value;
	const char *reason; /* why it is not carried, where it is not read */
};

static void read_service(struct command *command, const char *value)
{
	(void)value;
	command->adds_service = true;
}

static void read_server(struct command *command, const char *value)
{
	(void)value;
	command->adds_server = true;
}

static void read_tcp(struct command *command, const char *value)
{
	command->protocol = CONF_PROTOCOL_TCP;
	command->vip = value;
}

static void read_udp(struct command *command, const char *value)
{
	command->protocol = CONF_PROTOCOL_UDP;
	command->vip = value;
}

static void read_other(struct command *command, const char *value)
{
	site_note(command->site, command->statement->line,
		"service %.64s: it is of a firewall mark or of SCTP; drover has VIPs, TCP and UDP",
		value);
	command->unroutable = true;
}

static void read_scheduler(struct command *command, const char *value)
{
	command->scheduler = value;
}

static void read_persistent(struct command *command, const char *value)
{
	command->persistence = PERSISTENCE_DEFAULT;
	if (*value)
		site_read_persistence(
			command->site, command->statement->line, value, &command->persistence);
}

static void read_stateless(struct command *command, const char *value)
{
	(void)value;
	command->stateless = true;
}

static void read_real(struct command *command, const char *value)
{
	command->real = value;
}

static void read_weight(struct command *command, const char *value)
{
	site_read_weight(command->site, command->statement->line, value, &command->weight);
}

static void read_routing(struct command *command, const char *value)
{
	(void)command;
	(void)value;
}

static const struct option options[] = {
	{ "-A", "--add-service", read_service, false, NULL },
	{ "-a", "--add-server", read_server, false, NULL },
	{ "-t", "--tcp-service", read_tcp, true, NULL },
	{ "-u", "--udp-service", read_udp, true, NULL },
	{ "-f", "--fwmark-service", read_other, true, NULL },
	{ "", "--sctp-service", read_other, true, NULL },
	{ "-s", "--scheduler", read_scheduler, true, NULL },
	{ "-p", "--persistent", read_persistent, false, NULL },
	{ "-o", "--ops", read_stateless, false, NULL },
	{ "-r", "--real-server", read_real, true, NULL },
	{ "-w", "--weight", read_weight, true, NULL },
	{ "-g", "--gatewaying", read_routing, false, NULL },
	{ "-i", "--ipip", NULL, false, SITE_DIRECT },
	{ "-m", "--masquerading", NULL, false, SITE_DIRECT },
	{ "-M", "--netmask", NULL, true, "persistence is by the client's whole address" },
	{ "", "--pe", NULL, true, "persistence is by address, not by what packets say" },
	{ "-b", "--sched-flags", NULL, true, "schedulers have no flags" },
	{ "-x", "--u-threshold", NULL, true, "connections of a server are not limited" },
	{ "-y", "--l-threshold", NULL, true, "connections of a server are not limited" },
	{ "-6", "--ipv6", read_routing, false, NULL },
	{ "-n", "--numeric", read_routing, false, NULL },
};

static const struct option *find_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].brief, word) == 0 || strcmp(options[i].full, word) == 0)
			return &options[i];
	return NULL;
}

static void read_options(struct command *command)
{
	const struct statement *statement = command->statement;

	for (size_t i = 0; i < statement->n; i++) {
		const char *word = statement->words[i], *value = "";
		const struct option *option = find_option(word);

		if (!option) {
			site_note(command->site, statement->line, "\"%.64s\" is not known here",
				word);
			continue;
		}
		/* -p has a value or none, as its next word looks. */
		if (option->has_value || (option->read == read_persistent &&
						 *statement_word(statement, i + 1) != '-'))
			value = statement_word(statement, ++i);
		if (option->read)
			option->read(command, value);
		else if (!(strcmp(option->brief, "-x") == 0 || strcmp(option->brief, "-y") == 0) ||
			 strcmp(value, "0") != 0)
			site_note(
				command->site, statement->line, "\"%s\": %s", word, option->reason);
	}
}

/* Reads "ADDRESS:PORT"; port 0 is every port. */
static bool read_endpoint(
	const struct command *command, const char *text, struct address *address, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char host[ADDRESS_TEXT_MAX + 2];
	unsigned long number;

	if (endpoint_parse(text, address, port) == 0)
		return true;
	if (colon && scan_number(colon + 1, 0, &number) && colon - text < (long)sizeof(host)) {
		bool bracketed = *text == '[';

		snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * bracketed,
			text + bracketed);
		*port = 0;
		if (colon - text > 2 * bracketed && address_parse(host, address) == 0)
			return true;
	}
	site_note(command->site, command->statement->line, "\"%.64s\" is no ADDRESS:PORT", text);
	return false;
}

static void add_service(const struct command *command, const struct address *vip, uint16_t port)
{
	struct site_service *service;
	char name[32];

	if (port)
		snprintf(name, sizeof(name), "%s-%u", conf_protocol_name(command->protocol), port);
	else
		snprintf(name, sizeof(name), "%s", conf_protocol_name(command->protocol));
	service = site_add_service(
		command->site, command->statement->line, name, vip, command->protocol, port);
	if (!service)
		return;
	service->persistence = command->persistence;
	service->udp_stateless = command->stateless;
	ipvs_read_scheduler(command->site, command->statement->line,
		command->scheduler ? command->scheduler : IPVS_SCHEDULER_DEFAULT,
		&service->scheduler);
}

static void add_server(const struct command *command, const struct address *vip, uint16_t port)
{
	struct site *site = command->site;
	struct address address;
	uint16_t real_port;

	if (!command->real || !read_endpoint(command, command->real, &address, &real_port))
		return;
	for (size_t i = site->n_services; i-- > 0;) {
		struct site_service *service = &site->services[i];

		if (service->port != port || service->protocol != command->protocol ||
			!address_equal(&service->vip, vip))
			continue;
		site_add_real(site, service, command->statement->line, NULL, &address, real_port,
			command->weight);
		return;
	}
	site_note(site, command->statement->line, "server %.64s is of no service above",
		command->real);
}

static void run_command(struct command *command)
{
	struct address vip;
	uint16_t port;

	read_options(command);
	if (command->unroutable)
		return;
	if (command->adds_service == command->adds_server || !command->vip) {
		site_note(command->site, command->statement->line,
			"this adds neither a service nor a server");
		return;
	}
	if (!read_endpoint(command, command->vip, &vip, &port))
		return;
	if (command->adds_service)
		add_service(command, &vip, port);
	else
		add_server(command, &vip, port);
}

void parse_ipvsadm(struct site *site, char *text)
{
	struct scanner scanner = { .at = text, .line = 1, .comments = "#" };
	struct statement statement;

	while (scan_next(&scanner, site, &statement)) {
		struct command command = { .site = site, .statement = &statement, .weight = 1 };

		run_command(&command);
	}
}
