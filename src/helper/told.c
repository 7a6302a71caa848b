/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "told.h"

#include "drover/control.h"
#include "drover/log.h"
#include "drover/state.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "servers.json"

void told_done(struct told *told)
{
	servers_done(&told->servers);
	for (size_t i = 0; i < told->n_active; i++)
		free(told->active[i]);
	free(told->active);
	*told = (struct told){ 0 };
}

void told_move(struct told *told, struct told *next)
{
	told_done(told);
	*told = *next;
	*next = (struct told){ 0 };
}

static char **find_active(const struct told *told, const char *group)
{
	for (size_t i = 0; i < told->n_active; i++)
		if (strcmp(told->active[i], group) == 0)
			return &told->active[i];
	return NULL;
}

bool told_is_active(const struct told *told, const char *group)
{
	return find_active(told, group);
}

static int add_active(struct told *told, const char *group)
{
	char **grown = reallocarray(told->active, told->n_active + 1, sizeof(*grown));
	char *name = strdup(group);

	if (grown)
		told->active = grown;
	if (!grown || !name) {
		free(name);
		return -ENOMEM;
	}
	grown[told->n_active++] = name;
	return 0;
}

int told_set_active(struct told *told, const char *group, bool active)
{
	char **known = find_active(told, group);

	if (active == (known != NULL))
		return 0;
	if (active)
		return add_active(told, group);
	free(*known);
	*known = told->active[--told->n_active];
	return 0;
}

int told_copy(const struct told *told, struct told *ret_copy)
{
	struct told copy = { 0 };
	int r = servers_copy(&told->servers, &copy.servers);

	for (size_t i = 0; r == 0 && i < told->n_active; i++)
		r = add_active(&copy, told->active[i]);
	if (r < 0) {
		told_done(&copy);
		return r;
	}
	*ret_copy = copy;
	return 0;
}

void told_load(struct told *told)
{
	_cleanup_(json_decref_p) json_t *root = NULL;

	if (state_read(FILE_NAME, &root) < 0 || !root)
		return;
	if (servers_from_json(root, &told->servers) < 0)
		log_warning(FILE_NAME ": not understood, and passed over");
}

void told_save(const struct told *told)
{
	_cleanup_(json_decref_p) json_t *root = servers_to_json(&told->servers);
	int r = root ? state_write(FILE_NAME, root) : -ENOMEM;

	if (r < 0)
		log_warning("cannot save " FILE_NAME ": %s; after a restart this host will not "
			    "know the servers before it is told",
			strerror(-r));
}
