/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of settings: what each may be, and how a refusal is worded. */
#include "reader.h"

#include "drover/ports.h"

#include <errno.h>
#include <string.h>

#define NAME_RULE "is no name: 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first"

bool address_is_multicast(const struct address *address)
{
	if (address->family == AF_INET6)
		return address->bytes[0] == 0xff;
	return (address->bytes[0] & 0xf0) == 0xe0;
}

/* RFC 4291: the unspecified and the loopback address, IPv4 addresses in disguise, multicast. */
static bool is_no_host6(const struct address *address)
{
	static const struct prefix reserved[] = {
		{ { .family = AF_INET6 }, 127 },
		{ { .family = AF_INET6, .bytes = { [10] = 0xff, [11] = 0xff } }, 96 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (prefix_contains(&reserved[i], address))
			return true;
	return address_is_multicast(address);
}

static bool is_no_host4(const struct address *address)
{
	uint8_t first = address->bytes[0];

	return first == 0 || first == 127 || first >= 224;
}

const char *address_fault(const struct address *address)
{
	bool is_ipv6 = address->family == AF_INET6;

	if (is_ipv6 ? is_no_host6(address) : is_no_host4(address))
		return "is not the address of a host";
	if (is_ipv6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80)
		return "is link-local";
	return NULL;
}

void read_text(struct reader *reader, const config_setting_t *setting, char **ret_text)
{
	char *text = strdup(config_setting_get_string(setting));

	if (!text)
		return fault_no_memory(reader);
	free(*ret_text);
	*ret_text = text;
}

void read_name(struct reader *reader, const config_setting_t *setting, char **ret_name)
{
	const char *name = config_setting_get_string(setting);

	if (name_is_valid(name))
		read_text(reader, setting, ret_name);
	else
		fault_add(reader, reader_locate(reader, setting), "%s \"%.64s\" " NAME_RULE,
			config_setting_name(setting), name);
}

void read_path(struct reader *reader, const config_setting_t *setting, size_t size, char **ret_path)
{
	const char *path = config_setting_get_string(setting);
	struct conf_location location = reader_locate(reader, setting);

	if (path[0] != '/')
		fault_add(reader, location, "%s must be an absolute path",
			config_setting_name(setting));
	else if (strlen(path) >= size)
		fault_add(reader, location, "%s must be shorter than %zu characters",
			config_setting_name(setting), size);
	else
		read_text(reader, setting, ret_path);
}

void read_number(struct reader *reader, const config_setting_t *setting, uint32_t min, uint32_t max,
	uint32_t *ret_number)
{
	long long number = config_setting_type(setting) == CONFIG_TYPE_INT64
				   ? config_setting_get_int64(setting)
				   : config_setting_get_int(setting);

	if (number < min || number > max)
		fault_add(reader, reader_locate(reader, setting), "%s %lld is outside %u..%u",
			config_setting_name(setting), number, min, max);
	else
		*ret_number = (uint32_t)number;
}

void read_seconds(struct reader *reader, const config_setting_t *setting, uint32_t min_ms,
	uint32_t max_ms, uint32_t *ret_ms)
{
	double seconds = config_setting_type(setting) == CONFIG_TYPE_FLOAT
				 ? config_setting_get_float(setting)
				 : (double)config_setting_get_int64(setting);

	if (!(seconds * 1000 >= min_ms && seconds * 1000 <= max_ms))
		fault_add(reader, reader_locate(reader, setting), "%s %g is outside %g..%g seconds",
			config_setting_name(setting), seconds, min_ms / 1000.0, max_ms / 1000.0);
	else
		*ret_ms = (uint32_t)(seconds * 1000 + 0.5);
}

/* Writes "a, b or c". */
static void list_choices(const char *const *choices, size_t n, char *buffer, size_t size)
{
	size_t length = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < n && length < size; i++) {
		const char *between = i == 0 ? "" : i + 1 < n ? ", " : " or ";

		length += (size_t)snprintf(
			buffer + length, size - length, "%s%s", between, choices[i]);
	}
}

void read_choice(struct reader *reader, const config_setting_t *setting, const char *const *choices,
	size_t n_choices, size_t *ret_choice)
{
	const char *text = config_setting_get_string(setting);
	char list[128];

	for (size_t i = 0; i < n_choices; i++) {
		if (strcmp(text, choices[i]) == 0) {
			*ret_choice = i;
			return;
		}
	}
	list_choices(choices, n_choices, list, sizeof(list));
	fault_add(reader, reader_locate(reader, setting), "%s \"%.64s\" is not one of %s",
		config_setting_name(setting), text, list);
}

void read_address(
	struct reader *reader, const config_setting_t *setting, struct address *ret_address)
{
	const char *text = config_setting_get_string(setting);
	struct conf_location location = reader_locate(reader, setting);
	struct address address;

	if (address_parse(text, &address) < 0)
		fault_add(reader, location, "\"%.64s\" is no address", text);
	else
		*ret_address = address;
}

void read_ports(struct reader *reader, const config_setting_t *setting,
	struct port_range **ret_ranges, size_t *ret_n)
{
	const char *text = config_setting_get_string(setting);
	struct conf_location location = reader_locate(reader, setting);
	const char *key = config_setting_name(setting);
	int r;

	r = ports_parse(text, ret_ranges, ret_n);
	if (r == -ENOMEM)
		fault_no_memory(reader);
	else if (r == -ERANGE)
		fault_add(reader, location,
			"%s \"%.64s\": a port is outside 1..65535, or a range runs backwards", key,
			text);
	else if (r < 0)
		fault_add(reader, location, "%s \"%.64s\" is no list like \"25,465,6000-6999\"",
			key, text);
}
