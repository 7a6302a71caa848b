/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/conf.h"

#include "drover/ports.h"

#include <string.h>

static void member_done(struct conf_member *member)
{
	free(member->name);
	free(member->outgoing);
}

static void service_done(struct conf_service *service)
{
	free(service->name);
	free(service->ports);
	free(service->check);
	free(service->members);
}

static void kind_done(struct conf_kind *kind)
{
	free(kind->services);
	conf_ports_unref(kind->ports);
}

static void check_done(struct conf_check *check)
{
	free(check->name);
	free(check->server_name);
	free(check->method);
	free(check->path);
	free(check->host);
	free(check->statuses);
	free(check->body);
	free(check->query);
	free(check->send);
	free(check->expect);
	free(check->command);
}

static void group_done(struct conf_group *group)
{
	for (size_t i = 0; i < group->n_members; i++)
		member_done(&group->members[i]);
	for (size_t i = 0; i < group->n_services; i++)
		service_done(&group->services[i]);
	for (size_t i = 0; i < group->n_kinds; i++)
		kind_done(&group->kinds[i]);
	free(group->name);
	free(group->vips);
	free(group->members);
	free(group->services);
	free(group->kinds);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->n_groups; i++)
		group_done(&conf->groups[i]);
	for (size_t i = 0; i < conf->n_verbs; i++) {
		free(conf->verbs[i].meaning);
		free(conf->verbs[i].word);
	}
	for (size_t i = 0; i < conf->n_checks; i++)
		check_done(&conf->checks[i]);
	for (size_t i = 0; i < conf->n_files; i++)
		free(conf->files[i]);
	free(conf->path);
	free(conf->node);
	free(conf->interface);
	free(conf->checks);
	free(conf->groups);
	free(conf->control);
	free(conf->verbs);
	free(conf->sync.peers);
	free(conf->sync.key_file);
	free(conf->files);
	free(conf);
}

const char *conf_scheduler_name(enum conf_scheduler scheduler)
{
	switch (scheduler) {
	case CONF_SCHEDULER_HASH:
		return "hash";
	case CONF_SCHEDULER_SOURCE:
		return "source";
	case CONF_SCHEDULER_RR:
		return "rr";
	case CONF_SCHEDULER_RANDOM:
		return "random";
	}
	return "?";
}

bool conf_scheduler_draws(enum conf_scheduler scheduler)
{
	return scheduler == CONF_SCHEDULER_RR || scheduler == CONF_SCHEDULER_RANDOM;
}

const char *conf_election_name(enum conf_election election)
{
	switch (election) {
	case CONF_ELECTION_MANUAL:
		return "manual";
	case CONF_ELECTION_ALWAYS:
		return "always";
	}
	return "?";
}

const char *conf_protocol_name(enum conf_protocol protocol)
{
	switch (protocol) {
	case CONF_PROTOCOL_TCP:
		return "tcp";
	case CONF_PROTOCOL_UDP:
		return "udp";
	case CONF_PROTOCOL_ANY:
		return "any";
	}
	return "?";
}

const char *conf_check_type_name(enum conf_check_type type)
{
	static const char *const names[N_CONF_CHECK_TYPES] = {
		[CONF_CHECK_ICMP] = "icmp",
		[CONF_CHECK_TCP] = "tcp",
		[CONF_CHECK_SMTP] = "smtp",
		[CONF_CHECK_POP3] = "pop3",
		[CONF_CHECK_IMAP] = "imap",
		[CONF_CHECK_HTTP] = "http",
		[CONF_CHECK_SIP] = "sip",
		[CONF_CHECK_DNS] = "dns",
		[CONF_CHECK_SEND] = "send",
		[CONF_CHECK_EXEC] = "exec",
	};

	return names[type];
}

const char *conf_fail_name(enum conf_fail fail)
{
	return fail == CONF_FAIL_CLOSED ? "closed" : "open";
}

bool conf_counts_as_member(const struct conf_member *member)
{
	return !member->balancer_only && !member->retired;
}

/* Of a group that has no members, as drover-helper may be told, there is no array either. */
bool conf_same_members(const struct conf_service *a, const struct conf_service *b)
{
	return a->n_members == b->n_members &&
	       (a->n_members == 0 ||
		       memcmp(a->members, b->members, a->n_members * sizeof(*a->members)) == 0);
}

const struct conf_check *conf_service_check(
	const struct conf *conf, const struct conf_service *service)
{
	return service->check ? &conf->checks[service->check_index] : NULL;
}

const struct conf_group *conf_find_group(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (conf->groups[i].name && strcmp(conf->groups[i].name, name) == 0)
			return &conf->groups[i];
	return NULL;
}

const struct conf_member *conf_group_find_member(const struct conf_group *group, const char *name)
{
	for (size_t i = 0; i < group->n_members; i++) {
		const struct conf_member *member = &group->members[i];

		if (member->name && strcmp(member->name, name) == 0)
			return member;
	}
	return NULL;
}

const struct conf_member *conf_find_member(const struct conf *conf, const char *name)
{
	const struct conf_member *member = NULL;

	for (size_t i = 0; !member && i < conf->n_groups; i++)
		member = conf_group_find_member(&conf->groups[i], name);
	return member;
}

static bool has_port(const struct conf_service *service, uint16_t port)
{
	for (size_t i = 0; i < service->n_ports; i++)
		if (port_range_contains(&service->ports[i], port))
			return true;
	return service->n_ports == 0;
}

static bool is_outgoing(const struct conf_group *group, uint16_t port)
{
	for (size_t i = 0; i < group->n_members; i++)
		for (size_t j = 0; j < group->members[i].n_outgoing; j++)
			if (port_range_contains(&group->members[i].outgoing[j].range, port))
				return true;
	return false;
}

const struct conf_service *conf_group_find_service(
	const struct conf_group *group, enum conf_protocol protocol, uint16_t port)
{
	const struct conf_service *every = NULL;

	for (size_t i = 0; i < group->n_services; i++) {
		const struct conf_service *service = &group->services[i];

		if (!(service->protocol & protocol) || !has_port(service, port))
			continue;
		if (service->n_ports > 0)
			return service;
		every = service;
	}
	return every && is_outgoing(group, port) ? NULL : every;
}
