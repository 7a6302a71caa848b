/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What drover-helper's command line and the cluster add to a file, or have instead of one. */
#include "reader.h"

#include "drover/vipaddrs.h"

#include <errno.h>
#include <string.h>

void conf_helper_name(const struct address *address, char name[static ADDRESS_TEXT_MAX])
{
	address_format(address, name);
	for (char *at = name; *at; at++)
		if (*at == ':')
			*at = '-';
	/* A name begins with a letter or digit. */
	if (*name == '-')
		*name = '0';
}

static void replace_text(struct reader *reader, const char *text, char **ret_text)
{
	char *copy = strdup(text);

	if (!copy)
		return fault_no_memory(reader);
	free(*ret_text);
	*ret_text = copy;
}

/* --- hosts ---------------------------------------------------------------------------------- */

static struct conf_member *find_host(struct conf_group *group, const struct address *address)
{
	for (size_t i = 0; i < group->n_members; i++)
		if (address_equal(&group->members[i].address, address))
			return &group->members[i];
	return NULL;
}

static struct conf_member *append_host(
	struct reader *reader, struct conf_group *group, const struct address *address)
{
	struct conf_member *member = array_append(group->members, group->n_members);
	char name[ADDRESS_TEXT_MAX];

	if (!member) {
		fault_no_memory(reader);
		return NULL;
	}
	conf_helper_name(address, name);
	member->address = *address;
	member->balancer = true;
	member->location = group->location;
	replace_text(reader, name, &member->name);
	return member;
}

static void take_server(
	struct reader *reader, struct conf_group *group, const struct conf_server *server)
{
	const char *fault = address_fault(&server->address);
	struct conf_member *member = find_host(group, &server->address);
	char text[ADDRESS_TEXT_MAX];

	if (fault)
		return fault_add(reader, group->location, "server %s %s",
			address_format(&server->address, text), fault);
	if (!member)
		member = append_host(reader, group, &server->address);
	if (!member)
		return;
	member->balancer_only = false;
	member->weight = server->weight;
}

/* A list replaces the membership; who is only in the file has no part in it now. */
static void take_servers(
	struct reader *reader, struct conf_group *group, const struct conf_servers *servers)
{
	for (size_t i = 0; i < group->n_members; i++)
		group->members[i].weight = 0;
	for (size_t i = 0; i < servers->n; i++)
		take_server(reader, group, &servers->list[i]);
}

static const struct conf_servers *find_servers(
	const struct conf_helper *helper, const struct conf_group *group)
{
	for (size_t i = 0; i < helper->n_servers; i++)
		if (group->name && strcmp(helper->servers[i].group, group->name) == 0)
			return &helper->servers[i];
	return NULL;
}

/* --- this host ------------------------------------------------------------------------------ */

static bool is_vip(const struct conf *conf, const struct address *address)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t v = 0; v < conf->groups[g].n_vips; v++)
			if (prefix_contains(&conf->groups[g].vips[v].prefix, address))
				return true;
	return false;
}

bool conf_helper_is_own(const struct conf_helper *helper, const struct address *address)
{
	for (size_t i = 0; i < helper->n_own; i++)
		if (address_equal(&helper->own[i].address, address))
			return true;
	return false;
}

/* The host that is this one: the file may name it, else one of its addresses tells. */
static const struct conf_member *find_self(
	const struct conf *conf, const struct conf_helper *helper)
{
	if (conf->node)
		return conf_find_member(conf, conf->node);
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (conf->groups[g].members[m].name &&
				conf_helper_is_own(helper, &conf->groups[g].members[m].address))
				return &conf->groups[g].members[m];
	return NULL;
}

/* An address that others would know this host by. VIPs may be on the interface, too. */
static const struct address *choose_own(const struct conf *conf, const struct conf_helper *helper)
{
	for (size_t i = 0; i < helper->n_own; i++) {
		const struct conf_own *own = &helper->own[i];

		if (conf->interface && strcmp(own->interface, conf->interface) == 0 &&
			!is_vip(conf, &own->address) && !address_fault(&own->address))
			return &own->address;
	}
	return NULL;
}

/* A group that nobody is known of yet has this host: one server is better than none. */
static void join_group(struct reader *reader, struct conf_group *group, const char *name,
	const struct address *own)
{
	struct conf_member *self = find_host(group, own);
	bool alone = group->n_members == 0 && !find_servers(reader->helper, group);

	if (!self) {
		self = append_host(reader, group, own);
		if (!self)
			return;
		replace_text(reader, name, &self->name);
		self->balancer_only = !alone;
		self->weight = alone ? CONF_WEIGHT_DEFAULT : 0;
	}
	self->balancer = true;
}

/* Makes this host a balancer of each group, whoever the servers are. */
static void place_self(struct reader *reader)
{
	struct conf *conf = reader->conf;
	const struct conf_member *self = find_self(conf, reader->helper);
	const struct address *found = self ? &self->address : choose_own(conf, reader->helper);
	struct address own;
	char name[ADDRESS_TEXT_MAX];

	if (!self && (conf->node || reader->node_location.line > 0))
		return;
	if (!found)
		return fault_add(reader, conf_nowhere(conf),
			"%s has no address that would tell which server this host is: set node",
			conf->interface);
	own = *found; /* hosts are about to move */
	conf_helper_name(&own, name);
	if (!conf->node)
		replace_text(reader, self ? self->name : name, &conf->node);
	for (size_t g = 0; conf->node && g < conf->n_groups; g++)
		join_group(reader, &conf->groups[g], conf->node, &own);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void add_group(struct reader *reader)
{
	struct conf *conf = reader->conf;
	struct conf_group *group = array_append(conf->groups, conf->n_groups);

	if (!group)
		return fault_no_memory(reader);
	group->location = conf_nowhere(conf);
	replace_text(reader, CONF_HELPER_GROUP, &group->name);
}

/* What the cluster's own script balances: all ports alike, a client's connections together. */
static void add_service(struct reader *reader, struct conf_group *group)
{
	struct conf_service *service = array_append(group->services, group->n_services);
	int persistence = reader->helper->persistence;

	if (!service)
		return fault_no_memory(reader);
	replace_text(reader, "all", &service->name);
	service->protocol = CONF_PROTOCOL_ANY;
	service->scheduler = CONF_SCHEDULER_HASH;
	service->persistence = persistence < 0 ? CONF_HELPER_PERSISTENCE
					       : (unsigned int)persistence;
	service->all_members = true;
	service->location = group->location;
}

static void complete_group(struct reader *reader, struct conf_group *group)
{
	const struct conf_servers *servers = find_servers(reader->helper, group);
	const char *file = reader->helper->vips_file;

	if (group->n_vips == 0)
		vips_file_take(reader, group, group->location, file ? file : VIPADDRS_DEFAULT_PATH);
	if (group->n_services == 0)
		add_service(reader, group);
	if (servers)
		take_servers(reader, group, servers);
}

void helper_complete(struct reader *reader)
{
	const struct conf_helper *helper = reader->helper;
	struct conf *conf = reader->conf;

	conf->told = true;
	if (conf->election == CONF_ELECTION_ALWAYS)
		fault_add(reader, conf_nowhere(conf),
			"election = \"always\" does not go with drover-helper: the cluster elects");
	if (helper->interface || !conf->interface)
		replace_text(reader, helper->interface ? helper->interface : CONF_HELPER_INTERFACE,
			&conf->interface);
	if (helper->sync_id >= 0)
		conf->sync.id = (unsigned int)helper->sync_id;
	if (conf->n_groups == 0)
		add_group(reader);
	for (size_t i = 0; i < conf->n_groups; i++)
		complete_group(reader, &conf->groups[i]);
	place_self(reader);
	for (size_t i = 0; i < conf->n_groups; i++)
		services_fill(reader, &conf->groups[i]);
}
