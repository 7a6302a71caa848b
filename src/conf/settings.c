/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings outside of groups: this host's own, "sync" and "metrics". */
#include "reader.h"

#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#define CONTROL_PATH_SIZE   sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define INTERFACE_NAME_SIZE 16 /* IFNAMSIZ */
#define SYNC_PORT_DEFAULT   8848
#define PATH_SIZE           4096

static void read_node(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	read_name(reader, setting, &conf->node);
	reader->node_location = reader_locate(reader, setting);
}

/* The kernel's own rule: dev_valid_name(). */
static bool interface_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length >= INTERFACE_NAME_SIZE || strpbrk(name, "/:"))
		return false;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (isspace((unsigned char)*name) || iscntrl((unsigned char)*name))
			return false;
	return true;
}

static void read_interface(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;
	const char *name = config_setting_get_string(setting);

	if (interface_is_valid(name))
		read_text(reader, setting, &conf->interface);
	else
		fault_add(reader, reader_locate(reader, setting),
			"interface \"%.64s\" is no interface name: 1 to 15 characters without "
			"'/', ':' or blanks",
			name);
}

static void read_election(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = { "manual", "always" };
	struct conf *conf = object;
	size_t choice = CONF_ELECTION_MANUAL;

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	conf->election = (enum conf_election)choice;
}

static void read_buckets(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;
	uint32_t buckets = CONF_BUCKETS_DEFAULT;

	read_number(reader, setting, CONF_BUCKETS_MIN, CONF_BUCKETS_MAX, &buckets);
	if (buckets & (buckets - 1))
		fault_add(reader, reader_locate(reader, setting), "buckets %u is no power of two",
			buckets);
	conf->buckets = buckets;
}

static void read_seed(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	read_number(reader, setting, 0, UINT32_MAX, &conf->seed);
}

static void read_counters(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	(void)reader;
	conf->counters = config_setting_get_bool(setting);
}

static void read_pins(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	read_number(reader, setting, 0, CONF_PINS_MAX, &conf->pins);
}

static void read_takeover_wait(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	read_number(reader, setting, 0, CONF_TAKEOVER_WAIT_MAX, &conf->takeover_wait);
}

static void read_member_guard(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	(void)reader;
	conf->member_guard = config_setting_get_bool(setting);
}

static void read_control(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;

	read_path(reader, setting, CONTROL_PATH_SIZE, &conf->control);
}

/* --- sync ---------------------------------------------------------------- */

static void read_sync_id(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_sync *sync = object;

	read_number(reader, setting, 0, UINT8_MAX, &sync->id);
}

static void read_peer(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_sync *sync = object;
	struct conf_location location = reader_locate(reader, setting);
	struct address address = { 0 }, *peer;
	char text[ADDRESS_TEXT_MAX];
	const char *fault;

	read_address(reader, setting, &address);
	if (address.family == AF_UNSPEC)
		return;
	address_format(&address, text);
	fault = address_fault(&address);
	if (fault)
		return fault_add(reader, location, "peer %s %s", text, fault);
	for (size_t i = 0; i < sync->n_peers; i++)
		if (address_equal(&sync->peers[i], &address))
			return fault_add(reader, location, "peer %s is listed twice", text);
	peer = array_append(sync->peers, sync->n_peers);
	if (!peer)
		return fault_no_memory(reader);
	*peer = address;
}

static void read_multicast(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_sync *sync = object;

	read_address(reader, setting, &sync->multicast);
	sync->has_multicast = sync->multicast.family != AF_UNSPEC;
	if (sync->has_multicast && !address_is_multicast(&sync->multicast))
		fault_add(reader, reader_locate(reader, setting),
			"multicast \"%.64s\" is no multicast address",
			config_setting_get_string(setting));
}

static void read_sync_port(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_sync *sync = object;
	uint32_t port = sync->port;

	read_number(reader, setting, 1, UINT16_MAX, &port);
	sync->port = (uint16_t)port;
}

static void read_key_file(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_sync *sync = object;

	read_path(reader, setting, PATH_SIZE, &sync->key_file);
}

static void read_sync(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "id", VALUE_NUMBER, 0, read_sync_id },
		{ "peers", VALUE_TEXTS, 0, read_peer },
		{ "multicast", VALUE_TEXT, 0, read_multicast },
		{ "port", VALUE_NUMBER, 0, read_sync_port },
		{ "key_file", VALUE_TEXT, KEY_REQUIRED, read_key_file },
	};
	struct scope scope = { .kind = "sync" };
	struct conf *conf = object;

	conf->sync.present = true;
	conf->sync.port = SYNC_PORT_DEFAULT;
	conf->sync.location = reader_locate(reader, setting);
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), &conf->sync);
	reader_leave(reader);
}

/* --- metrics --------------------------------------------------------------- */

static void read_listen(struct reader *reader, const config_setting_t *setting, void *object)
{
	const char *text = config_setting_get_string(setting);
	struct conf_location location = reader_locate(reader, setting);
	struct conf_metrics metrics = { .present = true, .location = location };

	if (endpoint_parse(text, &metrics.listen, &metrics.port) < 0)
		fault_add(reader, location,
			"listen \"%.64s\" is not ADDRESS:PORT with a port from 1 to 65535, an IPv6 "
			"address in brackets",
			text);
	else if (address_is_multicast(&metrics.listen))
		fault_add(reader, location, "listen \"%.64s\" is a multicast address", text);
	else
		*(struct conf_metrics *)object = metrics;
}

static void read_metrics(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "listen", VALUE_TEXT, KEY_REQUIRED, read_listen },
	};
	struct scope scope = { .kind = "metrics" };
	struct conf *conf = object;

	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), &conf->metrics);
	reader_leave(reader);
}

/* --- all of them --------------------------------------------------------- */

void settings_read(struct reader *reader, const config_setting_t *root)
{
	static const struct key keys[] = {
		{ "node", VALUE_TEXT, 0, read_node },
		{ "interface", VALUE_TEXT, KEY_REQUIRED | KEY_TOLD, read_interface },
		{ "election", VALUE_TEXT, 0, read_election },
		{ "buckets", VALUE_NUMBER, 0, read_buckets },
		{ "seed", VALUE_NUMBER, 0, read_seed },
		{ "counters", VALUE_BOOLEAN, 0, read_counters },
		{ "pins", VALUE_NUMBER, 0, read_pins },
		{ "takeover_wait", VALUE_NUMBER, 0, read_takeover_wait },
		{ "member_guard", VALUE_BOOLEAN, 0, read_member_guard },
		{ "control", VALUE_TEXT, 0, read_control },
		{ "checks", VALUE_SECTIONS, 0, check_read },
		{ "groups", VALUE_SECTIONS, KEY_REQUIRED | KEY_FILLED | KEY_TOLD, group_read },
		{ "sync", VALUE_SECTION, 0, read_sync },
		{ "helper", VALUE_SECTION, 0, helper_read },
		{ "metrics", VALUE_SECTION, 0, read_metrics },
	};

	reader_section(reader, root, keys, ARRAY_SIZE(keys), reader->conf);
}
