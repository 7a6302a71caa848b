/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual addresses: what each may be, and the setting "vips". */
#include "reader.h"

#include <errno.h>

void vip_add(struct reader *reader, struct conf_group *group, struct conf_location location,
	const char *text)
{
	struct conf_vip *vip;
	struct prefix prefix;
	unsigned int widest;
	const char *fault;
	int r;

	r = prefix_parse(text, &prefix);
	if (r == -ERANGE)
		return fault_add(reader, location,
			"VIP \"%.64s\": the address is not the first of that subnet", text);
	if (r < 0)
		return fault_add(
			reader, location, "VIP \"%.64s\" is neither address nor subnet", text);
	widest = prefix.address.family == AF_INET6 ? CONF_VIP_LENGTH_MIN6 : CONF_VIP_LENGTH_MIN;
	if (prefix.length < widest)
		return fault_add(reader, location, "VIP %s is wider than /%u", text, widest);
	fault = address_fault(&prefix.address);
	if (fault)
		return fault_add(reader, location, "VIP %s %s", text, fault);
	vip = array_append(group->vips, group->n_vips);
	if (!vip)
		return fault_no_memory(reader);
	*vip = (struct conf_vip){ .prefix = prefix, .location = location };
}

void vip_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	vip_add(reader, object, reader_locate(reader, setting), config_setting_get_string(setting));
}
