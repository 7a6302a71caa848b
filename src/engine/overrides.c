/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overrides.h"

#include "drover/control.h"
#include "drover/log.h"
#include "drover/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "overrides.json"

/* Takes one entry; false if it is not what overrides_save() writes. */
static bool read_entry(const json_t *entry, struct cluster_override *ret_override)
{
	const json_t *member = json_object_get(entry, "member");
	const json_t *weight = json_object_get(entry, "weight");
	json_int_t number = weight ? json_integer_value(weight) : 0;

	if (!json_is_string(member) || (weight && !json_is_integer(weight)) || number < 0 ||
		number > CONF_WEIGHT_MAX)
		return false;
	*ret_override = (struct cluster_override){
		.member = (char *)(uintptr_t)json_string_value(member),
		.disabled = json_is_true(json_object_get(entry, "disabled")),
		.draining = json_is_true(json_object_get(entry, "draining")),
		.has_weight = weight,
		.weight = (unsigned int)number,
	};
	return true;
}

static int take_entries(struct cluster *cluster, const json_t *entries)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(entries))
		return -EBADMSG;
	json_array_foreach(entries, i, entry)
	{
		struct cluster_override override;
		int r;

		if (!read_entry(entry, &override))
			return -EBADMSG;
		r = cluster_set_override(cluster, &override);
		if (r == -ENOENT)
			log_warning("dropped the override of %s: there is no such member",
				override.member);
		else if (r < 0)
			return r;
	}
	return 0;
}

/* What cannot be understood is kept for whoever can. */
static void put_aside(void)
{
	_cleanup_(free_p) char *path = state_path(FILE_NAME, "");
	_cleanup_(free_p) char *aside = state_path(FILE_NAME, ".bad");

	if (!path || !aside)
		return;
	log_error("%s: kept as %s, starting without overrides", path, aside);
	(void)rename(path, aside);
}

int overrides_load(struct cluster *cluster)
{
	_cleanup_(json_decref_p) json_t *root = NULL;
	int r = state_read(FILE_NAME, &root);

	if (r == 0 && !root)
		return 0;
	if (r == 0) {
		r = take_entries(cluster, json_object_get(root, "overrides"));
		if (r == -EBADMSG)
			log_error(FILE_NAME ": not understood: not a list of overrides");
	}
	if (r == -EBADMSG) {
		cluster_reset_overrides(cluster);
		put_aside();
		return 0;
	}
	return r;
}

static json_t *make_entry(const struct cluster_override *override)
{
	json_t *entry = json_pack("{s:s}", "member", override->member);

	if (entry && override->disabled)
		json_object_set_new(entry, "disabled", json_true());
	if (entry && override->draining)
		json_object_set_new(entry, "draining", json_true());
	if (entry && override->has_weight)
		json_object_set_new(entry, "weight", json_integer(override->weight));
	return entry;
}

/* Returns NULL without memory. */
static json_t *make_root(const struct cluster *cluster)
{
	_cleanup_(json_decref_p) json_t *root = json_pack("{s:[]}", "overrides");
	const struct cluster_override *override;

	for (size_t i = 0; root && (override = cluster_override_at(cluster, i)); i++)
		if (json_array_append_new(
			    json_object_get(root, "overrides"), make_entry(override)) < 0)
			return NULL;
	return take_ptr(root);
}

char *overrides_format(const struct cluster *cluster)
{
	_cleanup_(json_decref_p) json_t *root = make_root(cluster);

	return root ? json_dumps(root, JSON_COMPACT) : NULL;
}

/* Checked before the cluster is touched, so that half of it is never taken. */
int overrides_parse(struct cluster *cluster, const char *text, size_t size)
{
	_cleanup_(json_decref_p) json_t *root = json_loadb(text, size, 0, NULL);
	const json_t *entries = json_object_get(root, "overrides"), *entry;
	struct cluster_override override;
	size_t i;

	if (!json_is_array(entries))
		return -EBADMSG;
	json_array_foreach(entries, i, entry)
	{
		if (!read_entry(entry, &override))
			return -EBADMSG;
	}
	cluster_reset_overrides(cluster);
	return take_entries(cluster, entries);
}

int overrides_save(const struct cluster *cluster)
{
	_cleanup_(json_decref_p) json_t *root = make_root(cluster);
	int r = root ? state_write(FILE_NAME, root) : -ENOMEM;

	if (r < 0)
		log_error("cannot save " FILE_NAME ": %s; what was said at run time will not "
			  "survive a restart",
			strerror(-r));
	return r;
}
