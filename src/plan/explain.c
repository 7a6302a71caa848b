/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/explain.h"

#include "drover/flow_hash.h"
#include "drover/ports.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 3, 4)))
conclude(struct explanation *explanation, enum explain_verdict verdict, const char *format, ...)
{
	va_list arguments;

	explanation->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(explanation->reason, sizeof(explanation->reason), format, arguments);
	va_end(arguments);
}

static void conclude_member(
	struct explanation *explanation, const struct plan_member *member, const char *why)
{
	explanation->member = member;
	if (member->local)
		conclude(explanation, EXPLAIN_LOCAL, "%s; %s is this host", why, member->name);
	else
		conclude(explanation, EXPLAIN_FORWARD, "%s", why);
}

static void conclude_nobody(struct explanation *explanation)
{
	conclude(explanation, EXPLAIN_DROP, "service %s has no member that serves",
		explanation->service);
}

static void explain_outgoing(const struct flow *flow, const struct plan_outgoing *outgoing,
	struct explanation *explanation)
{
	const struct plan_member *member = &explanation->group->members[outgoing->member];
	char range[PORT_RANGE_TEXT_MAX], why[96];

	snprintf(why, sizeof(why), "port %u is in the outgoing range %s of %s", flow->vip_port,
		port_range_format(&outgoing->range, range), member->name);
	conclude_member(explanation, member, why);
}

#define STAYS "a client stays with its member until silent for %u s"

static void explain_hash(
	const struct plan *plan, const struct flow *flow, struct explanation *explanation)
{
	const struct plan_distribution *distribution = explanation->distribution;
	const struct plan_table *table = &explanation->group->tables[distribution->table];
	bool by_port = distribution->scheduler == CONF_SCHEDULER_HASH && !distribution->persistence;
	uint16_t member;
	char why[160];

	explanation->has_bucket = true;
	explanation->bucket = flow_hash_bucket(
		&flow->client, by_port, flow->client_port, plan->seed, plan->n_buckets);
	member = table->slots[explanation->bucket];
	if (member == BUCKETS_NONE) {
		conclude_nobody(explanation);
		return;
	}
	if (distribution->persistence)
		snprintf(why, sizeof(why),
			"a new client of this address goes by bucket %u of %u; " STAYS,
			explanation->bucket, plan->n_buckets, distribution->persistence);
	else
		snprintf(why, sizeof(why), "client %s hashes to bucket %u of %u",
			by_port ? "address and port" : "address", explanation->bucket,
			plan->n_buckets);
	conclude_member(explanation, &explanation->group->members[member], why);
}

static void explain_draw(const struct flow *flow, struct explanation *explanation)
{
	const struct plan_distribution *distribution = explanation->distribution;
	bool in_turn = distribution->scheduler == CONF_SCHEDULER_RR;
	const char *scheduler = in_turn ? "round robin" : "random";
	const char *choice = in_turn ? "the next member in turn" : "a member drawn by weight";

	if (distribution->persistence)
		conclude(explanation, EXPLAIN_DRAWN, "%s: a new client goes to %s; " STAYS,
			scheduler, choice, distribution->persistence);
	else if (flow->protocol == IPPROTO_TCP)
		conclude(explanation, EXPLAIN_DRAWN, "%s: %s, kept for the whole connection",
			scheduler, choice);
	else
		conclude(explanation, EXPLAIN_DRAWN, "%s: each datagram goes to %s", scheduler,
			choice);
}

static void explain_distribution(
	const struct plan *plan, const struct flow *flow, struct explanation *explanation)
{
	const struct plan_distribution *distribution = explanation->distribution;
	const struct plan_table *table = &explanation->group->tables[distribution->table];

	switch (distribution->scheduler) {
	case CONF_SCHEDULER_HASH:
	case CONF_SCHEDULER_SOURCE:
		explain_hash(plan, flow, explanation);
		return;
	case CONF_SCHEDULER_RR:
	case CONF_SCHEDULER_RANDOM:
		explain_draw(flow, explanation);
		break;
	}
	/* A table has a member in every slot or in none. */
	if (table->slots[0] == BUCKETS_NONE)
		conclude_nobody(explanation);
}

void explain_flow(
	const struct plan *plan, const struct flow *flow, struct explanation *ret_explanation)
{
	struct explanation *explanation = ret_explanation;
	const struct plan_outgoing *outgoing;
	char text[ADDRESS_TEXT_MAX];

	*explanation = (struct explanation){ .group = plan_find_group_of(plan, &flow->vip) };
	if (!explanation->group) {
		conclude(explanation, EXPLAIN_ACCEPT, "%s is no VIP of a group of this host",
			address_format(&flow->vip, text));
		return;
	}
	explanation->distribution = plan_find_distribution(
		explanation->group, flow->protocol, flow->vip_port, &explanation->service);
	outgoing = plan_find_outgoing(explanation->group, flow->vip_port);
	if (!explanation->distribution && outgoing) {
		explain_outgoing(flow, outgoing, explanation);
		return;
	}
	if (!explanation->distribution) {
		conclude(explanation, EXPLAIN_ACCEPT,
			"no service of group %s has this port: the active balancer itself answers",
			explanation->group->name);
		return;
	}
	explain_distribution(plan, flow, explanation);
}

const char *explain_verdict_name(enum explain_verdict verdict)
{
	switch (verdict) {
	case EXPLAIN_FORWARD:
		return "forward";
	case EXPLAIN_LOCAL:
		return "local";
	case EXPLAIN_DROP:
		return "drop";
	case EXPLAIN_ACCEPT:
		return "accept";
	case EXPLAIN_DRAWN:
		return "drawn";
	}
	return NULL;
}
