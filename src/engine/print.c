/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset as an nft script, without touching the kernel. */

#include "drover/cluster.h"
#include "drover/compile.h"
#include "drover/engine.h"
#include "drover/link.h"
#include "drover/script.h"

#include <errno.h>
#include <string.h>

static void on_link(const struct cluster_link *link, void *user_data)
{
	(void)cluster_set_link(user_data, link);
}

static void on_neighbour(const struct address *address, const struct mac *mac, void *user_data)
{
	(void)cluster_set_neighbour(user_data, address, mac);
}

static void on_address(const struct address *address, bool present, void *user_data)
{
	(void)address;
	(void)present;
	(void)user_data;
}

static void print_unresolved(const struct cluster *cluster, FILE *stream)
{
	const struct conf *conf = cluster_conf(cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];
			char address[ADDRESS_TEXT_MAX];

			if (cluster_view(cluster, member).state != MEMBER_UNREACHABLE)
				continue;
			fprintf(stream,
				"# member %s (%s): its MAC is not known here, so it has no "
				"buckets below\n",
				member->name, address_format(&member->address, address));
		}
}

static void print_header(
	const struct cluster *cluster, const struct plan *plan, bool active, FILE *stream)
{
	const struct conf *conf = cluster_conf(cluster);

	fprintf(stream,
		"# drover " DROVER_VERSION ": the ruleset of node %s as %s balancer\n"
		"# on %s, from %s\n",
		conf->node, active ? "active" : "standby", conf->interface, conf->path);
	if (mac_is_zero(&plan->mac))
		fprintf(stream, "# the MAC of this host is not known here: all-zero below\n");
	print_unresolved(cluster, stream);
}

int engine_print_ruleset(struct conf *conf, const char *const *active, FILE *stream)
{
	static const struct link_callbacks callbacks = {
		.link = on_link,
		.neighbour = on_neighbour,
		.address = on_address,
	};
	const struct plan_what_if everywhere = { .assume_active = true };
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_new(conf);
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	int r;

	if (!cluster) {
		conf_free(conf);
		return -ENOMEM;
	}
	(void)link_snapshot(conf->interface, &callbacks, cluster);
	for (size_t i = 0; active && active[i]; i++)
		(void)cluster_set_role(cluster, active[i], ROLE_ACTIVE);
	r = plan_build(cluster, active ? NULL : &everywhere, NULL, &plan);
	if (r < 0)
		return r;
	r = compile_plan(plan, NULL, &ruleset);
	if (r < 0)
		return r;
	print_header(cluster, plan, !active || *active, stream);
	r = script_write(ruleset, stream);
	if (r == 0 && fflush(stream) != 0)
		r = -errno;
	return r;
}
