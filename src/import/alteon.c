/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Alteon AD3: menu paths, each followed by the settings that were made in that menu. */
#include "parsers.h"
#include "scan.h"

#include <string.h>

enum {
	NUMBER_MAX = 1023,  /* of reals, groups and virts */
	BIND_SECONDS = 600, /* how long "pbind clientip" lasts, unless tmout says another */
};

struct real {
	unsigned long number;
	char name[CONF_NAME_MAX + 1];
	struct address address;
	unsigned int weight, line;
	bool disabled;
};

struct group {
	unsigned long number;
	size_t *reals; /* their numbers, in the order of the file */
	size_t n_reals;
	enum conf_scheduler scheduler;
	const char *check;
	unsigned int line;
	bool has_metric;
};

struct virt {
	unsigned long number;
	struct address address;
	bool disabled;
};

struct service {
	unsigned long virt, group;
	struct known_port port;
	char name[CONF_NAME_MAX + 1];
	unsigned int line, persistence;
	bool stateless, nonat;
};

struct parser {
	struct site *site;
	const struct keyword *menu; /* the settings of the path that was read last; NULL: skipped */
	size_t n_menu;
	struct real *reals;
	size_t n_reals;
	struct group *groups;
	size_t n_groups;
	struct virt *virts;
	size_t n_virts;
	struct service *services;
	size_t n_services;
};

static struct real *last_real(void *data)
{
	struct parser *parser = data;

	return &parser->reals[parser->n_reals - 1];
}

static struct group *last_group(void *data)
{
	struct parser *parser = data;

	return &parser->groups[parser->n_groups - 1];
}

static struct virt *last_virt(void *data)
{
	struct parser *parser = data;

	return &parser->virts[parser->n_virts - 1];
}

static struct service *last_service(void *data)
{
	struct parser *parser = data;

	return &parser->services[parser->n_services - 1];
}

static bool read_index(
	struct parser *parser, const struct statement *statement, size_t at, unsigned long *number)
{
	if (scan_number(statement_word(statement, at), NUMBER_MAX, number))
		return true;
	site_note(parser->site, statement->line, "\"%.64s\" is no number up to %d",
		statement_word(statement, at), NUMBER_MAX);
	return false;
}

/* --- settings ------------------------------------------------------------- */

static void real_address(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	site_read_address(
		parser->site, statement->line, statement->words[1], &last_real(data)->address);
}

static void real_name(void *data, const struct statement *statement)
{
	site_set_name(last_real(data)->name, statement->words[1]);
}

static void real_weight(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	site_read_weight(
		parser->site, statement->line, statement->words[1], &last_real(data)->weight);
}

static void real_disable(void *data, const struct statement *statement)
{
	(void)statement;
	last_real(data)->disabled = true;
}

static void group_add(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct group *group = last_group(data);
	unsigned long number;
	size_t *real;

	if (!read_index(parser, statement, 1, &number))
		return;
	real = site_add_entry(parser->site, &group->reals, &group->n_reals, sizeof(*real));
	if (real)
		*real = number;
}

static void group_metric(void *data, const struct statement *statement)
{
	static const struct scheduler_word metrics[] = {
		{ "roundrobin", CONF_SCHEDULER_RR, NULL },
		{ "hash", CONF_SCHEDULER_SOURCE, NULL },
		{ "minmisses", CONF_SCHEDULER_SOURCE, NULL },
		{ "leastconns", CONF_SCHEDULER_RR, "the connections of servers are not compared" },
		{ "response", CONF_SCHEDULER_RR, "how fast servers answer is not measured" },
		{ "bandwidth", CONF_SCHEDULER_RR, "what servers send is not measured" },
	};
	struct parser *parser = data;
	struct group *group = last_group(data);

	group->has_metric = true;
	site_read_scheduler(parser->site, statement->line, statement->words[1], metrics,
		ARRAY_SIZE(metrics), &group->scheduler);
}

static void group_health(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct known_port port;

	if (strcmp(statement->words[1], "icmp") == 0 || strcmp(statement->words[1], "link") == 0)
		last_group(data)->check = "icmp";
	else if (strcmp(statement->words[1], "tcp") == 0)
		last_group(data)->check = "tcp";
	else if (site_read_port(parser->site, statement->line, statement->words[1], &port))
		last_group(data)->check = port.check;
}

static void virt_address(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	site_read_address(
		parser->site, statement->line, statement->words[1], &last_virt(data)->address);
}

static void virt_disable(void *data, const struct statement *statement)
{
	(void)statement;
	last_virt(data)->disabled = true;
}

static void service_group(void *data, const struct statement *statement)
{
	read_index(data, statement, 1, &last_service(data)->group);
}

static void service_udp(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	struct service *service = last_service(data);

	if (strncmp(statement->words[1], "ena", 3) == 0) {
		service->port.protocol = CONF_PROTOCOL_ANY;
	} else if (strncmp(statement->words[1], "stateless", 9) == 0) {
		service->port.protocol = CONF_PROTOCOL_ANY;
		service->stateless = true;
	} else if (strncmp(statement->words[1], "dis", 3) != 0) {
		site_note(parser->site, statement->line, "\"udp %.64s\" is not known here",
			statement->words[1]);
	}
}

static void service_nonat(void *data, const struct statement *statement)
{
	last_service(data)->nonat = strncmp(statement->words[1], "ena", 3) == 0;
}

static void service_bind(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (strncmp(statement->words[1], "client", 6) == 0)
		last_service(data)->persistence = BIND_SECONDS;
	else if (strncmp(statement->words[1], "dis", 3) != 0)
		site_note(parser->site, statement->line,
			"\"pbind %.64s\": clients are known by their address alone",
			statement->words[1]);
}

static void interface_address(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (parser->site->balancer.family == AF_UNSPEC)
		site_read_address(parser->site, statement->line, statement->words[1],
			&parser->site->balancer);
}

static const struct keyword real_menu[] = {
	{ "ena", 0, NULL, NULL }, { "dis", 0, real_disable, NULL },
	{ "rip", 1, real_address, NULL }, { "name", 1, real_name, NULL },
	{ "weight", 1, real_weight, NULL },
	{ "addport", 0, NULL, NULL }, /* the services say the ports again */
	{ "submac", 0, NULL, NULL },  /* drover sends from its own MAC, always */
};

static const struct keyword group_menu[] = {
	{ "add", 1, group_add, NULL },
	{ "metric", 1, group_metric, NULL },
	{ "health", 1, group_health, NULL },
	{ "name", 0, NULL, NULL },
};

static const struct keyword virt_menu[] = {
	{ "ena", 0, NULL, NULL },
	{ "dis", 0, virt_disable, NULL },
	{ "vip", 1, virt_address, NULL },
};

static const struct keyword service_menu[] = {
	{ "group", 1, service_group, NULL },
	{ "udp", 1, service_udp, NULL },
	{ "nonat", 1, service_nonat, NULL },
	{ "pbind", 1, service_bind, NULL },
};

static const struct keyword interface_menu[] = {
	{ "ena", 0, NULL, NULL },
	{ "addr", 1, interface_address, NULL },
	{ "mask", 0, NULL, SITE_NETWORK },
	{ "broad", 0, NULL, SITE_NETWORK },
	{ "vlan", 0, NULL, SITE_NETWORK },
};

static const struct keyword slb_menu[] = {
	{ "on", 0, NULL, NULL },
};

/* --- paths ---------------------------------------------------------------- */

static void open_menu(struct parser *parser, const struct keyword *menu, size_t n)
{
	parser->menu = menu;
	parser->n_menu = n;
}

/* A path may come again with more settings: an entry of this number is moved to the end. */
static bool find_entry(void *entries, size_t n, size_t size, unsigned long number)
{
	char *entry = entries, *last;

	if (n == 0)
		return false;
	last = entry + (n - 1) * size;
	for (size_t i = 0; i < n; i++, entry += size) {
		if (*(unsigned long *)(void *)entry != number)
			continue;
		for (size_t byte = 0; byte < size; byte++) {
			char kept = entry[byte];

			entry[byte] = last[byte];
			last[byte] = kept;
		}
		return true;
	}
	return false;
}

static void open_real(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	unsigned long number;
	struct real *real;

	if (!read_index(parser, statement, 4, &number))
		return;
	if (!find_entry(parser->reals, parser->n_reals, sizeof(*real), number)) {
		real = site_add_entry(
			parser->site, &parser->reals, &parser->n_reals, sizeof(*real));
		if (!real)
			return;
		*real = (struct real){ .number = number, .weight = 1, .line = statement->line };
		snprintf(real->name, sizeof(real->name), "real%lu", number);
	}
	open_menu(parser, real_menu, ARRAY_SIZE(real_menu));
}

static void open_group(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	unsigned long number;
	struct group *group;

	if (!read_index(parser, statement, 4, &number))
		return;
	if (!find_entry(parser->groups, parser->n_groups, sizeof(*group), number)) {
		group = site_add_entry(
			parser->site, &parser->groups, &parser->n_groups, sizeof(*group));
		if (!group)
			return;
		*group = (struct group){ .number = number,
			.scheduler = CONF_SCHEDULER_RR,
			.check = "tcp",
			.line = statement->line };
	}
	open_menu(parser, group_menu, ARRAY_SIZE(group_menu));
}

static void open_service(
	struct parser *parser, const struct statement *statement, unsigned long virt)
{
	struct service *service;
	struct known_port port;

	if (!site_read_port(parser->site, statement->line, statement_word(statement, 6), &port))
		return;
	service = site_add_entry(
		parser->site, &parser->services, &parser->n_services, sizeof(*service));
	if (!service)
		return;
	*service =
		(struct service){ .virt = virt, .group = 1, .port = port, .line = statement->line };
	service->port.protocol = CONF_PROTOCOL_TCP; /* unless a line "udp" says more */
	site_set_name(service->name, statement->words[6]);
	open_menu(parser, service_menu, ARRAY_SIZE(service_menu));
}

static void open_virt(void *data, const struct statement *statement)
{
	struct parser *parser = data;
	unsigned long number;
	struct virt *virt;

	if (!read_index(parser, statement, 4, &number))
		return;
	if (!find_entry(parser->virts, parser->n_virts, sizeof(*virt), number)) {
		virt = site_add_entry(
			parser->site, &parser->virts, &parser->n_virts, sizeof(*virt));
		if (!virt)
			return;
		virt->number = number;
	}
	open_menu(parser, virt_menu, ARRAY_SIZE(virt_menu));
	if (strcmp(statement_word(statement, 5), "service") == 0) {
		parser->menu = NULL;
		open_service(parser, statement, number);
	}
}

static void open_slb(void *data, const struct statement *statement)
{
	struct parser *parser = data;

	if (statement->n == 3)
		open_menu(parser, slb_menu, ARRAY_SIZE(slb_menu));
	else
		site_note(parser->site, statement->line,
			"\"/c/slb/%.64s\": drover has no such setting", statement->words[3]);
}

static void open_interface(void *data, const struct statement *statement)
{
	(void)statement;
	open_menu(data, interface_menu, ARRAY_SIZE(interface_menu));
}

#define SWITCH "this is of the switch, not of what it balances, with all settings below"

static const struct keyword paths[] = {
	{ "/ c slb real", 1, open_real, NULL },
	{ "/ c slb group", 1, open_group, NULL },
	{ "/ c slb virt", 1, open_virt, NULL },
	{ "/ c slb port", 0, NULL, SWITCH },
	{ "/ c slb", 0, open_slb, NULL },
	{ "/ c ip if", 1, open_interface, NULL },
	{ "/ c", 0, NULL, SWITCH },
};

/* --- what it comes to ------------------------------------------------------- */

static const struct group *find_group(const struct parser *parser, unsigned long number)
{
	for (size_t i = 0; i < parser->n_groups; i++)
		if (parser->groups[i].number == number)
			return &parser->groups[i];
	return NULL;
}

static void add_reals(
	struct parser *parser, const struct group *group, struct site_service *service)
{
	for (size_t i = 0; i < group->n_reals; i++) {
		const struct real *real = NULL;

		for (size_t j = 0; j < parser->n_reals; j++)
			if (parser->reals[j].number == group->reals[i])
				real = &parser->reals[j];
		if (!real || real->disabled || real->address.family == AF_UNSPEC)
			site_note(parser->site, real ? real->line : group->line,
				"real %zu of group %lu is left out: it is disabled or has no "
				"address",
				group->reals[i], group->number);
		else
			site_add_real(parser->site, service, real->line, real->name, &real->address,
				0, real->weight);
	}
}

static void settle_service(struct parser *parser, const struct service *from)
{
	const struct group *group = find_group(parser, from->group);
	const struct virt *virt = NULL;
	struct site_service *service;

	for (size_t i = 0; i < parser->n_virts; i++)
		if (parser->virts[i].number == from->virt)
			virt = &parser->virts[i];
	if (!group || !virt || virt->disabled || virt->address.family == AF_UNSPEC) {
		site_note(parser->site, from->line, "service \"%s\" is left out: %s", from->name,
			group ? "its virt is disabled or has no address" : "it has no group");
		return;
	}
	service = site_add_service(parser->site, from->line, from->name, &virt->address,
		from->port.protocol, from->port.port);
	if (!service)
		return;
	service->scheduler = group->scheduler;
	service->udp_stateless = from->stateless;
	service->persistence = from->persistence;
	service->check = group->check;
	if (!from->nonat)
		site_note(
			parser->site, from->line, "\"%s\" had no nonat: " SITE_DIRECT, from->name);
	add_reals(parser, group, service);
}

static void settle(struct parser *parser)
{
	for (size_t i = 0; i < parser->n_groups; i++)
		if (!parser->groups[i].has_metric)
			site_note(parser->site, parser->groups[i].line,
				"group %lu has the metric leastconns, the device's default: the "
				"connections of servers are not compared; \"rr\" is the nearest",
				parser->groups[i].number);
	for (size_t i = 0; i < parser->n_services; i++)
		settle_service(parser, &parser->services[i]);
}

static void parser_done(struct parser *parser)
{
	for (size_t i = 0; i < parser->n_groups; i++)
		free(parser->groups[i].reals);
	free(parser->reals);
	free(parser->groups);
	free(parser->virts);
	free(parser->services);
}

void parse_alteon(struct site *site, char *text)
{
	struct scanner scanner = { .at = text, .line = 1, .comments = "#", .has_paths = true };
	struct parser parser = { .site = site };
	struct statement statement;

	while (scan_next(&scanner, site, &statement)) {
		bool is_path = strcmp(statement.words[0], "/") == 0;

		if (is_path)
			parser.menu = NULL;
		if (is_path && statement.n > 1)
			scan_dispatch(paths, ARRAY_SIZE(paths), &parser, site, &statement);
		else if (parser.menu)
			scan_dispatch(parser.menu, parser.n_menu, &parser, site, &statement);
	}
	settle(&parser);
	parser_done(&parser);
}
