/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The highest epoch of each group: who takes a duty goes beyond it. */

#include "internal.h"

#include "drover/array.h"
#include <string.h>

enum { EPOCHS_MAX = 1024 };

static struct epoch *find(const struct sync *sync, const char *group)
{
	for (size_t i = 0; i < sync->n_epochs; i++)
		if (strcmp(sync->epochs[i].group, group) == 0)
			return &sync->epochs[i];
	return NULL;
}

static struct epoch *append(struct sync *sync, const char *group)
{
	struct epoch *epochs;

	if (sync->n_epochs == EPOCHS_MAX)
		return NULL;
	epochs = array_grow(sync->epochs, sync->n_epochs, sizeof(*epochs));
	if (!epochs)
		return NULL;
	sync->epochs = epochs;
	epochs[sync->n_epochs] = (struct epoch){};
	strcpy(epochs[sync->n_epochs].group, group);
	return &epochs[sync->n_epochs++];
}

void epoch_heard(struct sync *sync, const char *group, uint64_t epoch)
{
	struct epoch *entry = find(sync, group);

	if (!entry && epoch > 0)
		entry = append(sync, group);
	if (entry && epoch > entry->highest)
		entry->highest = epoch;
}

uint64_t sync_highest_epoch(const struct sync *sync, const char *group)
{
	const struct epoch *entry = find(sync, group);

	return entry ? entry->highest : 0;
}
