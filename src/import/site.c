/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "site.h"

#include "drover/array.h"
#include "scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct known_port known_ports[] = {
	{ "smtp", 25, CONF_PROTOCOL_TCP, "smtp" },
	{ "pop3", 110, CONF_PROTOCOL_TCP, "pop3" },
	{ "imap4", 143, CONF_PROTOCOL_TCP, "imap" },
	{ "imap", 143, CONF_PROTOCOL_TCP, "imap" },
	{ "http", 80, CONF_PROTOCOL_TCP, "http" },
	{ "https", 443, CONF_PROTOCOL_TCP, "tcp" },
	{ "ssl", 443, CONF_PROTOCOL_TCP, "tcp" },
	{ "sip", 5060, CONF_PROTOCOL_ANY, "sip" },
	{ "dns", 53, CONF_PROTOCOL_ANY, "dns" },
	{ "domain", 53, CONF_PROTOCOL_ANY, "dns" },
	{ "ftp", 21, CONF_PROTOCOL_TCP, "tcp" },
	{ "ssh", 22, CONF_PROTOCOL_TCP, "tcp" },
	{ "telnet", 23, CONF_PROTOCOL_TCP, "tcp" },
	{ "nntp", 119, CONF_PROTOCOL_TCP, "tcp" },
	{ "ldap", 389, CONF_PROTOCOL_TCP, "tcp" },
	{ "ldaps", 636, CONF_PROTOCOL_TCP, "tcp" },
	{ "imaps", 993, CONF_PROTOCOL_TCP, "tcp" },
	{ "pop3s", 995, CONF_PROTOCOL_TCP, "tcp" },
	{ "radius", 1812, CONF_PROTOCOL_UDP, NULL },
};

void site_note(struct site *site, unsigned int line, const char *format, ...)
{
	struct import_notes *notes = site->notes;
	_cleanup_(free_p) char *what = NULL;
	char **messages, *message;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&what, format, arguments);
	va_end(arguments);
	if (length < 0)
		what = NULL;
	messages = array_grow(notes->messages, notes->n_messages, sizeof(*messages));
	if (messages)
		notes->messages = messages;
	if (!what || !messages ||
		(line ? asprintf(&message, "%s:%u: %s", site->path, line, what)
		      : asprintf(&message, "%s: %s", site->path, what)) < 0) {
		site->error = -ENOMEM;
		return;
	}
	notes->messages[notes->n_messages++] = message;
}

void *site_add_entry(struct site *site, void *array, size_t *n, size_t size)
{
	void *entries, *grown;

	memcpy(&entries, array, sizeof(entries)); /* the array has a type of its own */
	grown = array_grow(entries, *n, size);
	if (!grown) {
		site->error = -ENOMEM;
		return NULL;
	}
	memcpy(array, &grown, sizeof(grown));
	return memset((char *)grown + (*n)++ * size, 0, size);
}

void site_set_name(char name[static CONF_NAME_MAX + 1], const char *text)
{
	size_t n = 0;

	while (*text && !isalnum((unsigned char)*text))
		text++;
	for (; *text && n < CONF_NAME_MAX; text++) {
		bool valid = isalnum((unsigned char)*text) || strchr("._-", *text);

		name[n++] = valid ? *text : '-';
	}
	name[n] = '\0';
}

struct site_service *site_add_service(struct site *site, unsigned int line, const char *name,
	const struct address *vip, enum conf_protocol protocol, uint16_t port)
{
	struct site_service *service;

	if (site->n_services == CONF_SERVICES_MAX) {
		site_note(site, line, "service \"%.64s\": there are more than %d", name,
			CONF_SERVICES_MAX);
		return NULL;
	}
	service = site_add_entry(site, &site->services, &site->n_services, sizeof(*service));
	if (!service)
		return NULL;
	*service = (struct site_service){
		.vip = *vip,
		.protocol = protocol,
		.port = port,
		.scheduler = CONF_SCHEDULER_RR,
		.line = line,
	};
	site_set_name(service->name, name);
	return service;
}

/* A name that no other member has, the given one if possible. */
static void name_member(struct site *site, struct site_member *member, const char *name)
{
	char text[ADDRESS_TEXT_MAX];

	site_set_name(member->name, name ? name : "");
	for (size_t i = 0; i < site->n_members; i++)
		if (strcmp(site->members[i].name, member->name) == 0)
			member->name[0] = '\0';
	if (!member->name[0])
		site_set_name(member->name, address_format(&member->address, text));
}

/* The member that has the address, which is added if there is none; n_members on failure. */
static size_t find_member(
	struct site *site, unsigned int line, const char *name, const struct address *address)
{
	struct site_member added = { 0 }, *member;

	for (size_t i = 0; i < site->n_members; i++)
		if (address_equal(&site->members[i].address, address))
			return i;
	if (site->n_members == CONF_MEMBERS_MAX - 1) { /* the balancer is one more */
		site_note(site, line, "a server too many: there may be %d", CONF_MEMBERS_MAX - 1);
		return site->n_members;
	}
	added.address = *address;
	name_member(site, &added, name);
	member = site_add_entry(site, &site->members, &site->n_members, sizeof(*member));
	if (!member)
		return site->n_members;
	*member = added;
	return site->n_members - 1;
}

void site_add_real(struct site *site, struct site_service *service, unsigned int line,
	const char *name, const struct address *address, uint16_t port, unsigned int weight)
{
	char text[ADDRESS_TEXT_MAX];
	struct site_real *real;
	size_t member;

	if (port && port != service->port) {
		site_note(site, line,
			"server %s of \"%s\" is left out: port %u is another than the VIP's, and "
			"direct routing changes no ports",
			address_format(address, text), service->name, port);
		return;
	}
	member = find_member(site, line, name, address);
	if (member == site->n_members)
		return;
	for (size_t i = 0; i < service->n_reals; i++) {
		if (service->reals[i].member == member) {
			site_note(site, line, "server %s is in \"%s\" already",
				address_format(address, text), service->name);
			return;
		}
	}
	real = site_add_entry(site, &service->reals, &service->n_reals, sizeof(*real));
	if (real)
		*real = (struct site_real){ .member = member, .weight = weight, .line = line };
}

void site_read_scheduler(struct site *site, unsigned int line, const char *word,
	const struct scheduler_word *words, size_t n, enum conf_scheduler *scheduler)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(words[i].word, word) != 0)
			continue;
		*scheduler = words[i].scheduler;
		if (words[i].lost)
			site_note(site, line, "scheduler \"%s\": %s; \"%s\" is the nearest", word,
				words[i].lost, conf_scheduler_name(*scheduler));
		return;
	}
	site_note(site, line, "scheduler \"%.64s\" is not known here; \"%s\" is kept", word,
		conf_scheduler_name(*scheduler));
}

void site_read_persistence(
	struct site *site, unsigned int line, const char *word, unsigned int *persistence)
{
	unsigned long number;

	if (scan_number(word, CONF_PERSISTENCE_MAX, &number))
		*persistence = (unsigned int)number;
	else
		site_note(site, line, "persistence \"%.64s\" is not 0..%d seconds", word,
			CONF_PERSISTENCE_MAX);
}

void site_read_weight(struct site *site, unsigned int line, const char *word, unsigned int *weight)
{
	unsigned long number;

	if (scan_number(word, CONF_WEIGHT_MAX, &number))
		*weight = (unsigned int)number;
	else
		site_note(site, line, "weight \"%.64s\" is not 0..%d", word, CONF_WEIGHT_MAX);
}

bool site_read_address(
	struct site *site, unsigned int line, const char *word, struct address *ret_address)
{
	if (address_parse(word, ret_address) == 0)
		return true;
	site_note(site, line, "\"%.64s\" is no address", word);
	return false;
}

bool site_read_port(
	struct site *site, unsigned int line, const char *word, struct known_port *ret_port)
{
	unsigned long number;

	for (size_t i = 0; i < ARRAY_SIZE(known_ports); i++) {
		if (strcasecmp(known_ports[i].name, word) == 0) {
			*ret_port = known_ports[i];
			return true;
		}
	}
	if (strcasecmp(word, "any") == 0 || strcmp(word, "*") == 0)
		number = 0;
	else if (!scan_number(word, UINT16_MAX, &number)) {
		site_note(site, line, "\"%.64s\" is no port that is known here", word);
		return false;
	}
	*ret_port = (struct known_port){ "", (uint16_t)number, CONF_PROTOCOL_ANY,
		site_check_at((uint16_t)number) };
	return true;
}

const char *site_check_at(uint16_t port)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_ports); i++)
		if (known_ports[i].port == port)
			return known_ports[i].check;
	return "tcp";
}

/*
 * In turn, drover gives each datagram to another server. Where the device kept those of a client
 * together, only its address and port can: a session of QUIC or RADIUS would break else.
 */
static void separate_udp(struct site *site, size_t index)
{
	struct site_service udp = site->services[index], *added;
	char name[CONF_NAME_MAX + 8];

	if (!(udp.protocol & CONF_PROTOCOL_UDP) || udp.udp_stateless || udp.persistence ||
		udp.scheduler != CONF_SCHEDULER_RR)
		return;
	site_note(site, udp.line,
		"service \"%s\": UDP in turn by client; it is balanced by \"hash\", since \"rr\" "
		"takes each datagram on its own",
		udp.name);
	if (udp.protocol == CONF_PROTOCOL_UDP) {
		site->services[index].scheduler = CONF_SCHEDULER_HASH;
		return;
	}
	snprintf(name, sizeof(name), "%.*s-udp", CONF_NAME_MAX - 4, udp.name);
	added = site_add_service(site, udp.line, name, &udp.vip, CONF_PROTOCOL_UDP, udp.port);
	site->services[index].protocol = CONF_PROTOCOL_TCP;
	if (!added)
		return;
	added->scheduler = CONF_SCHEDULER_HASH;
	added->check = udp.check;
	for (size_t i = 0; i < udp.n_reals; i++)
		site_add_real(site, added, udp.reals[i].line, NULL,
			&site->members[udp.reals[i].member].address, 0, udp.reals[i].weight);
}

static bool is_repeated(const struct site *site, size_t index)
{
	const struct site_service *service = &site->services[index];

	for (size_t i = 0; i < index; i++) {
		const struct site_service *other = &site->services[i];

		if (address_equal(&other->vip, &service->vip) && other->port == service->port &&
			other->protocol & service->protocol)
			return true;
	}
	return false;
}

void site_settle(struct site *site)
{
	size_t n = site->n_services, kept = 0;

	for (size_t i = 0; i < n && site->error == 0; i++)
		separate_udp(site, i);
	for (size_t i = 0; i < site->n_services; i++) {
		struct site_service service = site->services[i];
		bool repeated;

		site->services[i] = site->services[kept];
		site->services[kept] = service;
		repeated = is_repeated(site, kept);
		if (service.n_reals > 0 && !repeated)
			kept++;
		else
			site_note(site, service.line, "service \"%s\" is left out: %s",
				service.name,
				repeated ? "this port of the VIP has one" : "it has no servers");
	}
	for (size_t i = kept; i < site->n_services; i++)
		free(site->services[i].reals);
	site->n_services = kept;
}

void site_done(struct site *site)
{
	for (size_t i = 0; i < site->n_services; i++)
		free(site->services[i].reals);
	free(site->services);
	free(site->members);
}
