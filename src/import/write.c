/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A drover.conf from a site. VIPs that have the same services are one group. */
#include "site.h"

#include <string.h>

struct writer {
	struct site *site;
	const struct import_options *options;
	FILE *out;
	size_t n_groups;
	const char *node;
	size_t balancer; /* the member that is one; n_members: it is another host, or all are */
	bool has_balancer;
};

/* The next service of a VIP, from an index on; n_services if there is none. */
static size_t next_of_vip(const struct site *site, const struct address *vip, size_t index)
{
	while (index < site->n_services && !address_equal(&site->services[index].vip, vip))
		index++;
	return index;
}

static bool is_first_of_vip(const struct site *site, size_t index)
{
	return next_of_vip(site, &site->services[index].vip, 0) == index;
}

static bool same_service(const struct site_service *a, const struct site_service *b)
{
	if (a->protocol != b->protocol || a->port != b->port || a->scheduler != b->scheduler ||
		a->persistence != b->persistence || a->check != b->check ||
		a->n_reals != b->n_reals)
		return false;
	for (size_t i = 0; i < a->n_reals; i++)
		if (a->reals[i].member != b->reals[i].member ||
			a->reals[i].weight != b->reals[i].weight)
			return false;
	return true;
}

/* Whether the VIPs of two services have the same services in the same order. */
static bool same_group(const struct site *site, size_t a, size_t b)
{
	const struct address *vip_a = &site->services[a].vip, *vip_b = &site->services[b].vip;

	while (a < site->n_services && b < site->n_services) {
		if (!same_service(&site->services[a], &site->services[b]))
			return false;
		a = next_of_vip(site, vip_a, a + 1);
		b = next_of_vip(site, vip_b, b + 1);
	}
	return a == b;
}

/* Whether an earlier VIP has the same services, so that its group has this one as well. */
static bool is_joined(const struct site *site, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_first_of_vip(site, i) && same_group(site, i, index))
			return true;
	return false;
}

static void write_vips(const struct writer *writer, size_t first)
{
	const struct site *site = writer->site;
	const char *between = "";
	char text[ADDRESS_TEXT_MAX];

	fputs("    vips = [ ", writer->out);
	for (size_t i = first; i < site->n_services; i++) {
		if (!is_first_of_vip(site, i) || !same_group(site, first, i))
			continue;
		fprintf(writer->out, "%s\"%s\"", between,
			address_format(&site->services[i].vip, text));
		between = ", ";
	}
	fputs(" ];\n", writer->out);
}

/* What a group's members weigh, by the first service that has them; -1: not of the group. */
static void weigh_members(const struct writer *writer, size_t first, int *weights)
{
	struct site *site = writer->site;
	const struct address *vip = &site->services[first].vip;

	memset(weights, 0xff, site->n_members * sizeof(*weights));
	for (size_t i = first; i < site->n_services; i = next_of_vip(site, vip, i + 1)) {
		const struct site_service *service = &site->services[i];

		for (size_t j = 0; j < service->n_reals; j++) {
			const struct site_real *real = &service->reals[j];

			if (weights[real->member] < 0)
				weights[real->member] = (int)real->weight;
			else if (weights[real->member] != (int)real->weight)
				site_note(site, real->line,
					"weight %u of \"%s\" in \"%s\": a member has one weight "
					"for "
					"all services; %d is kept",
					real->weight, site->members[real->member].name,
					service->name, weights[real->member]);
		}
	}
}

/* Equal weights are drover's default, whatever the device counts in. */
static bool are_equal(const int *weights, size_t n)
{
	int weight = -1;

	for (size_t i = 0; i < n; i++) {
		if (weights[i] < 0)
			continue;
		if (weights[i] == 0 || (weight > 0 && weights[i] != weight))
			return false;
		weight = weights[i];
	}
	return true;
}

static void write_members(const struct writer *writer, const int *weights)
{
	const struct site *site = writer->site;
	bool equal = are_equal(weights, site->n_members);
	const char *between = "";
	char text[ADDRESS_TEXT_MAX];

	fputs("    members = (", writer->out);
	for (size_t i = 0; i < site->n_members; i++) {
		if (weights[i] < 0)
			continue;
		fprintf(writer->out, "%s\n      { name = \"%s\"; address = \"%s\";", between,
			site->members[i].name, address_format(&site->members[i].address, text));
		if (!equal)
			fprintf(writer->out, " weight = %d;", weights[i]);
		if (!writer->has_balancer || writer->balancer == i)
			fputs(" balancer = true;", writer->out);
		fputs(" }", writer->out);
		between = ",";
	}
	fputs("\n    );\n", writer->out);
	if (writer->has_balancer && writer->balancer == site->n_members)
		fprintf(writer->out, "    balancers = ( { name = \"%s\"; address = \"%s\"; } );\n",
			writer->node, address_format(&site->balancer, text));
}

/* Whether a service has all members of the group, in their order. */
static bool has_all_members(
	const struct site *site, const struct site_service *service, const int *weights)
{
	size_t n = 0;

	for (size_t i = 0; i < site->n_members; i++) {
		if (weights[i] < 0)
			continue;
		if (n == service->n_reals || service->reals[n].member != i)
			return false;
		n++;
	}
	return n == service->n_reals;
}

static void write_service(const struct writer *writer, size_t index, const int *weights)
{
	const struct site *site = writer->site;
	const struct site_service *service = &site->services[index];
	FILE *out = writer->out;

	fprintf(out, "\n      { name = \"%s\"; protocol = \"%s\";", service->name,
		conf_protocol_name(service->protocol));
	if (service->port)
		fprintf(out, " ports = \"%u\";", service->port);
	fprintf(out, " scheduler = \"%s\";", conf_scheduler_name(service->scheduler));
	if (service->persistence)
		fprintf(out, "\n        persistence = %u;", service->persistence);
	/* Without a port only one kind has something to ask. */
	if (service->check && (service->port || strcmp(service->check, "icmp") == 0))
		fprintf(out, "\n        check = \"%s\";", service->check);
	if (!has_all_members(site, service, weights)) {
		fputs("\n        members = [", out);
		for (size_t i = 0; i < service->n_reals; i++)
			fprintf(out, "%s \"%s\"", i ? "," : "",
				site->members[service->reals[i].member].name);
		fputs(" ];", out);
	}
	fputs(" }", out);
}

/* Gives a service that has no name, or one that its VIP has already, one of its own. */
static void name_service(struct site *site, size_t index)
{
	struct site_service *service = &site->services[index];
	const struct address *vip = &service->vip;

	for (size_t i = next_of_vip(site, vip, 0); i < index; i = next_of_vip(site, vip, i + 1))
		if (strcmp(site->services[i].name, service->name) == 0)
			service->name[0] = '\0';
	if (!service->name[0])
		snprintf(service->name, sizeof(service->name), "service_%zu", index + 1);
}

static int write_group(struct writer *writer, size_t first)
{
	struct site *site = writer->site;
	const char *name = writer->options->group ? writer->options->group : "A";
	_cleanup_(free_p) int *weights = calloc(site->n_members, sizeof(*weights));
	const char *between = "";

	if (!weights)
		return -1;
	weigh_members(writer, first, weights);
	fprintf(writer->out, "%s\n  {\n    name = \"%s", writer->n_groups ? "," : "", name);
	if (writer->n_groups++)
		fprintf(writer->out, "%zu", writer->n_groups);
	fputs("\";\n", writer->out);
	write_vips(writer, first);
	write_members(writer, weights);
	fputs("    services = (", writer->out);
	for (size_t i = first; i < site->n_services;
		i = next_of_vip(site, &site->services[first].vip, i + 1)) {
		fputs(between, writer->out);
		write_service(writer, i, weights);
		between = ",";
	}
	fputs("\n    );\n  }", writer->out);
	return 0;
}

/* Who balances: the host at the balancer's address, or else all members may. */
static void choose_balancer(struct writer *writer)
{
	struct site *site = writer->site;
	const struct import_options *options = writer->options;

	if (options->address.family != AF_UNSPEC)
		site->balancer = options->address;
	writer->has_balancer = site->balancer.family != AF_UNSPEC;
	writer->balancer = site->n_members;
	writer->node = options->node ? options->node : "lb1";
	for (size_t i = 0; writer->has_balancer && i < site->n_members; i++)
		if (address_equal(&site->members[i].address, &site->balancer))
			writer->balancer = i;
	if (!writer->has_balancer && !options->node)
		writer->node = site->members[site->services[0].reals[0].member].name;
	else if (writer->balancer < site->n_members)
		writer->node = site->members[writer->balancer].name;
}

static void write_head(const struct writer *writer)
{
	const char *interface = writer->options->interface;

	fputs("# Made by droverctl import. Adapt node and interface, which are this host's; checks "
	      "ask\n# members at their own addresses, with defaults. See drover.conf(5).\n",
		writer->out);
	fprintf(writer->out, "node = \"%s\";\ninterface = \"%s\";\n", writer->node,
		interface ? interface : "eth0");
	fprintf(writer->out, "election = \"%s\";\n\n",
		conf_election_name(
			writer->has_balancer ? CONF_ELECTION_ALWAYS : CONF_ELECTION_MANUAL));
}

char *site_write(struct site *site, const struct import_options *options)
{
	struct writer writer = { .site = site, .options = options };
	char *text = NULL;
	size_t size;
	int r = 0;

	if (site->n_services == 0 || !(writer.out = open_memstream(&text, &size)))
		return NULL;
	choose_balancer(&writer);
	write_head(&writer);
	fputs("groups = (", writer.out);
	for (size_t i = 0; i < site->n_services; i++)
		name_service(site, i);
	for (size_t i = 0; i < site->n_services && r == 0; i++)
		if (is_first_of_vip(site, i) && !is_joined(site, i))
			r = write_group(&writer, i);
	fputs("\n);\n", writer.out);
	if (fclose(writer.out) == 0 && r == 0)
		return text;
	free(text);
	return NULL;
}
