/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows and the nodes that own them, as JSON. */
#include "report.h"

#include "drover/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* A list beyond this helps nobody; the counts go on. */
enum { LISTED_MAX = 50000 };

/* --- nodes ---------------------------------------------------------------------------- */

static json_t *text(const char *value)
{
	return value ? json_string(value) : json_null();
}

static json_t *duties_entry(const struct sync_peer *peer)
{
	json_t *duties = json_array();

	for (size_t i = 0; i < peer->n_duties; i++)
		json_array_append_new(duties,
			json_pack("{s:s, s:b, s:b}", "group", peer->duties[i].group, "active",
				peer->duties[i].active, "ready", peer->duties[i].ready));
	return duties;
}

static json_t *peer_entry(const struct engine *engine, const struct sync_peer *peer)
{
	const struct flow_set *flows = peer->name ? ledger_find(engine->flows.ledger, peer->name)
						  : NULL;
	uint64_t now = clock_now_ms();
	char address[ADDRESS_TEXT_MAX];

	address_format(&peer->endpoint.address, address);
	return json_pack("{s:o, s:o, s:s, s:o, s:b, s:I, s:I, s:o, s:I, s:I, s:I, s:o}", "name",
		text(peer->name), "address",
		text(peer->endpoint.address.family == AF_UNSPEC ? NULL : address), "state",
		sync_peer_state_name(peer->state), "fault",
		text(peer->fault == SYNC_FAULT_NONE ? NULL : sync_fault_name(peer->fault)),
		"other_configuration", peer->other_configuration, "flows",
		(json_int_t)peer->n_flows, "known_flows",
		(json_int_t)(flows ? flow_set_count(flows) : 0), "heard_ms_ago",
		peer->last_heard == 0 ? json_null()
				      : json_integer((json_int_t)(now - peer->last_heard)),
		"lag_ms", (json_int_t)peer->lag_ms, "lost", (json_int_t)peer->n_lost, "snapshots",
		(json_int_t)peer->n_snapshots, "duties", duties_entry(peer));
}

static json_t *refusals_entry(const struct sync *sync)
{
	const struct sync_refusals refusals = sync_refusals(sync);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "malformed",
		(json_int_t)refusals.malformed, "version", (json_int_t)refusals.version, "id",
		(json_int_t)refusals.id, "key", (json_int_t)refusals.key, "replayed",
		(json_int_t)refusals.replayed, "unproved", (json_int_t)refusals.unproved, "unknown",
		(json_int_t)refusals.unknown);
}

/* Null without sync. */
json_t *report_sync(const struct engine *engine)
{
	const struct sync_peer *peer;
	const char *waits_for = NULL;
	json_t *nodes;
	bool complete;

	if (!engine->sync)
		return json_null();
	nodes = json_array();
	for (size_t i = 0; (peer = sync_peer_at(engine->sync, i)); i++)
		json_array_append_new(nodes, peer_entry(engine, peer));
	complete = engine_knows_flows(engine, &waits_for);
	return json_pack("{s:b, s:o, s:o, s:o}", "complete", complete, "waits_for",
		text(complete ? NULL : waits_for), "nodes", nodes, "refused",
		refusals_entry(engine->sync));
}

/* --- flows ---------------------------------------------------------------------------- */

json_t *report_flow_totals(const struct engine *engine)
{
	const struct flows *flows = &engine->flows;
	const struct conf *conf = cluster_conf(engine->cluster);
	const struct flow_set *own = ledger_find(flows->ledger, conf->node);
	struct tracker_stats stats = { .n_events = 0 };

	if (flows->tracker)
		stats = tracker_stats(flows->tracker);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I}", "known",
		(json_int_t)ledger_count(flows->ledger), "own",
		(json_int_t)(own ? flow_set_count(own) : 0), "pinned",
		(json_int_t)flows->kept.n_pins, "unpinned", (json_int_t)flows->kept.n_left_out,
		"most_pins", (json_int_t)conf->pins, "memory_bytes",
		(json_int_t)ledger_memory(flows->ledger), "tracked", flows->tracker != NULL,
		"events", (json_int_t)stats.n_events, "overruns", (json_int_t)stats.n_overruns);
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Adds up the pins of each of these names, which are sorted. Pins are many: one pass over them. */
static int count_pins(const struct plan *plan, const char **names, size_t n, size_t *counts)
{
	for (size_t i = 0; plan && i < plan->n_groups; i++) {
		const struct plan_group *group = &plan->groups[i];
		_cleanup_(free_p) size_t *of_member = calloc(group->n_members, sizeof(*of_member));

		if (!of_member && group->n_members > 0)
			return -ENOMEM;
		for (size_t j = 0; j < group->n_pins; j++)
			of_member[group->pins[j].member]++;
		for (size_t m = 0; m < group->n_members; m++) {
			const char **found = bsearch(
				&group->members[m].name, names, n, sizeof(*names), compare_names);

			if (found)
				counts[found - names] += of_member[m];
		}
	}
	return 0;
}

/* Where what is known of a member's flows comes from. */
static const char *source_of(const struct engine *engine, const char *owner)
{
	const struct sync_peer *peer;

	if (strcmp(owner, cluster_conf(engine->cluster)->node) == 0)
		return engine->flows.tracker ? "this host" : "unknown";
	for (size_t i = 0; engine->sync && (peer = sync_peer_at(engine->sync, i)); i++)
		if (peer->name && strcmp(peer->name, owner) == 0)
			return sync_peer_state_name(peer->state);
	return "unknown";
}

static json_t *owner_entry(const struct engine *engine, const char *owner, size_t n_pins)
{
	const struct flow_set *flows = ledger_find(engine->flows.ledger, owner);

	return json_pack("{s:s, s:s, s:I, s:I}", "name", owner, "source", source_of(engine, owner),
		"flows", (json_int_t)(flows ? flow_set_count(flows) : 0), "pinned",
		(json_int_t)n_pins);
}

static json_t *endpoint_text(const struct address *address, uint16_t port)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(address, text);
	return json_sprintf(address->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

static json_t *flow_entry(const struct engine *engine, const char *owner, const struct flow *flow)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:b}", "protocol",
		flow->protocol == IPPROTO_TCP ? "tcp" : "udp", "client",
		endpoint_text(&flow->client, flow->client_port), "vip",
		endpoint_text(&flow->vip, flow->vip_port), "member", owner, "pinned",
		engine->plan && plan_flow_needs_pin(engine->plan, owner, flow));
}

static void list_flows(const struct engine *engine, const char *owner, json_t *list)
{
	const struct flow_set *flows = ledger_find(engine->flows.ledger, owner);
	size_t cursor = 0;
	struct flow flow;

	while (flows && json_array_size(list) < LISTED_MAX && flow_set_next(flows, &cursor, &flow))
		json_array_append_new(list, flow_entry(engine, owner, &flow));
}

/* The names of all members, each once; those that only balance own nothing. */
static size_t collect_members(const struct conf *conf, const char **names)
{
	size_t n = 0, kept = 0;

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (!conf->groups[g].members[m].balancer_only)
				names[n++] = conf->groups[g].members[m].name;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	return kept;
}

json_t *report_flows(const struct engine *engine, const char *member, bool with_list)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(free_p)
		const char **names = calloc(conf->n_groups * CONF_MEMBERS_MAX, sizeof(*names));
	_cleanup_(free_p) size_t *pins = calloc(conf->n_groups * CONF_MEMBERS_MAX, sizeof(*pins));
	_cleanup_(json_decref_p) json_t *members = json_array(), *list = json_array();
	json_t *reply;
	size_t n;

	if (!names || !pins)
		return NULL;
	n = collect_members(conf, names);
	if (count_pins(engine->plan, names, n, pins) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (member && strcmp(member, names[i]) != 0)
			continue;
		json_array_append_new(members, owner_entry(engine, names[i], pins[i]));
		if (with_list)
			list_flows(engine, names[i], list);
	}
	reply = json_pack("{s:b, s:O, s:o}", "ok", true, "members", members, "totals",
		report_flow_totals(engine));
	if (with_list)
		json_object_set(reply, "flows", list);
	return reply;
}
