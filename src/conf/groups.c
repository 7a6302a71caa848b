/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups and the hosts in them. */
#include "reader.h"

#include <string.h>

static void read_member_name(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_member *member = object;

	read_name(reader, setting, &member->name);
}

static void read_member_address(
	struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_member *member = object;
	struct conf_location location = reader_locate(reader, setting);
	struct address address = { 0 };
	char text[ADDRESS_TEXT_MAX];
	const char *fault;

	read_address(reader, setting, &address);
	if (address.family == AF_UNSPEC)
		return;
	fault = address_fault(&address);
	if (fault)
		fault_add(reader, location, "address %s %s", address_format(&address, text), fault);
	else
		member->address = address;
}

static void read_mac(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_member *member = object;
	struct conf_location location = reader_locate(reader, setting);
	const char *text = config_setting_get_string(setting);
	struct mac mac;

	if (mac_parse(text, &mac) < 0)
		return fault_add(reader, location,
			"mac \"%.64s\" is no Ethernet address like 02:00:00:00:00:06", text);
	if (!mac_is_usable(&mac))
		return fault_add(reader, location, "mac %s is not the address of a host", text);
	member->has_mac = true;
	member->mac = mac;
}

static void read_weight(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_member *member = object;

	read_number(reader, setting, 0, CONF_WEIGHT_MAX, &member->weight);
}

static void read_balancer(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_member *member = object;

	(void)reader;
	member->balancer = config_setting_get_bool(setting);
}

static void read_outgoing(struct reader *reader, const config_setting_t *setting, void *object)
{
	_cleanup_(free_p) struct port_range *ranges = NULL;
	struct conf_member *member = object;
	size_t n = 0;

	read_ports(reader, setting, &ranges, &n);
	for (size_t i = 0; i < n; i++) {
		struct conf_outgoing *outgoing = array_append(member->outgoing, member->n_outgoing);

		if (!outgoing)
			return fault_no_memory(reader);
		outgoing->range = ranges[i];
		outgoing->location = reader_locate(reader, setting);
	}
}

static struct conf_member *append_host(struct reader *reader, const config_setting_t *setting)
{
	struct conf_group *group = reader->group;
	struct conf_member *member = array_append(group->members, group->n_members);

	if (member)
		member->location = reader_locate(reader, setting);
	else
		fault_no_memory(reader);
	return member;
}

static void read_member(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "name", VALUE_TEXT, KEY_REQUIRED, read_member_name },
		{ "address", VALUE_TEXT, KEY_REQUIRED, read_member_address },
		{ "mac", VALUE_TEXT, 0, read_mac },
		{ "weight", VALUE_NUMBER, 0, read_weight },
		{ "balancer", VALUE_BOOLEAN, 0, read_balancer },
		{ "outgoing", VALUE_TEXT, 0, read_outgoing },
	};
	struct scope scope = reader_scope(reader, "member", setting);
	struct conf_member *member = append_host(reader, setting);

	(void)object;
	if (!member)
		return;
	member->weight = CONF_WEIGHT_DEFAULT;
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), member);
	reader_leave(reader);
}

static void read_balancer_only(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "name", VALUE_TEXT, KEY_REQUIRED, read_member_name },
		{ "address", VALUE_TEXT, KEY_REQUIRED, read_member_address },
		{ "mac", VALUE_TEXT, 0, read_mac },
	};
	struct scope scope = reader_scope(reader, "balancer", setting);
	struct conf_member *member = append_host(reader, setting);

	(void)object;
	if (!member)
		return;
	member->balancer = true;
	member->balancer_only = true;
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), member);
	reader_leave(reader);
}

static void read_group_name(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_group *group = object;

	read_name(reader, setting, &group->name);
}

/* Whether the group names any VIP, be it right or wrong. */
static bool names_vips(const config_setting_t *section)
{
	const config_setting_t *vips = config_setting_get_member(section, "vips");

	if (config_setting_get_member(section, "vips_file"))
		return true;
	return vips && (!config_setting_is_aggregate(vips) || config_setting_length(vips) > 0);
}

void group_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	/* Services name members, so the hosts come first. */
	static const struct key keys[] = {
		{ "name", VALUE_TEXT, KEY_REQUIRED, read_group_name },
		{ "vips", VALUE_TEXTS, 0, vip_read },
		{ "vips_file", VALUE_TEXT, 0, vips_file_read },
		{ "members", VALUE_SECTIONS, KEY_REQUIRED | KEY_FILLED | KEY_TOLD, read_member },
		{ "balancers", VALUE_SECTIONS, 0, read_balancer_only },
		{ "services", VALUE_SECTIONS, KEY_REQUIRED | KEY_FILLED | KEY_TOLD, service_read },
	};
	struct scope scope = reader_scope(reader, "group", setting);
	struct conf *conf = object;
	struct conf_group *group = array_append(conf->groups, conf->n_groups);

	if (!group)
		return fault_no_memory(reader);
	group->location = reader_locate(reader, setting);
	reader->group = group;
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), group);
	if (!names_vips(setting) && !reader->helper)
		fault_add(reader, group->location, "there is no VIP: neither vips nor vips_file");
	reader_leave(reader);
	reader->group = NULL;
}
