/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no setting can tell about itself: whether they go together. Of two that
 * do not, the later one in the file is at fault. Values that could not be
 * read (a NULL name, an address without family) were reported already.
 */
#include "internal.h"

#include "drover/ports.h"

#include <string.h>

static bool same_name(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->family != AF_UNSPEC && address_equal(a, b);
}

static bool same_mac(const struct conf_member *a, const struct conf_member *b)
{
	return a->has_mac && b->has_mac && mac_equal(&a->mac, &b->mac);
}

/* --- within a group ------------------------------------------------------ */

static void check_member_pair(
	struct reader *reader, const struct conf_member *first, const struct conf_member *second)
{
	char text[ADDRESS_TEXT_MAX], mac[MAC_TEXT_MAX];

	if (same_name(first->name, second->name))
		fault_add(reader, second->location, "there are two members \"%s\"", second->name);
	if (same_address(&first->address, &second->address))
		fault_add(reader, second->location, "two members have the address %s",
			address_format(&second->address, text));
	if (same_mac(first, second))
		fault_add(reader, second->location, "two members have the mac %s",
			mac_format(&second->mac, mac));
}

/* Members are few: comparing each with each is the simplest way to miss none. */
static void check_members(struct reader *reader, const struct conf_group *group)
{
	bool has_balancer = false;

	if (group->n_members > CONF_MEMBERS_MAX)
		return fault_add(reader, group->location, "%zu members and balancers, more than %d",
			group->n_members, CONF_MEMBERS_MAX);
	for (size_t i = 0; i < group->n_members; i++) {
		has_balancer |= group->members[i].balancer;
		for (size_t j = 0; j < i; j++)
			check_member_pair(reader, &group->members[j], &group->members[i]);
	}
	if (group->n_members > 0 && !has_balancer)
		fault_add(reader, group->location,
			"there is no balancer: no member has balancer = true");
}

static void check_outgoing_pair(struct reader *reader, const struct conf_outgoing *first,
	const struct conf_outgoing *second)
{
	char a[PORT_RANGE_TEXT_MAX], b[PORT_RANGE_TEXT_MAX];

	if (port_range_overlaps(&first->range, &second->range))
		fault_add(reader, second->location, "outgoing %s overlaps outgoing %s of line %u",
			port_range_format(&second->range, b), port_range_format(&first->range, a),
			first->location.line);
}

static void check_outgoing_services(
	struct reader *reader, const struct conf_group *group, const struct conf_outgoing *outgoing)
{
	char a[PORT_RANGE_TEXT_MAX], b[PORT_RANGE_TEXT_MAX];

	for (size_t i = 0; i < group->n_services; i++) {
		const struct conf_service *service = &group->services[i];

		for (size_t j = 0; j < service->n_ports; j++)
			if (port_range_overlaps(&outgoing->range, &service->ports[j]))
				fault_add(reader, outgoing->location,
					"outgoing %s overlaps ports %s of service \"%s\"",
					port_range_format(&outgoing->range, a),
					port_range_format(&service->ports[j], b),
					service->name ? service->name : "");
	}
}

/* Checks the outgoing ranges of member i with those before it. */
static void check_outgoing(struct reader *reader, const struct conf_group *group, size_t i)
{
	const struct conf_member *member = &group->members[i];

	for (size_t k = 0; k < member->n_outgoing; k++) {
		check_outgoing_services(reader, group, &member->outgoing[k]);
		for (size_t l = 0; l < k; l++)
			check_outgoing_pair(reader, &member->outgoing[l], &member->outgoing[k]);
		for (size_t j = 0; j < i; j++)
			for (size_t l = 0; l < group->members[j].n_outgoing; l++)
				check_outgoing_pair(reader, &group->members[j].outgoing[l],
					&member->outgoing[k]);
	}
}

static void check_service_ports(
	struct reader *reader, const struct conf_service *first, const struct conf_service *second)
{
	char text[PORT_RANGE_TEXT_MAX];

	for (size_t i = 0; i < second->n_ports; i++)
		for (size_t j = 0; j < first->n_ports; j++)
			if (second->ports[i].first > 0 &&
				port_range_overlaps(&second->ports[i], &first->ports[j]))
				fault_add(reader, second->location,
					"ports %s overlap service \"%s\" of line %u",
					port_range_format(&second->ports[i], text),
					first->name ? first->name : "", first->location.line);
}

static void check_service_pair(
	struct reader *reader, const struct conf_service *first, const struct conf_service *second)
{
	if (same_name(first->name, second->name))
		fault_add(reader, second->location, "there are two services \"%s\"", second->name);
	if (!(first->protocol & second->protocol))
		return;
	if (first->n_ports == 0 && second->n_ports == 0)
		fault_add(reader, second->location,
			"service \"%s\" of line %u has all other ports already",
			first->name ? first->name : "", first->location.line);
	check_service_ports(reader, first, second);
}

static void check_services(struct reader *reader, const struct conf_group *group)
{
	if (group->n_services > CONF_SERVICES_MAX)
		return fault_add(reader, group->location, "%zu services, more than %d",
			group->n_services, CONF_SERVICES_MAX);
	for (size_t i = 0; i < group->n_services; i++)
		for (size_t j = 0; j < i; j++)
			check_service_pair(reader, &group->services[j], &group->services[i]);
}

/* --- VIPs ---------------------------------------------------------------- */

static int compare_vips(const void *a, const void *b)
{
	const struct conf_vip *const *vip_a = a, *const *vip_b = b;
	int order = address_compare(&(*vip_a)->prefix.address, &(*vip_b)->prefix.address);

	if (order != 0)
		return order;
	return (int)(*vip_a)->prefix.length - (int)(*vip_b)->prefix.length;
}

static const struct conf_vip **list_vips(const struct conf *conf, size_t *ret_n)
{
	const struct conf_vip **vips;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_groups; i++)
		n += conf->groups[i].n_vips;
	vips = calloc(n + 1, sizeof(*vips));
	if (!vips)
		return NULL;
	*ret_n = 0;
	for (size_t i = 0; i < conf->n_groups; i++)
		for (size_t j = 0; j < conf->groups[i].n_vips; j++)
			vips[(*ret_n)++] = &conf->groups[i].vips[j];
	return vips;
}

static void report_vip_pair(
	struct reader *reader, const struct conf_vip *first, const struct conf_vip *second)
{
	char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];

	if (location_is_before(reader->conf, &second->location, &first->location)) {
		const struct conf_vip *earlier = second;

		second = first;
		first = earlier;
	}
	fault_add(reader, second->location, "VIP %s overlaps VIP %s of %s:%u",
		prefix_format(&second->prefix, b), prefix_format(&first->prefix, a),
		first->location.file, first->location.line);
}

/* vipaddrs files are long: sorted, a VIP can only overlap the widest one before it. */
void check_vip_overlaps(struct reader *reader)
{
	_cleanup_(free_p) const struct conf_vip **vips = NULL;
	size_t n, widest = 0;

	vips = list_vips(reader->conf, &n);
	if (!vips)
		return fault_no_memory(reader);
	qsort(vips, n, sizeof(*vips), compare_vips);
	for (size_t i = 1; i < n; i++) {
		if (prefix_overlaps(&vips[widest]->prefix, &vips[i]->prefix))
			report_vip_pair(reader, vips[widest], vips[i]);
		else
			widest = i;
	}
}

static void check_vip_hosts(struct reader *reader, const struct conf_vip *vip)
{
	const struct conf *conf = reader->conf;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < conf->n_groups; i++) {
		for (size_t j = 0; j < conf->groups[i].n_members; j++) {
			const struct conf_member *member = &conf->groups[i].members[j];

			if (prefix_contains(&vip->prefix, &member->address))
				fault_add(reader, vip->location,
					"VIP %s has the address of member \"%s\"",
					prefix_format(&vip->prefix, text),
					member->name ? member->name : "");
		}
	}
}

/* --- across groups ------------------------------------------------------- */

/* A name is one host: its state at run time is kept by name. */
static void check_same_host(
	struct reader *reader, const struct conf_group *group, const struct conf_member *member)
{
	const struct conf *conf = reader->conf;

	for (const struct conf_group *other = conf->groups; member->name && other < group;
		other++) {
		const struct conf_member *first = conf_group_find_member(other, member->name);

		if (!first)
			continue;
		if (first->address.family != AF_UNSPEC && member->address.family != AF_UNSPEC &&
			!address_equal(&first->address, &member->address))
			fault_add(reader, member->location,
				"member \"%s\" has another address in group \"%s\"", member->name,
				other->name ? other->name : "");
		if (first->has_mac && member->has_mac && !mac_equal(&first->mac, &member->mac))
			fault_add(reader, member->location,
				"member \"%s\" has another mac in group \"%s\"", member->name,
				other->name ? other->name : "");
	}
}

static void check_group(struct reader *reader, const struct conf_group *group)
{
	const struct conf *conf = reader->conf;
	struct scope scope = {
		.kind = "group",
		.name = group->name,
		.number = (size_t)(group - conf->groups) + 1,
	};

	for (const struct conf_group *other = conf->groups; other < group; other++)
		if (same_name(other->name, group->name))
			fault_add(reader, group->location, "there are two groups \"%s\"",
				group->name);
	reader->scope = &scope;
	check_members(reader, group);
	for (size_t i = 0; i < group->n_members; i++) {
		check_outgoing(reader, group, i);
		check_same_host(reader, group, &group->members[i]);
	}
	check_services(reader, group);
	for (size_t i = 0; i < group->n_vips; i++)
		check_vip_hosts(reader, &group->vips[i]);
	reader->scope = NULL;
}

static bool is_host(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (conf_group_find_member(&conf->groups[i], name))
			return true;
	return false;
}

/* False if a host could not be read, which may be the one that is looked for. */
static bool hosts_are_known(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (group->n_members == 0)
			return false;
		for (size_t j = 0; j < group->n_members; j++)
			if (!group->members[j].name)
				return false;
	}
	return conf->n_groups > 0;
}

/* Without a setting, node is the host name, in full or up to the first dot. */
static void default_node(struct reader *reader)
{
	struct conf *conf = reader->conf;
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	if (!is_host(conf, host))
		host[strcspn(host, ".")] = '\0';
	conf->node = strdup(host);
	if (!conf->node)
		fault_no_memory(reader);
}

static void check_node(struct reader *reader)
{
	struct conf *conf = reader->conf;

	if (!hosts_are_known(conf) || (!conf->node && reader->node_location.line > 0))
		return;
	if (!conf->node)
		default_node(reader);
	if (!conf->node || is_host(conf, conf->node))
		return;
	if (reader->node_location.line > 0)
		fault_add(reader, reader->node_location,
			"node \"%s\" is neither member nor balancer of any group", conf->node);
	else
		fault_add(reader, conf_nowhere(conf),
			"this host, \"%.64s\", is neither member nor balancer of any group: set "
			"node",
			conf->node);
}

/* Whoever asks for sync and would be heard by nobody must not find out at the first failover. */
static void check_sync(struct reader *reader)
{
	const struct conf_sync *sync = &reader->conf->sync;

	if (sync->present && sync->n_peers == 0 && !sync->has_multicast)
		fault_add(reader, sync->location, "sync has neither peers nor multicast");
}

/* What comes for a VIP is the members', or this host's only while it has the duty. */
static void check_metrics(struct reader *reader)
{
	const struct conf *conf = reader->conf;
	const struct conf_metrics *metrics = &conf->metrics;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; metrics->present && i < conf->n_groups; i++)
		for (size_t j = 0; j < conf->groups[i].n_vips; j++) {
			const struct prefix *vip = &conf->groups[i].vips[j].prefix;

			if (prefix_contains(vip, &metrics->listen))
				fault_add(reader, metrics->location,
					"metrics: listen has an address of VIP %s",
					prefix_format(vip, text));
		}
}

void conf_check(struct reader *reader)
{
	const struct conf *conf = reader->conf;

	for (size_t i = 0; i < conf->n_groups; i++)
		check_group(reader, &conf->groups[i]);
	check_vip_overlaps(reader);
	check_node(reader);
	check_sync(reader);
	check_metrics(reader);
}
