/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics.h"

#include "drover/cleanup.h"
#include "exposition.h"

#include <stdbool.h>
#include <string.h>

/* What metrics are about: each is a list of objects, one for each sample. */
enum subject {
	OF_PROCESS, /* it has no labels, nor has the node */
	OF_BUILD,
	OF_NODE,
	OF_GROUPS,
	OF_MEMBERS,
	OF_MEMBER_STATES,
	OF_CHECKS, /* of members in services */
	OF_SERVICES,
	OF_OWNERS, /* of flows: the members, each once */
	OF_PEERS,
	OF_PEER_STATES,
	OF_REFUSALS, /* of packets of sync, by reason */
	N_SUBJECTS,
};

/* Labels of each sample, and the keys of their values in its object. */
static const struct {
	const char *label, *key;
} labels_of[N_SUBJECTS][EXPOSITION_LABELS_MAX] = {
	[OF_BUILD] = { { "version", "version" } },
	[OF_GROUPS] = { { "group", "name" } },
	[OF_MEMBERS] = { { "group", "group" }, { "member", "name" } },
	[OF_MEMBER_STATES] = { { "group", "group" }, { "member", "name" }, { "state", "state" } },
	[OF_CHECKS] = { { "group", "group" }, { "service", "service" }, { "member", "member" } },
	[OF_SERVICES] = { { "group", "group" }, { "service", "name" } },
	[OF_OWNERS] = { { "member", "name" } },
	[OF_PEERS] = { { "peer", "name" } },
	[OF_PEER_STATES] = { { "peer", "name" }, { "state", "state" } },
	[OF_REFUSALS] = { { "reason", "reason" } },
};

/* value: its key, behind that of an object in the subject and a dot, or alone; NULL is always 1. */
struct metric {
	const char *name;
	enum subject subject;
	enum exposition_type type;
	const char *value;
	unsigned int decimals;
	const char *help;
};

#define COUNTED                                                                                    \
	"Kept by the kernel: goes on over reloads and restarts of the daemon; absent while this "  \
	"node does not forward; "

static const struct metric metrics[] = {
	{ "drover_build_info", OF_BUILD, EXPOSITION_GAUGE, NULL, 0,
		"Always 1; the version is a label." },
	{ "process_cpu_seconds_total", OF_PROCESS, EXPOSITION_COUNTER, "cpu_us", 6,
		"User and system CPU time of the daemon, its system calls included, in seconds." },
	{ "process_resident_memory_bytes", OF_PROCESS, EXPOSITION_GAUGE, "resident_bytes", 0,
		"Resident memory of the daemon in bytes." },
	{ "process_virtual_memory_bytes", OF_PROCESS, EXPOSITION_GAUGE, "virtual_bytes", 0,
		"Virtual memory of the daemon in bytes." },
	{ "process_open_fds", OF_PROCESS, EXPOSITION_GAUGE, "open_fds", 0,
		"File descriptors that the daemon has open." },
	{ "process_max_fds", OF_PROCESS, EXPOSITION_GAUGE, "max_fds", 0,
		"The most file descriptors that the daemon may have open." },
	{ "process_start_time_seconds", OF_PROCESS, EXPOSITION_GAUGE, "start_us", 6,
		"When the daemon started, in seconds since the epoch." },

	{ "drover_interface_up", OF_NODE, EXPOSITION_GAUGE, "interface.running", 0,
		"1 if the interface is there, up and has a carrier." },
	{ "drover_config_last_reload_successful", OF_NODE, EXPOSITION_GAUGE, "configuration.good",
		0,
		"0 if the last reload was refused, and the configuration before it is in force." },
	{ "drover_kernel_in_sync", OF_NODE, EXPOSITION_GAUGE, "kernel.in_sync", 0,
		"0 if the kernel has refused the last commit and lacks what it should have." },
	{ "drover_commits_total", OF_NODE, EXPOSITION_COUNTER, "kernel.commits", 0,
		"Batches committed to the kernel since the daemon started." },
	{ "drover_last_commit_duration_seconds", OF_NODE, EXPOSITION_GAUGE, "kernel.last_commit_us",
		6, "How long the last commit took." },
	{ "drover_repairs_total", OF_NODE, EXPOSITION_COUNTER, "kernel.repairs", 0,
		"Times that somebody else's change of drover's tables was undone since the daemon "
		"started." },
	{ "drover_overrides", OF_NODE, EXPOSITION_GAUGE, "overrides", 0,
		"Members whose state or weight was set at run time." },
	{ "drover_shield_dropped_packets_total", OF_NODE, EXPOSITION_COUNTER, "shield.dropped", 0,
		"Packets that the shield dropped while the rules were gone; begins at zero with "
		"each duty and each start of the daemon." },
	{ "drover_guard_armed", OF_NODE, EXPOSITION_GAUGE, "guard.armed", 0,
		"1 while the member guard drops what this host, as a member, would reset." },
	{ "drover_guard_dropped_packets_total", OF_NODE, EXPOSITION_COUNTER, "guard.dropped", 0,
		"Packets that the member guard dropped." },

	{ "drover_group_active", OF_GROUPS, EXPOSITION_GAUGE, "active", 0,
		"1 if this node has the duty of the group." },
	{ "drover_group_forwarding", OF_GROUPS, EXPOSITION_GAUGE, "forwarding", 0,
		"1 if this node forwards: it has the duty, or gave it up some seconds ago." },
	{ "drover_group_ready", OF_GROUPS, EXPOSITION_GAUGE, "ready", 0,
		"1 if this node could do the duty well; absent if it is no balancer of the "
		"group." },
	{ "drover_buckets", OF_GROUPS, EXPOSITION_GAUGE, "buckets", 0,
		"Size of the bucket table of the group." },

	{ "drover_member_weight", OF_MEMBERS, EXPOSITION_GAUGE, "weight", 0,
		"Weight of the member: set at run time, or the file's." },
	{ "drover_member_buckets", OF_MEMBERS, EXPOSITION_GAUGE, "buckets", 0,
		"Buckets that the member holds in the table over all members; of drover_buckets "
		"its share of new flows." },
	{ "drover_member_state", OF_MEMBER_STATES, EXPOSITION_GAUGE, "is", 0,
		"1 for the state that the member is in, 0 for the others." },
	{ "drover_member_packets_total", OF_MEMBERS, EXPOSITION_COUNTER, "packets", 0,
		"Packets forwarded to the member, or taken by this node as a member. " COUNTED
		"begins at zero with the duty, and when the member was out of the table." },
	{ "drover_member_bytes_total", OF_MEMBERS, EXPOSITION_COUNTER, "bytes", 0,
		"Bytes of IP of these packets. " COUNTED
		"begins at zero with the duty, and when the member was out of the table." },

	{ "drover_check_up", OF_CHECKS, EXPOSITION_GAUGE, "up", 0,
		"1 if the check of the service finds the member up, 0 if down; absent until it "
		"has asked." },
	{ "drover_check_duration_seconds", OF_CHECKS, EXPOSITION_GAUGE, "took_us", 6,
		"How long the last probe of the member took." },
	{ "drover_check_failures_total", OF_CHECKS, EXPOSITION_COUNTER, "bad", 0,
		"Probes of the member that ended badly, since the daemon asks." },

	{ "drover_service_failed", OF_SERVICES, EXPOSITION_GAUGE, "failed", 0,
		"1 while no member of the service is up, and it lives, or not, by its fail." },
	{ "drover_service_packets_total", OF_SERVICES, EXPOSITION_COUNTER, "packets", 0,
		"Packets that clients sent to the service. " COUNTED
		"begins at zero with the duty, and may fall by the count of a port that a reload "
		"takes from the service." },
	{ "drover_service_bytes_total", OF_SERVICES, EXPOSITION_COUNTER, "bytes", 0,
		"Bytes of IP of these packets. " COUNTED
		"begins at zero with the duty, and may fall by the count of a port that a reload "
		"takes from the service." },

	{ "drover_flows", OF_OWNERS, EXPOSITION_GAUGE, "flows", 0,
		"Live flows of the member that this node knows of; absent if it knows of none "
		"because nobody tells it." },
	{ "drover_pins", OF_OWNERS, EXPOSITION_GAUGE, "pinned", 0,
		"Flows that are kept at the member although their bucket is another's." },
	{ "drover_pins_limit", OF_NODE, EXPOSITION_GAUGE, "flows.most_pins", 0,
		"The most flows that are pinned: pins in drover.conf(5)." },
	{ "drover_flows_unpinned", OF_NODE, EXPOSITION_GAUGE, "flows.unpinned", 0,
		"Flows that need a pin beyond the limit, and break." },
	{ "drover_flows_memory_bytes", OF_NODE, EXPOSITION_GAUGE, "flows.memory_bytes", 0,
		"Memory that the known flows take." },
	{ "drover_conntrack_events_total", OF_NODE, EXPOSITION_COUNTER, "flows.events", 0,
		"Events of conntrack since the daemon started." },
	{ "drover_conntrack_overruns_total", OF_NODE, EXPOSITION_COUNTER, "flows.overruns", 0,
		"Times that the kernel dropped events because they came too fast, and the table "
		"was read again." },

	{ "drover_sync_complete", OF_NODE, EXPOSITION_GAUGE, "sync.complete", 0,
		"1 if the flows of all nodes that can be heard are known; absent without sync." },
	{ "drover_sync_peer_state", OF_PEER_STATES, EXPOSITION_GAUGE, "is", 0,
		"1 for the state that the other node is in, 0 for the others." },
	{ "drover_sync_peer_silence_seconds", OF_PEERS, EXPOSITION_GAUGE, "heard_ms_ago", 3,
		"How long ago the other node was heard." },
	{ "drover_sync_peer_lag_seconds", OF_PEERS, EXPOSITION_GAUGE, "lag_ms", 3,
		"Age of the other node's last news of flows when they came." },
	{ "drover_sync_peer_flows", OF_PEERS, EXPOSITION_GAUGE, "flows", 0,
		"Flows that the other node says it has." },
	{ "drover_sync_peer_known_flows", OF_PEERS, EXPOSITION_GAUGE, "known_flows", 0,
		"Flows of the other node that are known here." },
	{ "drover_sync_peer_lost_packets_total", OF_PEERS, EXPOSITION_COUNTER, "lost", 0,
		"Packets of the other node that had to be asked for again." },
	{ "drover_sync_peer_snapshots_total", OF_PEERS, EXPOSITION_COUNTER, "snapshots", 0,
		"Times that the other node told all of its flows, since its session began." },
	{ "drover_sync_peer_other_configuration", OF_PEERS, EXPOSITION_GAUGE, "other_configuration",
		0, "1 if the other node's file says something else." },
	{ "drover_sync_refused_packets_total", OF_REFUSALS, EXPOSITION_COUNTER, "packets", 0,
		"Packets of sync that were refused since the daemon started." },
};

/* --- subjects ---------------------------------------------------------------------------- */

/* A list of one, which may be changed. */
static json_t *list_one(const json_t *object)
{
	json_t *list = json_array();

	json_array_append_new(list, json_deep_copy(object));
	return list;
}

static json_t *list_node(const json_t *status)
{
	json_t *list = list_one(status);
	json_t *configuration = json_object_get(json_array_get(list, 0), "configuration");
	bool good = json_is_null(json_object_get(configuration, "errors"));

	json_object_set_new(configuration, "good", json_boolean(good));
	return list;
}

static bool text_is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && strcmp(value, text) == 0;
}

/* Who is no balancer of the group has no duty to be ready for. */
static json_t *list_groups(const json_t *status)
{
	json_t *list = json_deep_copy(json_object_get(status, "groups")), *group;
	size_t i;

	json_array_foreach(list, i, group)
	{
		json_object_set_new(
			group, "active", json_boolean(text_is(group, "role", "active")));
		if (text_is(group, "role", "member"))
			json_object_del(group, "ready");
	}
	return list;
}

/* Those of all groups, each with the name of its group. */
static json_t *list_members(const json_t *status)
{
	const json_t *groups = json_object_get(status, "groups"), *group;
	json_t *list = json_array(), *member;
	size_t i, j;

	json_array_foreach(groups, i, group)
	{
		json_array_foreach(json_object_get(group, "members"), j, member)
		{
			json_t *copy = json_copy(member);

			json_object_set(copy, "group", json_object_get(group, "name"));
			json_array_append_new(list, copy);
		}
	}
	return list;
}

/* Of members in services: who has not been asked yet is neither up nor down. */
static json_t *list_checks(const json_t *members)
{
	json_t *list = json_array(), *member, *check;
	size_t i, j;

	json_array_foreach(members, i, member)
	{
		json_array_foreach(json_object_get(member, "checks"), j, check)
		{
			json_t *copy = json_copy(check);

			json_object_set(copy, "group", json_object_get(member, "group"));
			json_object_set(copy, "member", json_object_get(member, "name"));
			if (!text_is(check, "state", "unknown"))
				json_object_set_new(
					copy, "up", json_boolean(text_is(check, "state", "up")));
			json_array_append_new(list, copy);
		}
	}
	return list;
}

/* Of whom nobody tells, none is known: that is not the same as having none. */
static json_t *list_owners(const json_t *flows)
{
	json_t *list = json_deep_copy(json_object_get(flows, "members")), *owner;
	size_t i;

	json_array_foreach(list, i, owner) if (text_is(owner, "source", "unknown") ||
					       text_is(owner, "source", "absent"))
		json_object_del(owner, "flows");
	return list;
}

/* Strangers, whose packets cannot be understood, have no name: they are counted as refusals. */
static json_t *list_peers(const json_t *status)
{
	const json_t *nodes = json_object_get(json_object_get(status, "sync"), "nodes");
	json_t *list = json_array(), *node;
	size_t i;

	json_array_foreach(nodes, i, node) if (json_is_string(json_object_get(node, "name")))
		json_array_append(list, node);
	return list;
}

static json_t *list_refusals(const json_t *status)
{
	json_t *refused = json_object_get(json_object_get(status, "sync"), "refused"), *packets;
	json_t *list = json_array();
	const char *reason;

	json_object_foreach(refused, reason, packets) json_array_append_new(
		list, json_pack("{s:s, s:O}", "reason", reason, "packets", packets));
	return list;
}

static void add_state(json_t *list, const json_t *object, const char *state, bool is)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)object);

	json_object_set_new(copy, "state", json_string(state));
	json_object_set_new(copy, "is", json_boolean(is));
	json_array_append_new(list, copy);
}

/* Each object once for each state; its own is among them, even if it is a new one. */
static json_t *list_states(const json_t *objects, const char *const *states)
{
	json_t *list = json_array(), *object;
	size_t i;

	json_array_foreach(objects, i, object)
	{
		const char *own = json_string_value(json_object_get(object, "state"));
		bool found = false;

		for (const char *const *state = states; own && *state; state++) {
			bool is = strcmp(*state, own) == 0;

			add_state(list, object, *state, is);
			found |= is;
		}
		if (own && !found)
			add_state(list, object, own, true);
	}
	return list;
}

static void list_subjects(const json_t *replies, json_t *lists[static N_SUBJECTS])
{
	static const char *const member_states[] = { "serving", "draining", "disabled",
		"unreachable", "unknown", "down", NULL };
	static const char *const peer_states[] = { "absent", "syncing", "complete", "silent",
		"foreign", NULL };
	const json_t *status = json_object_get(replies, "status");
	const json_t *services = json_object_get(replies, "services");

	lists[OF_PROCESS] = list_one(json_object_get(replies, "process"));
	lists[OF_BUILD] = list_one(status);
	lists[OF_NODE] = list_node(status);
	lists[OF_GROUPS] = list_groups(status);
	lists[OF_MEMBERS] = list_members(status);
	lists[OF_MEMBER_STATES] = list_states(lists[OF_MEMBERS], member_states);
	lists[OF_CHECKS] = list_checks(lists[OF_MEMBERS]);
	lists[OF_SERVICES] = json_incref(json_object_get(services, "services"));
	lists[OF_OWNERS] = list_owners(json_object_get(replies, "flows"));
	lists[OF_PEERS] = list_peers(status);
	lists[OF_PEER_STATES] = list_states(lists[OF_PEERS], peer_states);
	lists[OF_REFUSALS] = list_refusals(status);
}

/* --- samples ----------------------------------------------------------------------------- */

static bool find_value(const json_t *object, const char *path, int64_t *ret_value)
{
	const char *dot = path ? strchr(path, '.') : NULL;
	const json_t *value = object;

	if (dot)
		value = json_object_getn(object, path, (size_t)(dot - path));
	value = path ? json_object_get(value, dot ? dot + 1 : path) : json_true();
	if (json_is_boolean(value))
		*ret_value = json_is_true(value);
	else
		*ret_value = json_integer_value(value);
	return json_is_boolean(value) || json_is_integer(value);
}

static void write_sample(FILE *out, const struct metric *metric, const json_t *object)
{
	struct exposition_label labels[EXPOSITION_LABELS_MAX] = { { NULL, NULL } };
	int64_t value;

	if (!find_value(object, metric->value, &value))
		return;
	for (size_t i = 0; i < EXPOSITION_LABELS_MAX; i++) {
		const char *key = labels_of[metric->subject][i].key;

		if (!key)
			break;
		labels[i].name = labels_of[metric->subject][i].label;
		labels[i].value = json_string_value(json_object_get(object, key));
		if (!labels[i].value)
			labels[i].value = "";
	}
	exposition_sample(out, metric->name, labels, value, metric->decimals);
}

char *metrics_format(const json_t *replies)
{
	json_t *lists[N_SUBJECTS], *object;
	char *text = NULL;
	size_t size, j;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	list_subjects(replies, lists);
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		exposition_begin(out, metrics[i].name, metrics[i].type, metrics[i].help);
		json_array_foreach(lists[metrics[i].subject], j, object)
			write_sample(out, &metrics[i], object);
	}
	for (size_t i = 0; i < N_SUBJECTS; i++)
		json_decref(lists[i]);
	failed = ferror(out);
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
