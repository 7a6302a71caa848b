/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overrides.h"

#include "drover/control.h"
#include "drover/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_DIRECTORY "/var/lib/drover"
#define FILE_NAME         "overrides.json"

/* systemd names the directory in $STATE_DIRECTORY (the first of a colon-separated list). */
static char *state_path(const char *suffix)
{
	const char *directory = getenv("STATE_DIRECTORY");
	char *path = NULL;

	if (!directory || !*directory)
		directory = DEFAULT_DIRECTORY;
	if (asprintf(&path, "%.*s/" FILE_NAME "%s", (int)strcspn(directory, ":"), directory,
		    suffix) < 0)
		return NULL;
	return path;
}

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

int overrides_load(struct cluster *cluster)
{
	_cleanup_(free_p) char *path = state_path("");
	_cleanup_(free_p) char *aside = state_path(".bad");
	_cleanup_(json_decref_p) json_t *root = NULL;
	json_error_t error;
	int r;

	if (!path || !aside)
		return -ENOMEM;
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno;
	root = json_load_file(path, 0, &error);
	r = root ? take_entries(cluster, json_object_get(root, "overrides")) : -EBADMSG;
	if (r == -EBADMSG) {
		cluster_reset_overrides(cluster);
		log_error("%s: not understood (%s); kept as %s, starting without overrides", path,
			root ? "not a list of overrides" : error.text, aside);
		(void)rename(path, aside);
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

/* Written beside the old file and synced before it takes its place: no crash leaves half a file. */
static int write_file(const json_t *root, const char *path, const char *temporary)
{
	_cleanup_(close_p) int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	if (json_dumpfd(root, fd, JSON_INDENT(2)) < 0)
		return -EIO;
	if (fsync(fd) < 0 || rename(temporary, path) < 0)
		return -errno;
	return 0;
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
	_cleanup_(free_p) char *path = state_path("");
	_cleanup_(free_p) char *temporary = state_path(".new");
	_cleanup_(json_decref_p) json_t *root = make_root(cluster);
	int r;

	if (!path || !temporary || !root)
		return -ENOMEM;
	r = write_file(root, path, temporary);
	if (r < 0)
		log_error("cannot write %s: %s; what was said at run time will not survive a "
			  "restart",
			path, strerror(-r));
	return r;
}
