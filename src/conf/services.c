/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services: what is balanced, how, and to which members. */
#include "reader.h"

#include "drover/ports.h"

#include <string.h>

static void read_service_name(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;

	read_name(reader, setting, &service->name);
}

static void read_protocol(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = { "tcp", "udp", "any" };
	static const enum conf_protocol protocols[] = {
		CONF_PROTOCOL_TCP,
		CONF_PROTOCOL_UDP,
		CONF_PROTOCOL_ANY,
	};
	struct conf_service *service = object;
	size_t choice = ARRAY_SIZE(choices);

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	if (choice < ARRAY_SIZE(choices))
		service->protocol = protocols[choice];
}

static int compare_ranges(const void *a, const void *b)
{
	const struct port_range *range_a = a, *range_b = b;

	return range_a->first - range_b->first;
}

static void read_service_ports(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;
	struct conf_location location = reader_locate(reader, setting);
	char a[PORT_RANGE_TEXT_MAX], b[PORT_RANGE_TEXT_MAX];

	read_ports(reader, setting, &service->ports, &service->n_ports);
	if (!service->ports) {
		/* No ports at all would mean every port; port 0 clashes with nothing. */
		if (!array_append(service->ports, service->n_ports))
			fault_no_memory(reader);
		return;
	}
	qsort(service->ports, service->n_ports, sizeof(*service->ports), compare_ranges);
	for (size_t i = 1; i < service->n_ports; i++)
		if (port_range_overlaps(&service->ports[i - 1], &service->ports[i]))
			fault_add(reader, location, "ports %s and %s overlap",
				port_range_format(&service->ports[i - 1], a),
				port_range_format(&service->ports[i], b));
}

static void read_scheduler(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = {
		[CONF_SCHEDULER_HASH] = "hash",
		[CONF_SCHEDULER_SOURCE] = "source",
		[CONF_SCHEDULER_RR] = "rr",
		[CONF_SCHEDULER_RANDOM] = "random",
	};
	struct conf_service *service = object;
	size_t choice = CONF_SCHEDULER_HASH;

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	service->scheduler = (enum conf_scheduler)choice;
}

static void read_persistence(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;

	read_number(reader, setting, 0, CONF_PERSISTENCE_MAX, &service->persistence);
}

static void read_check(struct reader *reader, const config_setting_t *setting, void *object)
{
	check_find(reader, setting, object);
}

static void read_fail(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = {
		[CONF_FAIL_OPEN] = "open",
		[CONF_FAIL_CLOSED] = "closed",
	};
	struct conf_service *service = object;
	size_t choice = CONF_FAIL_OPEN;

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	service->fail = (enum conf_fail)choice;
}

static void read_min_up(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;

	read_number(reader, setting, 0, CONF_MEMBERS_MAX, &service->min_up);
}

static void read_slow_start(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;

	read_number(reader, setting, 0, CONF_SLOW_START_MAX, &service->slow_start);
}

static bool append_member(struct reader *reader, struct conf_service *service, size_t index)
{
	size_t *member = array_append(service->members, service->n_members);

	if (!member) {
		fault_no_memory(reader);
		return false;
	}
	*member = index;
	return true;
}

/* One name in the list "members". */
static void read_service_member(
	struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_service *service = object;
	struct conf_location location = reader_locate(reader, setting);
	const char *name = config_setting_get_string(setting);
	const struct conf_member *member = conf_group_find_member(reader->group, name);
	size_t index;

	service->all_members = false;
	if (!member)
		return fault_add(reader, location, "the group has no member \"%.64s\"", name);
	if (member->balancer_only)
		return fault_add(
			reader, location, "\"%s\" is under balancers: it takes no traffic", name);
	index = (size_t)(member - reader->group->members);
	for (size_t i = 0; i < service->n_members; i++)
		if (service->members[i] == index)
			return fault_add(reader, location, "member \"%s\" is listed twice", name);
	append_member(reader, service, index);
}

static int compare_indices(const void *a, const void *b)
{
	const size_t *index_a = a, *index_b = b;

	return (*index_a > *index_b) - (*index_a < *index_b);
}

static void fill_members(struct reader *reader, struct conf_service *service)
{
	const struct conf_group *group = reader->group;

	if (service->all_members) {
		for (size_t i = 0; i < group->n_members; i++)
			if (conf_counts_as_member(&group->members[i]) &&
				!append_member(reader, service, i))
				return;
	} else if (service->n_members > 0) {
		qsort(service->members, service->n_members, sizeof(*service->members),
			compare_indices);
	}
}

void service_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "name", VALUE_TEXT, KEY_REQUIRED, read_service_name },
		{ "protocol", VALUE_TEXT, KEY_REQUIRED, read_protocol },
		{ "ports", VALUE_TEXT, 0, read_service_ports },
		{ "scheduler", VALUE_TEXT, 0, read_scheduler },
		{ "persistence", VALUE_NUMBER, 0, read_persistence },
		/* Its port is the service's first, unless it has one of its own. */
		{ "check", VALUE_TEXT, 0, read_check },
		{ "fail", VALUE_TEXT, 0, read_fail },
		{ "min_up", VALUE_NUMBER, 0, read_min_up },
		{ "slow_start", VALUE_NUMBER, 0, read_slow_start },
		{ "members", VALUE_TEXTS, KEY_FILLED, read_service_member },
	};
	struct scope scope = reader_scope(reader, "service", setting);
	struct conf_group *group = object;
	struct conf_service *service = array_append(group->services, group->n_services);

	if (!service)
		return fault_no_memory(reader);
	service->all_members = true;
	service->location = reader_locate(reader, setting);
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), service);
	if (!reader->helper)
		fill_members(reader, service);
	reader_leave(reader);
}

/* For who comes to know of members only when the file has been read. */
void services_fill(struct reader *reader, struct conf_group *group)
{
	reader->group = group;
	for (size_t i = 0; i < group->n_services; i++)
		fill_members(reader, &group->services[i]);
	reader->group = NULL;
}
