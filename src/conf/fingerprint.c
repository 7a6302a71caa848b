/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/conf.h"
#include "drover/ports.h"

#include <sodium.h>
#include <string.h>

/* One line for each of its members: their order in the file has no meaning. */
static void write_service(
	FILE *file, const struct conf_group *group, const struct conf_service *service)
{
	_cleanup_(free_p) char *ports = ports_format(service->ports, service->n_ports);
	size_t n = service->all_members ? 1 : service->n_members;

	for (size_t i = 0; i < n; i++)
		fprintf(file, "service %s %s %s %s %u %s\n", group->name,
			conf_protocol_name(service->protocol), ports ? ports : "",
			conf_scheduler_name(service->scheduler), service->persistence,
			service->all_members ? "" : group->members[service->members[i]].name);
}

static void write_group(FILE *file, const struct conf_group *group, bool told)
{
	for (size_t i = 0; i < group->n_vips; i++) {
		char vip[PREFIX_TEXT_MAX];

		fprintf(file, "vip %s %s\n", group->name,
			prefix_format(&group->vips[i].prefix, vip));
	}
	for (size_t i = 0; !told && i < group->n_members; i++)
		if (conf_counts_as_member(&group->members[i]))
			fprintf(file, "member %s %s %u\n", group->name, group->members[i].name,
				group->members[i].weight);
	for (size_t i = 0; i < group->n_services; i++)
		write_service(file, group, &group->services[i]);
}

/* The sum of the digests of all lines does not depend on their order. */
static uint64_t sum_of_lines(const char *text)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = "drover-config-v1";
	uint64_t sum = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");
		unsigned char hash[crypto_shorthash_BYTES];
		uint64_t number = 0;

		crypto_shorthash(hash, (const unsigned char *)text, length, key);
		for (size_t i = 0; i < sizeof(hash); i++)
			number = number << 8 | hash[i];
		sum += number;
		text += length + 1;
	}
	return sum;
}

uint64_t conf_fingerprint(const struct conf *conf)
{
	_cleanup_(free_p) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return 0;
	for (size_t i = 0; i < conf->n_groups; i++)
		write_group(file, &conf->groups[i], conf->told);
	if (fclose(file) != 0)
		return 0;
	return sum_of_lines(text);
}
