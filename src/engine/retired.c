/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "retired.h"

#include "drover/array.h"
#include "drover/control.h"
#include "drover/log.h"
#include "drover/ports.h"
#include "drover/state.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "retired.json"

static json_t *make_ranges(const struct conf_member *member)
{
	json_t *ranges = json_array();

	for (size_t i = 0; ranges && i < member->n_outgoing; i++) {
		char text[PORT_RANGE_TEXT_MAX];

		json_array_append_new(
			ranges, json_string(port_range_format(&member->outgoing[i].range, text)));
	}
	return ranges;
}

static json_t *make_entry(const struct conf_group *group, const struct conf_member *member)
{
	char address[ADDRESS_TEXT_MAX], mac[MAC_TEXT_MAX];
	json_t *entry = json_pack("{s:s, s:s, s:s}", "group", group->name, "member", member->name,
		"address", address_format(&member->address, address));

	if (entry && member->has_mac)
		json_object_set_new(entry, "mac", json_string(mac_format(&member->mac, mac)));
	if (entry && member->n_outgoing > 0)
		json_object_set_new(entry, "outgoing", make_ranges(member));
	return entry;
}

void retired_save(const struct conf *conf)
{
	_cleanup_(json_decref_p) json_t *root = json_pack("{s:[]}", "retired");
	json_t *entries = json_object_get(root, "retired");
	int r = entries ? 0 : -ENOMEM;

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];

			if (member->retired && json_array_append_new(entries,
						       make_entry(&conf->groups[g], member)) < 0)
				r = -ENOMEM;
		}
	if (r == 0)
		r = json_array_size(entries) > 0 ? state_write(FILE_NAME, root)
						 : state_remove(FILE_NAME);
	if (r < 0)
		log_error("cannot save " FILE_NAME ": %s; connections of members that left the "
			  "file will break at a restart",
			strerror(-r));
}

static const char *text_of(const json_t *entry, const char *name)
{
	const char *text = json_string_value(json_object_get(entry, name));

	return text ? text : "";
}

static int take_range(struct conf_member *member, const json_t *range)
{
	const char *text = json_string_value(range);
	_cleanup_(free_p) struct port_range *ranges = NULL;
	struct conf_outgoing *grown;
	size_t n;
	int r = text ? ports_parse(text, &ranges, &n) : -EINVAL;

	if (r < 0)
		return r;
	grown = array_grow(member->outgoing, member->n_outgoing, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	member->outgoing = grown;
	grown[member->n_outgoing++] = (struct conf_outgoing){ .range = ranges[0] };
	return 0;
}

static int take_ranges(struct conf_member *member, const json_t *entry)
{
	const json_t *range;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(entry, "outgoing"), i, range) if (r == 0)
		r = take_range(member, range);
	return r;
}

static int take_entry(struct conf *conf, const json_t *entry)
{
	const char *mac = text_of(entry, "mac");
	_cleanup_(free_p) char *name = strdup(text_of(entry, "member"));
	struct conf_member member = { .name = name, .has_mac = *mac };
	int r;

	if (!name)
		return -ENOMEM;
	r = *name ? address_parse(text_of(entry, "address"), &member.address) : -EINVAL;
	if (r == 0 && member.has_mac)
		r = mac_parse(mac, &member.mac);
	if (r == 0)
		r = take_ranges(&member, entry);
	if (r == 0)
		r = conf_retire_member(conf, text_of(entry, "group"), &member);
	free(member.outgoing);
	return r;
}

void retired_load(struct conf *conf)
{
	_cleanup_(json_decref_p) json_t *root = NULL;
	const json_t *entry;
	size_t i;

	if (state_read(FILE_NAME, &root) < 0)
		return;
	json_array_foreach(json_object_get(root, "retired"), i, entry)
	{
		int r = take_entry(conf, entry);

		if (r < 0)
			log_warning(FILE_NAME ": entry %zu: %s", i + 1, strerror(-r));
	}
}
