/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live flows stay with their owners. The ledger may hold a million of them, so what each asks for,
 * its group by the VIP and its distribution by the port, is laid out beforehand.
 */
#include "drover/plan.h"

#include "drover/array.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { N_PORTS = 65536 };

/* How a group is reached: its VIPs in order, and whose each port is. */
struct directory {
	const struct prefix **vips;
	size_t n_vips;
	uint16_t *tcp, *udp; /* N_PORTS of each: the distribution's number from 1; 0: nobody's */
};

static void directory_done(struct directory *directory)
{
	free(directory->vips);
	free(directory->tcp);
	free(directory->udp);
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *const *x = a, *const *y = b;

	return address_compare(&(*x)->address, &(*y)->address);
}

static void give_ports(uint16_t *ports, const struct port_range *range, uint16_t owner)
{
	for (uint32_t port = range->first; port <= range->last; port++)
		if (!ports[port])
			ports[port] = owner;
}

static void give_every_port(const struct plan_group *group, uint16_t *ports, uint16_t owner)
{
	for (uint32_t port = 0; port < N_PORTS; port++)
		if (!ports[port] && !plan_find_outgoing(group, (uint16_t)port))
			ports[port] = owner;
}

/* As plan_find_distribution() has it: the first that has the port, outgoing ranges before "any". */
static void lay_out_ports(
	const struct plan_group *group, uint16_t *ports, enum conf_protocol protocol)
{
	for (size_t i = 0; i < group->n_distributions; i++) {
		const struct plan_distribution *distribution = &group->distributions[i];
		const struct conf_ports *own = distribution->ports;
		uint16_t owner = (uint16_t)(i + 1);

		for (size_t j = 0; j < own->n; j++)
			if (own->list[j].protocols & protocol)
				give_ports(ports, &own->list[j].range, owner);
		if (own->n == 0 && (distribution->protocols & protocol))
			give_every_port(group, ports, owner);
	}
}

static int directory_init(struct directory *directory, const struct plan_group *group)
{
	directory->vips = calloc(group->n_vips, sizeof(*directory->vips));
	directory->tcp = calloc(N_PORTS, sizeof(*directory->tcp));
	directory->udp = calloc(N_PORTS, sizeof(*directory->udp));
	if (!directory->vips || !directory->tcp || !directory->udp)
		return -ENOMEM;
	for (size_t i = 0; i < group->n_vips; i++)
		directory->vips[directory->n_vips++] = &group->vips[i].prefix;
	qsort(directory->vips, directory->n_vips, sizeof(struct prefix *), compare_prefixes);
	lay_out_ports(group, directory->tcp, CONF_PROTOCOL_TCP);
	lay_out_ports(group, directory->udp, CONF_PROTOCOL_UDP);
	return 0;
}

/* Prefixes do not overlap: the last that begins at or before the address has it, or none has. */
static bool has_vip(const struct directory *directory, const struct address *vip)
{
	size_t low = 0, high = directory->n_vips;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address_compare(&directory->vips[middle]->address, vip) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && prefix_contains(directory->vips[low - 1], vip);
}

static struct plan_distribution *look_up(
	const struct directory *directory, const struct plan_group *group, const struct flow *flow)
{
	const uint16_t *ports = flow->protocol == IPPROTO_TCP ? directory->tcp : directory->udp;
	uint16_t owner = has_vip(directory, &flow->vip) ? ports[flow->vip_port] : 0;

	return owner > 0 ? &group->distributions[owner - 1] : NULL;
}

/* --- what becomes of a flow ---------------------------------------------------- */

static int remember(struct plan_distribution *distribution, const struct plan_pin *claim)
{
	struct plan_memory *memories = array_grow(
		distribution->memories, distribution->n_memories, sizeof(*memories));

	if (!memories)
		return -ENOMEM;
	distribution->memories = memories;
	memories[distribution->n_memories++] = (struct plan_memory){
		.client = claim->flow.client,
		.client_port = claim->flow.client_port,
		.member = claim->member,
	};
	return 0;
}

/* A group whose flows are kept. */
struct keeping {
	const struct plan *plan;
	struct plan_group *group;
	const struct flow_set **flows; /* of group->members; NULL where none are known */
	const struct plan_keep *keep;
	struct plan_kept *kept;
};

/*
 * Whoever has the slot needs no pin, and may have got the flow after the owner that would, or
 * nobody knows which of them is the later one.
 */
static bool has_moved_to_its_slot(const struct keeping *k,
	const struct plan_distribution *distribution, const struct plan_pin *pin)
{
	uint16_t member = plan_slot_member(k->plan, k->group, distribution, &pin->flow);
	const struct flow_set *flows = member == BUCKETS_NONE ? NULL : k->flows[member];

	if (!flows)
		return false;
	if (pin->since == 0)
		return flow_set_has(flows, &pin->flow);
	return flow_set_since(flows, &pin->flow) >= pin->since;
}

static int keep_flow(const struct keeping *k, struct plan_distribution *distribution,
	const struct plan_pin *claim)
{
	struct plan_kept *kept = k->kept;
	int r;

	if (k->keep->remember && k->group->forwards && plan_remembers(distribution) &&
		!plan_is_ejected(k->group, distribution, claim->member)) {
		r = remember(distribution, claim);
		if (r < 0)
			return r;
		kept->n_remembered++;
	}
	/* What was drawn is in the kernel's memory, since its first packet or from here. */
	if (plan_is_drawn(distribution) ||
		!plan_needs_pin(k->plan, k->group, distribution, claim) ||
		has_moved_to_its_slot(k, distribution, claim))
		return 0;
	if (kept->n_pins >= k->keep->max_pins) {
		kept->n_left_out++;
		return 0;
	}
	r = plan_add_pin(k->plan, k->group, claim);
	if (r > 0)
		kept->n_pins++;
	return r;
}

static int keep_group(const struct keeping *k, const struct directory *directory)
{
	int r = 0;

	for (size_t member = 0; r >= 0 && member < k->group->n_members; member++) {
		const struct flow_set *flows = k->flows[member];
		struct plan_pin claim = { .member = member };
		size_t cursor = 0;

		while (r >= 0 && flows &&
			flow_set_next_since(flows, &cursor, &claim.flow, &claim.since)) {
			struct plan_distribution *distribution = look_up(
				directory, k->group, &claim.flow);

			if (distribution)
				r = keep_flow(k, distribution, &claim);
		}
	}
	return r < 0 ? r : 0;
}

static int keep_flows_of(struct keeping *k, const struct ledger *ledger)
{
	_cleanup_(directory_done) struct directory directory = { .n_vips = 0 };
	_cleanup_(free_p)
		const struct flow_set **flows = calloc(k->group->n_members + 1, sizeof(*flows));
	size_t n_flows = 0;
	int r;

	if (!flows)
		return -ENOMEM;
	for (size_t i = 0; i < k->group->n_members; i++) {
		flows[i] = ledger_find(ledger, k->group->members[i].name);
		n_flows += flows[i] ? flow_set_count(flows[i]) : 0;
	}
	if (n_flows == 0)
		return 0;
	r = directory_init(&directory, k->group);
	k->flows = flows;
	return r < 0 ? r : keep_group(k, &directory);
}

int plan_keep_flows(struct plan *plan, const struct ledger *ledger, const struct plan_keep *keep,
	struct plan_kept *ret_kept)
{
	struct plan_kept kept = { .n_pins = 0 };

	for (size_t i = 0; i < plan->n_groups; i++) {
		struct keeping keeping = {
			.plan = plan,
			.group = &plan->groups[i],
			.keep = keep,
			.kept = &kept,
		};
		int r = keep_flows_of(&keeping, ledger);

		if (r < 0)
			return r;
	}
	*ret_kept = kept;
	return 0;
}

static const struct plan_distribution *find_distribution(
	const struct plan *plan, const struct flow *flow, const struct plan_group **ret_group)
{
	const char *service;

	*ret_group = plan_find_group_of(plan, &flow->vip);
	return *ret_group ? plan_find_distribution(
				    *ret_group, flow->protocol, flow->vip_port, &service)
			  : NULL;
}

bool plan_flow_needs_pin(const struct plan *plan, const char *owner, const struct flow *flow)
{
	const struct plan_group *group;
	const struct plan_distribution *distribution = find_distribution(plan, flow, &group);
	struct plan_pin pin = { .flow = *flow };

	if (!distribution || plan_is_drawn(distribution))
		return false;
	while (pin.member < group->n_members && strcmp(group->members[pin.member].name, owner) != 0)
		pin.member++;
	return pin.member < group->n_members && plan_needs_pin(plan, group, distribution, &pin);
}

bool plan_flow_is_remembered(const struct plan *plan, const struct flow *flow)
{
	const struct plan_group *group;
	const struct plan_distribution *distribution = find_distribution(plan, flow, &group);

	return distribution && plan_remembers(distribution);
}
