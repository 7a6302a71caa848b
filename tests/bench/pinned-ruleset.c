/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the ruleset of a configuration, like droverd -p, with flows that are pinned:
 *
 *     pinned-ruleset FIRST-CLIENT COUNT FILE
 *
 * They come from 1000 ports of each client address from FIRST-CLIENT on, to the first VIP and
 * the first port of the first service, and each belongs to another member than its slot's. The
 * daemon has none of its own yet when it starts, so this is how their cost is measured.
 */
#include "drover/compile.h"
#include "drover/flow_hash.h"
#include "drover/plan.h"
#include "drover/script.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLOWS_PER_ADDRESS = 1000,
	FIRST_PORT = 20000,
};

static int fail(const char *what)
{
	fprintf(stderr, "pinned-ruleset: %s\n", what);
	return 1;
}

static struct plan_pin flow_at(
	const struct plan_group *group, const struct address *first, unsigned int i)
{
	struct plan_pin pin = {
		.flow = {
			.protocol = group->distributions[0].protocols == CONF_PROTOCOL_TCP
					    ? IPPROTO_TCP
					    : IPPROTO_UDP,
			.client = *first,
			.vip = group->vips[0].prefix.address,
			.client_port = (uint16_t)(FIRST_PORT + i % FLOWS_PER_ADDRESS),
			.vip_port = group->distributions[0].ports->list[0].range.first,
		},
	};
	uint32_t host;

	memcpy(&host, first->bytes, sizeof(host));
	host = htonl(ntohl(host) + i / FLOWS_PER_ADDRESS);
	memcpy(pin.flow.client.bytes, &host, sizeof(host));
	return pin;
}

static int pin_flows(const struct plan *plan, struct plan_group *group, const struct address *first,
	unsigned int n)
{
	const struct plan_table *table = &group->tables[group->distributions[0].table];

	for (unsigned int i = 0; i < n; i++) {
		struct plan_pin pin = flow_at(group, first, i);
		uint32_t slot = flow_hash_bucket(
			&pin.flow.client, true, pin.flow.client_port, plan->seed, plan->n_buckets);

		pin.member = (table->slots[slot] + 1U) % group->n_members;
		if (plan_add_pin(plan, group, &pin) != 1)
			return -1;
	}
	return 0;
}

static struct cluster *load(const char *path)
{
	struct conf_errors errors = { NULL, 0 };
	struct cluster *cluster;
	struct conf *conf;

	if (conf_load(path, &conf, &errors) < 0) {
		fprintf(stderr, "%s\n", errors.n_messages > 0 ? errors.messages[0] : path);
		conf_errors_done(&errors);
		return NULL;
	}
	cluster = cluster_new(conf);
	if (!cluster)
		conf_free(conf);
	return cluster;
}

int main(int argc, char **argv)
{
	const struct plan_what_if active = { .assume_active = true };
	_cleanup_(cluster_free_p) struct cluster *cluster = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	struct address first;

	if (argc != 4 || address_parse(argv[1], &first) < 0 || first.family != AF_INET)
		return fail("usage: pinned-ruleset FIRST-CLIENT COUNT FILE");
	cluster = load(argv[3]);
	if (!cluster || plan_build(cluster, &active, NULL, &plan) < 0 || plan->n_groups == 0)
		return fail("no plan");
	if (pin_flows(plan, &plan->groups[0], &first, (unsigned int)strtoul(argv[2], NULL, 10)) < 0)
		return fail("a flow cannot be pinned");
	if (compile_plan(plan, NULL, &ruleset) < 0 || script_write(ruleset, stdout) < 0)
		return fail("no ruleset");
	return 0;
}
