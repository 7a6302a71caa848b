/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VIPs on lo: putting them there, and taking them away. */

#include "internal.h"

#include "drover/sysctl.h"

#include <errno.h>

static void place(
	struct link_watch *lo, const struct address *vip, bool wanted, struct host_outcome *outcome)
{
	int r = wanted ? link_add_address(lo, vip) : link_remove_address(lo, vip);

	if (r >= 0)
		return;
	if (outcome->n_refused++ == 0) {
		outcome->refused = *vip;
		outcome->error = r;
	}
}

size_t vip_count_on_lo(const struct link_watch *lo, const struct prefix *vip)
{
	size_t n = 0;

	for (size_t i = 0; i < prefix_count(vip); i++) {
		struct address address = prefix_address_at(vip, i);

		n += link_has_address(lo, &address);
	}
	return n;
}

static void place_all(struct link_watch *lo, const struct host_facts *facts, bool wanted,
	struct host_outcome *outcome)
{
	for (size_t v = 0; v < facts->n_vips; v++) {
		const struct prefix *prefix = &facts->vips[v].prefix;

		outcome->n_addresses += prefix_count(prefix);
		for (size_t i = 0; i < prefix_count(prefix); i++) {
			struct address vip = prefix_address_at(prefix, i);

			if (link_has_address(lo, &vip) != wanted)
				place(lo, &vip, wanted, outcome);
		}
	}
}

/*
 * What has changed is what another look shows, not what was asked for; nor what events tell, which
 * come late for addresses of IPv6 (addrconf_dad_work()).
 */
static int look_again(const struct host_facts *facts, bool wanted, struct host_outcome *outcome)
{
	static const struct link_callbacks callbacks = {};
	_cleanup_(link_watch_free_p) struct link_watch *lo = NULL;
	size_t before = 0, now = 0;
	int r;

	r = link_watch_new("lo", &callbacks, NULL, &lo);
	if (r < 0)
		return r;
	for (size_t i = 0; i < facts->n_vips; i++) {
		before += facts->vips[i].n_on_lo;
		now += vip_count_on_lo(lo, &facts->vips[i].prefix);
	}
	outcome->n_on_lo = now;
	/* Somebody else may have changed lo meanwhile. */
	if (wanted ? now > before : now < before)
		outcome->n_changed = wanted ? now - before : before - now;
	return 0;
}

static int silence(const struct host_facts *facts, struct host_outcome *outcome)
{
	size_t n = host_arp_writes(facts, outcome->writes);

	while (outcome->n_writes < n) {
		const struct host_write *write = &outcome->writes[outcome->n_writes];
		int r = sysctl_set(AF_INET, write->interface, write->name, write->value);

		if (r < 0)
			return r;
		outcome->n_writes++;
	}
	return 0;
}

int host_vips_up(const struct host_facts *facts, struct host_outcome *ret_outcome)
{
	static const struct link_callbacks callbacks = {};
	_cleanup_(link_watch_free_p) struct link_watch *lo = NULL;
	int r;

	*ret_outcome = (struct host_outcome){};
	r = silence(facts, ret_outcome);
	if (r < 0)
		return r;
	r = link_watch_new("lo", &callbacks, NULL, &lo);
	if (r < 0)
		return r;
	if (!facts->lo_up) {
		r = link_set_up(lo);
		if (r < 0)
			return r;
	}
	place_all(lo, facts, true, ret_outcome);
	return look_again(facts, true, ret_outcome);
}

int host_vips_down(const struct host_facts *facts, struct host_outcome *ret_outcome)
{
	static const struct link_callbacks callbacks = {};
	_cleanup_(link_watch_free_p) struct link_watch *lo = NULL;
	int r;

	*ret_outcome = (struct host_outcome){};
	r = link_watch_new("lo", &callbacks, NULL, &lo);
	if (r < 0)
		return r;
	place_all(lo, facts, false, ret_outcome);
	return look_again(facts, false, ret_outcome);
}
