/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of this host. */

#include "internal.h"

#include "drover/route.h"
#include "drover/sysctl.h"

#include <errno.h>
#include <string.h>

/*
 * Somebody to whom only a default route leads: 192.88.99.0/24 was the anycast prefix of 6to4
 * relays, is nobody's since RFC 7526, and is not one of those that documentation and laboratories
 * use.
 */
static const struct address far_away = { .family = AF_INET, .bytes = { 192, 88, 99, 1 } };

static int read_setting(const char *interface, const char *name, struct host_setting *ret_setting)
{
	struct host_setting setting;
	int r;

	r = sysctl_get(AF_INET, HOST_ALL_INTERFACES, name, &setting.all);
	if (r < 0)
		return r;
	r = sysctl_get(AF_INET, interface, name, &setting.interface);
	if (r < 0)
		return r;
	*ret_setting = setting;
	return 0;
}

/*
 * Without IPv6 in the kernel there is no such setting. "all" changes all interfaces when it is
 * written, and says nothing of any of them.
 */
static bool ipv6_is_off(const char *interface)
{
	int disabled;

	return sysctl_get(AF_INET6, interface, "disable_ipv6", &disabled) < 0 || disabled != 0;
}

static int read_settings(struct host_facts *facts)
{
	const char *interface = facts->interface;
	bool is_all = strcmp(interface, HOST_ALL_INTERFACES) == 0;
	unsigned int first, last;
	int r, unused;

	r = read_setting(interface, "arp_ignore", &facts->arp_ignore);
	if (r < 0)
		return r;
	r = read_setting(interface, "arp_announce", &facts->arp_announce);
	if (r < 0)
		return r;
	r = read_setting(interface, "rp_filter", &facts->rp_filter);
	if (r < 0)
		return r;
	r = sysctl_local_port_range(&first, &last);
	if (r < 0)
		return r;
	facts->ephemeral = (struct port_range){ .first = (uint16_t)first, .last = (uint16_t)last };
	facts->has_ipv6 = sysctl_get(AF_INET6, HOST_ALL_INTERFACES, "disable_ipv6", &unused) >= 0;
	facts->ipv6_off_lo = ipv6_is_off("lo");
	facts->ipv6_off_interface = is_all ? !facts->has_ipv6 : ipv6_is_off(interface);
	return 0;
}

static void take_lo(const struct cluster_link *link, void *user_data)
{
	struct host_facts *facts = user_data;

	facts->lo_up = link->running;
}

static int read_lo(struct host_facts *facts)
{
	static const struct link_callbacks callbacks = { .link = take_lo };
	_cleanup_(link_watch_free_p) struct link_watch *lo = NULL;
	int r;

	r = link_watch_new("lo", &callbacks, facts, &lo);
	if (r < 0)
		return r;
	for (size_t i = 0; i < facts->n_vips; i++)
		facts->vips[i].n_on_lo = vip_count_on_lo(lo, &facts->vips[i].prefix);
	return 0;
}

static const struct address *vip_on_lo(const struct host_facts *facts)
{
	for (size_t i = 0; i < facts->n_vips; i++) {
		const struct host_vip *vip = &facts->vips[i];

		if (vip->prefix.address.family == AF_INET &&
			vip->n_on_lo == prefix_count(&vip->prefix))
			return &vip->prefix.address;
	}
	return NULL;
}

/* From a VIP if one is there already, for rules on sources may send those another way. */
static void read_way_out(struct host_facts *facts)
{
	unsigned int index;

	if (route_find(&far_away, vip_on_lo(facts), &index) < 0 ||
		!if_indextoname(index, facts->way_out))
		facts->way_out[0] = '\0';
}

int host_facts_read(const char *interface, const struct prefix *vips, size_t n_vips,
	struct host_facts *ret_facts)
{
	struct host_facts facts = { .interface = HOST_ALL_INTERFACES };
	int r;

	if (interface && (strlen(interface) >= IFNAMSIZ || if_nametoindex(interface) == 0))
		return -ENODEV;
	if (interface)
		strcpy(facts.interface, interface);
	facts.vips = calloc(n_vips, sizeof(*facts.vips));
	if (!facts.vips)
		return -ENOMEM;
	facts.n_vips = n_vips;
	for (size_t i = 0; i < n_vips; i++)
		facts.vips[i].prefix = vips[i];
	r = read_lo(&facts);
	if (r >= 0)
		r = read_settings(&facts);
	if (r < 0) {
		host_facts_done(&facts);
		return r;
	}
	read_way_out(&facts);
	*ret_facts = facts;
	return 0;
}

void host_facts_done(struct host_facts *facts)
{
	free(facts->vips);
	*facts = (struct host_facts){};
}
