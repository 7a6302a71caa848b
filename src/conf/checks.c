/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks: what members are asked, how often, and what a service means by a check's name. */
#include "reader.h"

#include "drover/ports.h"

#include <string.h>

static void read_check_name(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_name(reader, setting, &check->name);
}

static bool find_type(const char *name, enum conf_check_type *ret_type)
{
	for (size_t i = 0; i < N_CONF_CHECK_TYPES; i++)
		if (strcmp(conf_check_type_name((enum conf_check_type)i), name) == 0) {
			*ret_type = (enum conf_check_type)i;
			return true;
		}
	return false;
}

static bool has_port(enum conf_check_type type)
{
	return type != CONF_CHECK_ICMP && type != CONF_CHECK_EXEC;
}

static void set_type_defaults(struct conf_check *check)
{
	check->udp = check->type == CONF_CHECK_SIP || check->type == CONF_CHECK_DNS;
	check->by_address = check->type == CONF_CHECK_EXEC;
}

static void read_type(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = { "icmp", "tcp", "smtp", "pop3", "imap", "http", "sip",
		"dns", "send", "exec" };
	struct conf_check *check = object;
	size_t choice = ARRAY_SIZE(choices);

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	if (choice < ARRAY_SIZE(choices))
		(void)find_type(choices[choice], &check->type);
	set_type_defaults(check);
}

static void read_probe(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = { "vip", "address" };
	struct conf_check *check = object;
	size_t choice = check->by_address;

	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	if (choice == 0 && check->type == CONF_CHECK_EXEC)
		return fault_add(reader, reader_locate(reader, setting),
			"a command is told the member's own address, and no VIP");
	check->by_address = choice == 1;
}

static void read_transport(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const char *const choices[] = { "tcp", "udp" };
	struct conf_check *check = object;
	size_t choice = check->udp;

	if (check->type != CONF_CHECK_SIP && check->type != CONF_CHECK_DNS &&
		check->type != CONF_CHECK_SEND)
		return fault_add(reader, reader_locate(reader, setting),
			"only checks of the types sip, dns and send have a transport");
	read_choice(reader, setting, choices, ARRAY_SIZE(choices), &choice);
	check->udp = choice == 1;
}

static void read_tls(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	check->tls = config_setting_get_bool(setting);
	if (check->tls && (check->udp || !has_port(check->type)))
		fault_add(reader, reader_locate(reader, setting),
			"tls needs a check that goes over TCP");
}

static void read_starttls(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	check->starttls = config_setting_get_bool(setting);
	if (check->starttls && check->type != CONF_CHECK_SMTP && check->type != CONF_CHECK_POP3 &&
		check->type != CONF_CHECK_IMAP)
		fault_add(reader, reader_locate(reader, setting),
			"only checks of the types smtp, pop3 and imap have starttls");
	else if (check->starttls && check->tls)
		fault_add(reader, reader_locate(reader, setting),
			"starttls excludes tls: the connection is secured once");
}

static bool is_secured(const struct conf_check *check)
{
	return check->tls || check->starttls;
}

static void read_verify(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	check->verify = config_setting_get_bool(setting);
	if (check->verify && !is_secured(check))
		fault_add(reader, reader_locate(reader, setting), "verify needs tls or starttls");
}

static void read_port(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;
	uint32_t port = 0;

	read_number(reader, setting, 1, UINT16_MAX, &port);
	check->port = (uint16_t)port;
}

static void read_interval(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_seconds(reader, setting, CONF_CHECK_INTERVAL_MIN, CONF_CHECK_INTERVAL_MAX,
		&check->interval_ms);
	if (check->timeout_ms > check->interval_ms)
		check->timeout_ms = check->interval_ms;
}

/* Of one probe the outcome is known before the next begins. */
static void read_timeout(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_seconds(reader, setting, CONF_CHECK_TIMEOUT_MIN, CONF_CHECK_INTERVAL_MAX,
		&check->timeout_ms);
	if (check->timeout_ms > check->interval_ms)
		fault_add(reader, reader_locate(reader, setting),
			"timeout is longer than interval, %g seconds", check->interval_ms / 1000.0);
}

static void read_rise(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_number(reader, setting, 1, CONF_CHECK_COUNT_MAX, &check->rise);
}

static void read_fall(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_number(reader, setting, 1, CONF_CHECK_COUNT_MAX, &check->fall);
}

static void read_jitter(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_number(reader, setting, 0, CONF_CHECK_JITTER_MAX, &check->jitter);
}

/* --- what is said and heard -------------------------------------------------- */

/* Settings that are part of a line or a header: nothing in them may end it. */
static void read_word(
	struct reader *reader, const config_setting_t *setting, bool fits, char **ret_word)
{
	const char *word = config_setting_get_string(setting);

	if (!fits)
		return fault_add(reader, reader_locate(reader, setting),
			"a check of this type has no %s", config_setting_name(setting));
	for (const char *at = word; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return fault_add(reader, reader_locate(reader, setting),
				"%s may not have blanks or control characters",
				config_setting_name(setting));
	if (!*word || strlen(word) > 255)
		return fault_add(reader, reader_locate(reader, setting),
			"%s must have 1 to 255 characters", config_setting_name(setting));
	read_text(reader, setting, ret_word);
}

static void read_method(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_word(reader, setting, check->type == CONF_CHECK_HTTP, &check->method);
}

static void read_url_path(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	if (config_setting_get_string(setting)[0] != '/')
		return fault_add(
			reader, reader_locate(reader, setting), "path does not begin with '/'");
	read_word(reader, setting, check->type == CONF_CHECK_HTTP, &check->path);
}

static void read_host(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_word(reader, setting, check->type == CONF_CHECK_HTTP, &check->host);
}

static void read_server_name(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	if (is_secured(check))
		read_word(reader, setting, true, &check->server_name);
	else
		fault_add(reader, reader_locate(reader, setting),
			"server_name needs tls or starttls");
}

static void read_query(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_word(reader, setting, check->type == CONF_CHECK_DNS, &check->query);
}

static void read_status(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	if (check->type != CONF_CHECK_HTTP && check->type != CONF_CHECK_SIP)
		return fault_add(reader, reader_locate(reader, setting),
			"a check of this type has no status");
	read_ports(reader, setting, &check->statuses, &check->n_statuses);
	for (size_t i = 0; i < check->n_statuses; i++)
		if (check->statuses[i].first < 100 || check->statuses[i].last > 699)
			return fault_add(reader, reader_locate(reader, setting),
				"a status is outside 100..699");
}

static void read_octets(
	struct reader *reader, const config_setting_t *setting, bool fits, char **ret_text)
{
	size_t length = strlen(config_setting_get_string(setting));

	if (!fits)
		fault_add(reader, reader_locate(reader, setting), "a check of this type has no %s",
			config_setting_name(setting));
	else if (length < 1 || length > 1024)
		fault_add(reader, reader_locate(reader, setting),
			"%s must have 1 to 1024 characters", config_setting_name(setting));
	else
		read_text(reader, setting, ret_text);
}

static void read_body(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_octets(reader, setting, check->type == CONF_CHECK_HTTP, &check->body);
}

static void read_send(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_octets(reader, setting, check->type == CONF_CHECK_SEND, &check->send);
}

static void read_expect(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_octets(reader, setting, check->type == CONF_CHECK_SEND, &check->expect);
}

static void read_command(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_check *check = object;

	read_octets(reader, setting, check->type == CONF_CHECK_EXEC, &check->command);
}

/* --- whole checks -------------------------------------------------------------- */

static struct conf_check *append_check(struct reader *reader, enum conf_check_type type)
{
	struct conf_check *check = array_append(reader->conf->checks, reader->conf->n_checks);

	if (!check) {
		fault_no_memory(reader);
		return NULL;
	}
	*check = (struct conf_check){
		.type = type,
		.interval_ms = CONF_CHECK_INTERVAL_DEFAULT,
		.timeout_ms = CONF_CHECK_TIMEOUT_DEFAULT,
		.rise = CONF_CHECK_RISE_DEFAULT,
		.fall = CONF_CHECK_FALL_DEFAULT,
		.jitter = CONF_CHECK_JITTER_DEFAULT,
	};
	set_type_defaults(check);
	return check;
}

static void check_whole(struct reader *reader, const struct conf_check *check)
{
	const struct conf *conf = reader->conf;

	for (size_t i = 0; check->name && i + 1 < conf->n_checks; i++)
		if (conf->checks[i].name && strcmp(conf->checks[i].name, check->name) == 0)
			fault_add(reader, check->location, "there are two checks \"%s\"",
				check->name);
	if (check->type == CONF_CHECK_EXEC && !check->command)
		fault_add(reader, check->location, "command is missing");
	if (check->type == CONF_CHECK_SEND && check->udp && !check->send)
		fault_add(reader, check->location, "send is missing: a datagram must have one");
	if (check->verify && !check->server_name)
		fault_add(reader, check->location, "server_name is missing: verify needs it");
}

void check_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "name", VALUE_TEXT, KEY_REQUIRED, read_check_name },
		{ "type", VALUE_TEXT, KEY_REQUIRED, read_type },
		{ "probe", VALUE_TEXT, 0, read_probe },
		{ "transport", VALUE_TEXT, 0, read_transport },
		{ "tls", VALUE_BOOLEAN, 0, read_tls },
		{ "starttls", VALUE_BOOLEAN, 0, read_starttls },
		{ "verify", VALUE_BOOLEAN, 0, read_verify },
		{ "server_name", VALUE_TEXT, 0, read_server_name },
		{ "port", VALUE_NUMBER, 0, read_port },
		{ "interval", VALUE_SECONDS, 0, read_interval },
		{ "timeout", VALUE_SECONDS, 0, read_timeout },
		{ "rise", VALUE_NUMBER, 0, read_rise },
		{ "fall", VALUE_NUMBER, 0, read_fall },
		{ "jitter", VALUE_NUMBER, 0, read_jitter },
		{ "method", VALUE_TEXT, 0, read_method },
		{ "path", VALUE_TEXT, 0, read_url_path },
		{ "host", VALUE_TEXT, 0, read_host },
		{ "status", VALUE_TEXT, 0, read_status },
		{ "body", VALUE_TEXT, 0, read_body },
		{ "query", VALUE_TEXT, 0, read_query },
		{ "send", VALUE_TEXT, 0, read_send },
		{ "expect", VALUE_TEXT, 0, read_expect },
		{ "command", VALUE_TEXT, 0, read_command },
	};
	struct scope scope = reader_scope(reader, "check", setting);
	struct conf_check *check = append_check(reader, CONF_CHECK_TCP);

	(void)object;
	if (!check)
		return;
	check->location = reader_locate(reader, setting);
	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), check);
	check_whole(reader, check);
	reader_leave(reader);
}

/* --- what a service says ----------------------------------------------------------- */

static struct conf_check *find_check(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_checks; i++)
		if (conf->checks[i].name && strcmp(conf->checks[i].name, name) == 0)
			return &conf->checks[i];
	return NULL;
}

/* A type's name stands for a check of this type with all its defaults. */
static struct conf_check *make_check(
	struct reader *reader, const char *name, enum conf_check_type type)
{
	struct conf_check *check = append_check(reader, type);

	if (!check)
		return NULL;
	check->name = strdup(name);
	check->location = conf_nowhere(reader->conf);
	if (!check->name)
		fault_no_memory(reader);
	return check;
}

void check_find(
	struct reader *reader, const config_setting_t *setting, struct conf_service *service)
{
	const char *name = config_setting_get_string(setting);
	struct conf_location location = reader_locate(reader, setting);
	struct conf_check *check = find_check(reader->conf, name);
	enum conf_check_type type;

	if (!check && find_type(name, &type)) {
		if (type == CONF_CHECK_EXEC || type == CONF_CHECK_SEND)
			return fault_add(reader, location,
				"check \"%s\" needs an entry in checks to say what", name);
		check = make_check(reader, name, type);
	}
	if (!check)
		return fault_add(reader, location,
			"there is no check \"%.64s\", neither in checks nor by itself", name);
	if (has_port(check->type) && !check->port && service->n_ports == 0)
		return fault_add(reader, location,
			"check \"%s\" needs a port, and the service has none", name);
	service->check_index = (size_t)(check - reader->conf->checks);
	read_text(reader, setting, &service->check);
}

static void note_probed(struct conf_group *group, const struct conf_service *service)
{
	for (size_t i = 0; i < service->n_members; i++)
		group->members[service->members[i]].probed = true;
}

/* Each change of members asks for it, and there may be a thousand services. */
void checks_note_probed(struct conf *conf)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t i = 0; i < conf->groups[g].n_services; i++) {
			const struct conf_service *service = &conf->groups[g].services[i];
			const struct conf_check *check = conf_service_check(conf, service);

			if (check && !check->by_address)
				note_probed(&conf->groups[g], service);
		}
}
