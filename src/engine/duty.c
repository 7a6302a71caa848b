/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "duty.h"

#include "drover/announce.h"
#include "drover/log.h"
#include "drover/ports.h"
#include "drover/sysctl.h"

#include <string.h>

enum { ANNOUNCE_REFRESH_MS = 60 * 1000 };

/* Delays between announcements after a change. */
static const uint64_t announce_delays_ms[] = { 200, 800, 1000, 3000, 5000 };

/* --- addresses ----------------------------------------------------------------- */

static bool conf_has_vip(const struct conf *conf, const struct address *vip)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t v = 0; v < conf->groups[g].n_vips; v++)
			if (prefix_contains(&conf->groups[g].vips[v].prefix, vip))
				return true;
	return false;
}

static int place_vip(struct link_watch *watch, const struct address *vip, bool wanted)
{
	char text[ADDRESS_TEXT_MAX];
	int r;

	if (link_has_address(watch, vip) == wanted)
		return 0;
	r = wanted ? link_add_address(watch, vip) : link_remove_address(watch, vip);
	if (r < 0) {
		log_error("VIP %s: cannot be %s the interface: %s", address_format(vip, text),
			wanted ? "put on" : "taken from", strerror(-r));
		return r;
	}
	return wanted;
}

static int place_group(struct link_watch *watch, const struct conf_group *group, bool wanted)
{
	int result = 0;

	for (size_t v = 0; v < group->n_vips; v++)
		for (size_t i = 0; i < prefix_count(&group->vips[v].prefix); i++) {
			struct address vip = prefix_address_at(&group->vips[v].prefix, i);
			int r = place_vip(watch, &vip, wanted);

			if (r != 0)
				result = r;
		}
	return result;
}

static void remove_previous(
	struct link_watch *watch, const struct conf *previous, const struct conf *conf)
{
	for (size_t g = 0; g < previous->n_groups; g++)
		for (size_t v = 0; v < previous->groups[g].n_vips; v++) {
			const struct prefix *prefix = &previous->groups[g].vips[v].prefix;

			for (size_t i = 0; i < prefix_count(prefix); i++) {
				struct address vip = prefix_address_at(prefix, i);

				if (!conf_has_vip(conf, &vip))
					(void)place_vip(watch, &vip, false);
			}
		}
}

int duty_place_vips(
	const struct cluster *cluster, struct link_watch *watch, const struct conf *previous)
{
	const struct conf *conf = cluster_conf(cluster);
	int result = 0;

	if (previous)
		remove_previous(watch, previous, conf);
	if (!cluster_link(cluster)->present)
		return 0;
	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_group *group = &conf->groups[g];
		int r;

		if (!cluster_is_balancer(cluster, group))
			continue;
		r = place_group(watch, group, cluster_role(cluster, group) == ROLE_ACTIVE);
		if (r != 0)
			result = r;
	}
	return result;
}

bool duty_holds_vip(const struct link_watch *watch, const struct conf_group *group)
{
	for (size_t v = 0; v < group->n_vips; v++)
		for (size_t i = 0; i < prefix_count(&group->vips[v].prefix); i++) {
			struct address vip = prefix_address_at(&group->vips[v].prefix, i);

			if (link_has_address(watch, &vip))
				return true;
		}
	return false;
}

/* --- announcements ---------------------------------------------------------------- */

static void announce_group(const struct cluster_link *link, const struct conf_group *group)
{
	for (size_t v = 0; v < group->n_vips; v++) {
		const struct prefix *prefix = &group->vips[v].prefix;
		struct address vips[CONF_VIP_ADDRESSES_MAX];
		size_t n = prefix_count(prefix);
		int r;

		for (size_t i = 0; i < n; i++)
			vips[i] = prefix_address_at(prefix, i);
		r = announce_send(link->index, &link->mac, vips, n);
		if (r < 0)
			log_warning("group %s: cannot announce its VIPs: %s", group->name,
				strerror(-r));
	}
}

uint64_t duty_announce(struct duty *duty, const struct cluster *cluster)
{
	const struct conf *conf = cluster_conf(cluster);
	bool any = false;

	for (size_t g = 0; g < conf->n_groups; g++) {
		if (cluster_role(cluster, &conf->groups[g]) != ROLE_ACTIVE)
			continue;
		any = true;
		if (cluster_link(cluster)->running)
			announce_group(cluster_link(cluster), &conf->groups[g]);
	}
	if (!any)
		return 0;
	if (duty->n_announcements < ARRAY_SIZE(announce_delays_ms))
		return announce_delays_ms[duty->n_announcements++];
	return ANNOUNCE_REFRESH_MS;
}

/* --- what a member's host must be set to --------------------------------------------- */

/*
 * With arp_ignore 1 the kernel answers only for addresses of the interface that was asked on, not
 * for those on lo; with arp_announce 2 it never asks in the name of one on lo.
 */
void duty_set_arp_sysctls(const char *interface)
{
	static const struct {
		const char *name;
		int wanted;
	} settings[] = { { "arp_ignore", 1 }, { "arp_announce", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int r = sysctl_raise(interface, settings[i].name, settings[i].wanted);

		if (r > 0)
			log_info("set net.ipv4.conf.%s.%s = %d, so that VIPs on lo stay silent",
				interface, settings[i].name, settings[i].wanted);
		else if (r < 0)
			log_warning("cannot set net.ipv4.conf.%s.%s = %d: %s; the arp table of "
				    "the ruleset alone keeps VIPs silent",
				interface, settings[i].name, settings[i].wanted, strerror(-r));
	}
}

static bool has_outgoing(const struct conf *conf, const struct port_range *range)
{
	const struct conf_member *self = conf ? conf_find_member(conf, conf->node) : NULL;

	for (size_t i = 0; self && i < self->n_outgoing; i++)
		if (self->outgoing[i].range.first == range->first &&
			self->outgoing[i].range.last == range->last)
			return true;
	return false;
}

void duty_check_port_ranges(const struct conf *conf, const struct conf *previous)
{
	unsigned int first, last;

	if (sysctl_local_port_range(&first, &last) < 0)
		return;
	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_member *self = conf_group_find_member(
			&conf->groups[g], conf->node);

		for (size_t i = 0; self && i < self->n_outgoing; i++) {
			const struct conf_outgoing *outgoing = &self->outgoing[i];
			char range[PORT_RANGE_TEXT_MAX];

			if (outgoing->range.first > last || outgoing->range.last < first ||
				has_outgoing(previous, &outgoing->range))
				continue;
			log_warning("%s:%u: outgoing range %s of %s lies within "
				    "net.ipv4.ip_local_port_range %u-%u: the system may give "
				    "its ports to other connections",
				outgoing->location.file, outgoing->location.line,
				port_range_format(&outgoing->range, range), self->name, first,
				last);
		}
	}
}
